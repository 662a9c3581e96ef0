"""What Pods may use and who they are, as kubectl's user meets it: resize, RuntimeClasses, users of one's own, ports of the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import OFFICIAL, Json, Space, container, pod


def sized(cpu: str, memory: str, **more: Json) -> Json:
    amounts = {"cpu": cpu, "memory": memory}
    return {"requests": dict(amounts), "limits": dict(amounts), **more}


def resize(space: Space, name: str, cpu: str, memory: str) -> None:
    patch = {"spec": {"containers": [{"name": "main", "resources": sized(cpu, memory)}]}}
    with space.python_client() as client:                # kubectl has had --subresource=resize since 1.32
        OFFICIAL.client.CoreV1Api(client).patch_namespaced_pod_resize(name, space.namespace, patch)


def condition(space: Space, name: str, kind: str) -> Json:
    return next((item for item in space.pod(name)["status"]["conditions"] if item["type"] == kind), {})


def limits_inside(space: Space, name: str) -> list[str]:
    """CPU quota and bytes of memory, as the container's own view of its control group has them, version 1 or 2."""
    quota, memory = "cpu/cpu.cfs_quota_us cpu.max", "memory/memory.limit_in_bytes memory.max"
    script = f"cd /sys/fs/cgroup; cat {quota} 2>/dev/null | cut -d' ' -f1; cat {memory} 2>/dev/null"
    return space.sh(name, script + "; true").split()


@pytest.mark.req("POD-05")
def test_a_running_pod_gets_other_limits(space: Space) -> None:
    space.run(pod("p", container(resources=sized("100m", "64Mi"))))

    resize(space, "p", "200m", "96Mi")
    eventually(lambda: space.state("p").get("resources") == sized("200m", "96Mi") and not condition(space, "p", "PodResizeInProgress"))

    assert limits_inside(space, "p") == ["20000", str(96 << 20)]
    assert (space.state("p")["restartCount"], space.state("p")["allocatedResources"]) == (0, {"cpu": "200m", "memory": "96Mi"})
    assert space.event("p", "ResizeStarted").startswith('Pod resize started: {"containers":[{"name":"main",')
    space.event("p", "ResizeCompleted")


def test_a_resize_waits_where_the_node_is_full(space: Space) -> None:
    space.run(pod("p", container(resources=sized("100m", "64Mi"))))
    node = space.get("node", space.pod("p")["spec"]["nodeName"])
    space.run(pod("other", container(resources={"requests": {"cpu": "100m"}}), nodeName=node["metadata"]["name"]))

    resize(space, "p", node["status"]["allocatable"]["cpu"], "64Mi")

    pending = eventually(lambda: condition(space, "p", "PodResizePending"))
    assert (pending["reason"], pending["message"].split(", requested")[0]) == ("Deferred", "Node didn't have enough resource: cpu")
    assert space.state("p")["resources"] == sized("100m", "64Mi")

    resize(space, "p", "100m", "64Mi")

    eventually(lambda: not condition(space, "p", "PodResizePending"))


def shares_of_group(space: Space, node: str, group: str) -> int:
    """Of a QoS class on a node: cpu.shares, or cpu.weight."""
    below = f"kubonsai/{space.cluster.name}/{node}/kubepods/{group}"
    return next(int(path.read_text()) for path in (
        Path("/sys/fs/cgroup/cpu", below, "cpu.shares"), Path("/sys/fs/cgroup", below, "cpu.weight")) if path.exists())


def test_a_quality_of_service_has_its_share_of_the_processors(space: Space) -> None:
    space.run(pod("burstable", container(resources={"requests": {"cpu": "500m"}})))
    node = space.pod("burstable")["spec"]["nodeName"]
    space.run(pod("best-effort", container(), nodeName=node))

    assert shares_of_group(space, node, "burstable") > 10 * shares_of_group(space, node, "besteffort")
    assert shares_of_group(space, node, "besteffort") in (1, 2)


def test_a_runtime_class_needs_a_handler_that_is_there(space: Space) -> None:
    name = space.namespace
    space.create({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "gvisor"})
    try:
        space.create(pod("p", container(), runtimeClassName=name))

        reason = 'failed to get sandbox runtime: no runtime for "gvisor" is configured'
        told = space.event("p", "FailedCreatePodSandBox")
        assert told == f"Failed to create pod sandbox: rpc error: code = Unknown desc = {reason}"
        eventually(lambda: space.waiting("p") == "ContainerCreating")
    finally:
        space.kubectl("delete", "runtimeclass", name)


def test_a_pod_with_users_of_its_own_and_a_port_of_the_node(space: Space) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/data"}]
    script = "echo mine >/data/index.html; exec httpd -f -p 8080 -h /data"
    served = container(command=["sh", "-c", script], volumeMounts=mounts, ports=[{"containerPort": 8080, "hostPort": 31999}])
    space.run(pod("p", served, hostUsers=False, volumes=volumes, securityContext={"fsGroup": 2000}))
    node = space.pod("p")["status"]["hostIP"]

    assert space.sh("p", "id -u; stat -c %u:%g /data/index.html").split() == ["0", "0:2000"]
    (inside, outside, count) = space.sh("p", "cat /proc/self/uid_map").split()
    assert (inside, int(outside) > 65535, count) == ("0", True, "65536")
    space.run(pod("q", container()))
    assert eventually(lambda: space.sh("q", f"wget -qO- http://{node}:31999/")) == "mine"
