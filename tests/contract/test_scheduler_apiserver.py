"""kube-scheduler, its own process under its own identity, with a real apiserver."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control_plane.scheduler.config import SchedulerConfig
from kube.process.config import write_config
from tests.support.apiserver import REPOSITORY, Kubectl, RunningApiserver, running_apiserver
from tests.support.ports import free_ports

pytestmark = pytest.mark.etcd
WITHIN_S = 60

NODE = """
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{kubernetes.io/hostname: {name}}}}}
spec: {{taints: {taints}}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers: [{{name: web, image: busybox, resources: {{requests: {{cpu: "{cpu}"}}}}}}]
"""
STATUS = {"status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}, "capacity": {"cpu": "2", "memory": "4Gi", "pods": "110"}}}


@asynccontextmanager
async def running_scheduler(apiserver: RunningApiserver, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    (port,) = free_ports(1)
    config = SchedulerConfig(apiserver=apiserver.access(apiserver.pki.identity("system:kube-scheduler")), health_port=port)
    write_config(config, directory / "scheduler.json")
    with (directory / "scheduler.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(REPOSITORY / "cmd/kube_scheduler.py"), "--config", str(directory / "scheduler.json"), stderr=log,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def eventually(kubectl: Kubectl, wanted: str, *arguments: str) -> None:
    found = ""
    try:
        async with asyncio.timeout(WITHIN_S):
            while wanted not in found:
                found = await kubectl(*arguments)
    except TimeoutError:
        pytest.fail(f"not in {WITHIN_S} s: {wanted!r}, but {found!r}")


async def add_node(kubectl: Kubectl, name: str, taints: str = "[]") -> None:
    await kubectl("create", "-f", "-", stdin=NODE.format(name=name, taints=taints))
    node = json.loads(await kubectl("get", "node", name, "-o", "json"))
    await kubectl("replace", "--raw", f"/api/v1/nodes/{name}/status", "-f", "-", stdin=json.dumps(node | STATUS))
    # Admission taints every new Node until its controller finds it ready; there is no controller here.
    await kubectl("patch", "node", name, "--type=merge", "-p", json.dumps({"spec": {"taints": json.loads(taints) or None}}))


@pytest.mark.req("ARC-06", "NOD-02")
async def test_pods_are_bound_or_told_why_not(tmp_path: Path) -> None:
    control_plane = '[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]'
    async with running_apiserver(tmp_path) as apiserver, running_scheduler(apiserver, tmp_path) as scheduler:
        kubectl = Kubectl(apiserver.kubeconfig())
        await kubectl("create", "serviceaccount", "default")
        await add_node(kubectl, "node1", control_plane)
        await add_node(kubectl, "node2")
        await add_node(kubectl, "node3")
        for name, cpu in (("web", "1"), ("big", "100")):
            await kubectl("create", "-f", "-", stdin=POD.format(name=name, cpu=cpu))

        await eventually(kubectl, "node", "get", "pod", "web", "-o", "jsonpath={.spec.nodeName}")
        await eventually(kubectl, "Successfully assigned default/web to node", "describe", "pod", "web")
        await eventually(
            kubectl, "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are "
            "available: 3 Preemption is not helpful for scheduling.", "describe", "pod", "big")
        condition = await kubectl("get", "pod", "big", "-o", 'jsonpath={.status.conditions[?(@.type=="PodScheduled")]}')
        bound = await kubectl("get", "pod", "web", "-o", "jsonpath={.spec.nodeName}")
        scheduler.send_signal(signal.SIGTERM)
        code = await scheduler.wait()

    assert (json.loads(condition)["status"], json.loads(condition)["reason"]) == ("False", "Unschedulable")
    assert bound in ("node2", "node3")
    assert code == 0, (tmp_path / "scheduler.log").read_text()


@pytest.mark.req("ARC-01")
async def test_a_killed_scheduler_is_followed_by_another(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as apiserver:
        kubectl = Kubectl(apiserver.kubeconfig())
        await kubectl("create", "serviceaccount", "default")
        await add_node(kubectl, "node1")
        async with running_scheduler(apiserver, tmp_path) as first:
            await kubectl("create", "-f", "-", stdin=POD.format(name="before", cpu="100m"))
            await eventually(kubectl, "node1", "get", "pod", "before", "-o", "jsonpath={.spec.nodeName}")
            first.kill()
            await first.wait()

        await kubectl("create", "-f", "-", stdin=POD.format(name="after", cpu="100m"))
        pending = await kubectl("get", "pod", "after", "-o", "jsonpath={.status.phase} {.spec.nodeName}")
        async with running_scheduler(apiserver, tmp_path):
            await eventually(kubectl, "node1", "get", "pod", "after", "-o", "jsonpath={.spec.nodeName}")

    assert pending == "Pending "
