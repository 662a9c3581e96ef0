"""The real kube-controller-manager process, as its own user under RBAC, against a real apiserver and the real kubectl."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from control_plane.controllers.config import ControllerManagerConfig
from kube.process.config import write_config
from tests.support.apiserver import REPOSITORY, Kubectl, RunningApiserver, running_apiserver
from tests.support.controllers import eventually

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: busybox}]}
"""


@asynccontextmanager
async def controller_manager(server: RunningApiserver, directory: Path) -> AsyncIterator[Path]:
    """Gives the path of its log."""
    identity = server.pki.identity("system:kube-controller-manager")
    config = ControllerManagerConfig(
        apiserver=server.access(identity), root_ca_file=identity.ca_file, health_port=0, identity="test")
    path, log = directory / "kcm.json", directory / "kcm.log"
    write_config(config, path)
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(REPOSITORY / "cmd/kube_controller_manager.py"), "--config", str(path), stdout=sink, stderr=sink,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
    try:
        yield log
    finally:
        process.terminate()
        assert await process.wait() == 0, log.read_text()


async def names(kubectl: Kubectl, *arguments: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in json.loads(await kubectl("get", *arguments, "-o", "json"))["items"])


@pytest.mark.etcd
@pytest.mark.req("ARC-05", "ROL-03", "ROL-04", "NS-01")
async def test_the_controllers_may_do_what_they_must(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server, controller_manager(server, tmp_path) as log:
        kubectl = Kubectl(server.kubeconfig())

        async def furnished() -> bool:
            return await names(kubectl, "serviceaccounts,configmaps", "-n", "default") == ["default", "kube-root-ca.crt"]

        await eventually(furnished, within_s=60, what="the default namespace has its ServiceAccount and the CA")
        await kubectl("create", "-f", "-", stdin='{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}')
        await kubectl("create", "namespace", "a")
        await kubectl("-n", "a", "apply", "-f", "-", stdin=DEPLOYMENT)
        await kubectl("-n", "a", "create", "service", "clusterip", "web", "--tcp=80")

        async def pods(count: int) -> bool:
            return len(await names(kubectl, "pods", "-n", "a")) == count

        await eventually(lambda: pods(2), within_s=60, what="two Pods")

        async def listed() -> bool:
            node = json.loads(await kubectl("get", "node", "n1", "-o", "json"))
            slices = await names(kubectl, "endpointslices", "-n", "a")
            return "podCIDR" in node["spec"] and "taints" in node["spec"] and len(slices) == 1

        await eventually(listed, within_s=60, what="a Pod range, taints and an EndpointSlice")
        await kubectl("-n", "a", "set", "env", "deploy/web", "A=1")

        async def revisions() -> bool:
            return [line.split()[0] for line in (await kubectl("-n", "a", "rollout", "history", "deploy/web")).splitlines()
                    if line[:1].isdigit()] == ["1", "2"]

        await eventually(revisions, within_s=60, what="two revisions")
        undo = await kubectl("-n", "a", "rollout", "undo", "deploy/web")
        assert undo == "deployment.apps/web rolled back\n"
        await kubectl("-n", "a", "delete", "deploy/web", "--cascade=foreground", "--timeout=20s")
        assert await pods(0)
        await kubectl("-n", "a", "apply", "-f", "-", stdin=DEPLOYMENT)
        await eventually(lambda: pods(2), within_s=60, what="two Pods again")
        await kubectl("delete", "namespace", "a", "--timeout=20s")
        holder = await kubectl("-n", "kube-system", "get", "lease", "kube-controller-manager", "-o", "jsonpath={.spec.holderIdentity}")

        assert holder == "test"
        assert "forbidden" not in log.read_text().replace("being terminated", "")
        assert "ERROR" not in log.read_text()
