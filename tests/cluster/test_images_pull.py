"""Pods whose images come from a registry in the cluster's own network: credentials, back-off and recovery, image volumes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.cluster.layout import IMAGES
from launcher.testing.cluster import eventually
from tests.support.image_archives import Files, add_manifest, busybox_layer, entry, folder, forget, layer, unique_name
from tests.support.registry import Registry, basic, docker_registry, htpasswd
from tests.support.space import Json, Space, pod

PORT = 5000
SLEEP = ["sh", "-c", "exec sleep 1000"]
Push = Callable[[str], str]


@pytest.fixture
def registry(space: Space, tmp_path: Path) -> Iterator[Registry]:
    """On the second node's address; it wants alice's password, which is "secret"."""
    addresses = space.get("node", "node2")["status"]["addresses"]
    address = next(each["address"] for each in addresses if each["type"] == "InternalIP")
    prefix = ("ip", "netns", "exec", f"{space.cluster.name}-node2")
    with docker_registry(tmp_path / "inside", auth=htpasswd(tmp_path / "inside"), address=address, port=PORT, prefix=prefix) as running:
        yield running


@pytest.fixture
def repository(registry: Registry, space: Space) -> Iterator[str]:
    """Of the test's own; its images are taken out of the machine's store when its Pods are gone."""
    name = unique_name().split("/", 1)[1]
    yield f"{registry.host}/{name}"
    space.kubectl("delete", "pods", "--all", "--now", "--wait=true")
    forget(IMAGES, f"{registry.host}/{name}")


@pytest.fixture
def push(registry: Registry, repository: str, tmp_path: Path) -> Iterator[Push]:
    """A tag, through a door on the loopback that the registry does not know of."""
    with docker_registry(tmp_path / "outside", data=registry.data) as door:
        def push_one(tag: str) -> str:
            files = Files()
            layers = [busybox_layer(), layer(folder("data"), entry("data/tag", f"{repository} {tag}"))]
            return door.push(repository.split("/", 1)[1], tag, files, add_manifest(files, layers, Env=["PATH=/bin"], Cmd=SLEEP))

        yield push_one


def of(image: str, **more: Json | str | list[str]) -> Json:
    return {"name": "main", "image": image, **more}


@pytest.mark.req("ARC-08", "CFG-06", "CFG-07")
def test_a_private_registry(space: Space, registry: Registry, repository: str, push: Push) -> None:
    digest, image = push("1"), f"{repository}:1"
    space.create(pod("stranger", of(image), nodeName="node1"))
    printed = space.kubectl(
        "create", "secret", "docker-registry", "regcred", f"--docker-server={registry.host}", "--docker-username=alice",
        "--docker-password=secret", "--docker-email=alice@test.invalid")
    assert printed == "secret/regcred created\n"
    assert space.get("secret", "regcred")["type"] == "kubernetes.io/dockerconfigjson"
    failed = eventually(lambda: [text for reason, text in space.events("stranger") if reason == "Failed"])[0]
    assert failed.startswith(f'Failed to pull image "{image}": failed to pull and unpack image "{image}": failed to resolve reference')
    assert "401 Unauthorized" in failed

    secrets = [{"name": "regcred"}]
    space.run(*(pod(f"named-{node}", of(image), imagePullSecrets=secrets, nodeName=node) for node in ("node1", "node2", "node3")))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"}, "imagePullSecrets": secrets}
    space.create(account)
    space.run(pod("by-account", of(image), serviceAccountName="puller"))

    # Of all nodes together: a configuration and two layers, of which one may have been there.
    eventually(lambda: registry.requests("GET", "/blobs/") >= 2)
    assert registry.requests("GET", "/blobs/") <= 3
    state = space.state("named-node1")
    assert (state["image"], state["imageID"]) == (image, f"{repository}@{digest}")
    assert space.sh("by-account", "cat /data/tag") == f"{repository} 1"
    took = r"(\d+(\.\d+)?m?s)"
    words = rf'Successfully pulled image "{re.escape(image)}" in {took} \({took} including waiting\)\. Image size: \d+ bytes\.'
    eventually(lambda: ("Pulling", f'Pulling image "{image}"') in of_all_nodes(space))
    eventually(lambda: any(re.fullmatch(words, text) for reason, text in of_all_nodes(space) if reason == "Pulled"))
    space.tells("by-account", ("Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod'))
    assert space.waiting("stranger") in ("ErrImagePull", "ImagePullBackOff")        # that others have it opens no door
    assert eventually(lambda: [item for item in space.get("node", "node3")["status"]["images"] if image in item["names"]])


def of_all_nodes(space: Space) -> list[tuple[str, str]]:
    return [event for node in ("node1", "node2", "node3") for event in space.events(f"named-{node}")]


@pytest.mark.req("LIF-09")
def test_a_pod_recovers_when_its_image_appears(space: Space, registry: Registry, repository: str, push: Push) -> None:
    push("1")
    space.kubectl("create", "secret", "docker-registry", "regcred", f"--docker-server={registry.host}", "--docker-username=alice",
                  "--docker-password=secret")
    name = f"{repository}:late"
    space.create(pod("late", of(name, imagePullPolicy="Always"), imagePullSecrets=[{"name": "regcred"}]))

    def told() -> bool:
        waiting = space.state("late")["state"]["waiting"]       # ErrImagePull after each try
        message = str(waiting["message"])
        return bool(waiting["reason"] == "ImagePullBackOff") and (
            message.startswith(f'Back-off pulling image "{name}": ErrImagePull: ') and message.endswith(f"{name}: not found"))

    eventually(told)
    eventually(lambda: {reason for reason, _ in space.events("late")} >= {"Pulling", "Failed", "BackOff"})
    wanted = push("late")

    space.ready("late", within_s=300)       # after what is left of a back-off
    assert space.state("late")["imageID"] == f"{repository}@{wanted}"


def test_image_volumes(space: Space, registry: Registry, repository: str, push: Push) -> None:
    push("1")
    registry.headers = basic("alice", "secret")
    space.kubectl("create", "secret", "docker-registry", "regcred", f"--docker-server={registry.host}", "--docker-username=alice",
                  "--docker-password=secret")
    volumes = [
        {"name": "content", "image": {"reference": f"{repository}:1", "pullPolicy": "Always"}},
        {"name": "missing", "image": {"reference": f"{repository}:none"}},
    ]
    reader = {"name": "reader", "image": "busybox", "command": SLEEP, "volumeMounts": [
        {"name": "content", "mountPath": "/whole"}, {"name": "content", "mountPath": "/part", "subPath": "data"},
    ]}
    others = [
        {"name": "none", "image": "busybox", "command": SLEEP, "volumeMounts": [{"name": "missing", "mountPath": "/x"}]},
        {"name": "part", "image": "busybox", "command": SLEEP, "volumeMounts": [
            {"name": "content", "mountPath": "/x", "subPath": "data/none"}]},
    ]
    space.create(pod("volumes", reader, *others, volumes=volumes, imagePullSecrets=[{"name": "regcred"}]))

    states = eventually(lambda: _reasons(space, "volumes", {"reader": "", "none": "ImagePullBackOff", "part": "CreateContainerError"}))
    assert states
    script = "cat /whole/data/tag /part/tag; touch /whole/x 2>/dev/null || echo refused; grep -c ' /whole ' /proc/mounts"
    assert space.sh("volumes", script, "reader") == f"{repository} 1{repository} 1refused\n1"
    space.tells("volumes", ("Pulling", f'Pulling image "{repository}:1"'))
    space.kubectl("delete", "pod", "volumes", "--now", "--wait=true")


def _reasons(space: Space, name: str, wanted: dict[str, str]) -> bool:
    statuses = space.pod(name)["status"].get("containerStatuses", [])
    found = {status["name"]: status["state"].get("waiting", {}).get("reason", "") for status in statuses}
    return found == wanted and all(status["ready"] == (not wanted[status["name"]]) for status in statuses)
