"""The official Python client: its types are strict, so whatever it reads has the shape that upstream's server gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import dynamic, stream, utils

from launcher.testing.cluster import eventually
from tests.support.space import OFFICIAL, Space, config_map, container, deployment, hung_up, pod, service

STREAM: Any = stream
UTILS: Any = utils


@pytest.fixture
def api(space: Space) -> Iterator[Any]:
    with space.python_client() as client:
        yield client


def test_every_list_can_be_read(space: Space, api: Any) -> None:
    space.create(
        deployment("d"), service("s"), config_map("c"), pod("pulling", {"name": "main", "image": "registry.invalid/x"}),
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": {"minAvailable": 1}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j"}, "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {
            "spec": {"template": {"spec": pod("j", restartPolicy="Never")["spec"]}}}}},
    )
    space.kubectl("autoscale", "deployment", "d", "--max=3", "--cpu-percent=50")
    for arguments in (
        ["job", "j", "--image=busybox"], ["quota", "q", "--hard=pods=9"], ["ingress", "i", "--rule=example.com/*=s:80"],
        ["role", "r", "--verb=get", "--resource=pods"], ["rolebinding", "r", "--role=r", "--user=bob"],
    ):
        space.kubectl("create", *arguments)
    eventually(lambda: space.waiting("pulling"))

    kube, read = OFFICIAL.client, 0
    for name in dir(kube):
        if not name.endswith("Api") or name.endswith(("beta1Api", "beta2Api", "alpha1Api", "alpha2Api", "alpha3Api")):
            continue
        calls = getattr(kube, name)(api)
        for call in dir(calls):
            # Every kind once: over all namespaces, or of the cluster.
            foreign = any(part in call for part in ("_with_http_info", "_without_preload", "namespaced", "custom_object"))
            if not call.startswith("list_") or foreign:
                continue
            if name == "EventsV1Api" or call == "list_csi_node":
                continue        # Events of v1 without eventTime, null for no drivers: it cannot read upstream's either
            assert getattr(calls, call)().kind.endswith("List"), call
            read += 1

    assert read > 50


def test_exec_by_the_older_websocket_protocol(space: Space, api: Any) -> None:
    space.run(pod("p"))
    core = OFFICIAL.client.CoreV1Api(api)

    shell = STREAM.stream(
        core.connect_get_namespaced_pod_exec, "p", space.namespace, command=["sh"], stdin=True, stdout=True, stderr=True, tty=False,
        _preload_content=False,
    )
    with hung_up(shell):
        shell.write_stdin("echo hello; exit 4\n")
        shell.run_forever(timeout=60)

    assert (shell.read_stdout(timeout=0), shell.returncode) == ("hello\n", 4)


def test_logs_can_be_followed(space: Space, api: Any) -> None:
    core = OFFICIAL.client.CoreV1Api(api)
    space.create(pod("p", container(script="for i in 1 2 3; do echo $i; sleep 0.1; done"), restartPolicy="Never"))
    eventually(lambda: space.pod("p")["status"]["phase"] != "Pending")

    assert list(OFFICIAL.watch.Watch().stream(core.read_namespaced_pod_log, "p", space.namespace)) == ["1", "2", "3"]


def test_the_dynamic_client_finds_its_way_by_discovery(space: Space, api: Any) -> None:
    finder: Any = dynamic
    UTILS.create_from_dict(api, deployment("d", replicas=0), namespace=space.namespace)
    deployments = finder.DynamicClient(api).resources.get(api_version="apps/v1", kind="Deployment")

    changed = deployments.patch(
        name="d", namespace=space.namespace, body={"spec": {"replicas": 1}}, content_type="application/merge-patch+json",
    )

    assert changed.spec.replicas == 1
    eventually(lambda: deployments.get(name="d", namespace=space.namespace).status.readyReplicas == 1)


def test_scale_and_eviction(space: Space, api: Any) -> None:
    apps, core = OFFICIAL.client.AppsV1Api(api), OFFICIAL.client.CoreV1Api(api)
    space.create(deployment("d"), pod("p"))

    apps.patch_namespaced_deployment_scale("d", space.namespace, {"spec": {"replicas": 2}})
    eventually(lambda: apps.read_namespaced_deployment_scale("d", space.namespace).status.replicas == 2)
    core.create_namespaced_pod_eviction("p", space.namespace, {"metadata": {"name": "p"}})

    assert apps.read_namespaced_deployment_scale("d", space.namespace).status.selector == "app=d"
    eventually(lambda: "NotFound" in space.refused("get", "pod", "p"))
