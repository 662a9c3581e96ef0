"""Loaded images in a real cluster: what Pods see in them, how they are named, what pull policies make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.cluster.layout import IMAGES
from launcher.testing.cluster import Cluster, eventually
from tests.support.image_archives import (
    CONTAINERD_NAME,
    Entry,
    Files,
    add_manifest,
    busybox_layer,
    docker_archive,
    entry,
    finish_layout,
    folder,
    forget,
    layer,
    unique_name,
)
from tests.support.space import Json, Space, pod

SLEEP = ["sh", "-c", "exec sleep 1000"]


@pytest.fixture
def image(space: Space) -> Iterator[str]:
    """A repository of the test's own; its images are taken out of the machine's store when its Pods are gone."""
    name = unique_name()
    yield name
    space.kubectl("delete", "pods", "--all", "--now", "--wait=true")
    forget(IMAGES, name)


def load(cluster: Cluster, files: Files, tmp_path: Path) -> str:
    """The digest that `load` prints."""
    printed = cluster.kubonsai("load", str(files.tar(tmp_path / "image.tar")))
    return printed.split("  ")[1]


def of(image: str, **more: Any) -> Json:
    return {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", **more}


def marked(image: str, *entries: Entry) -> list[bytes]:
    """Layers of no other image: they go with it."""
    return [busybox_layer(), layer(entry("etc/mark", image), *entries)]


@pytest.mark.req("SCX-03")
def test_a_pod_on_every_node_runs_a_loaded_image(space: Space, image: str, tmp_path: Path) -> None:
    busybox = Path("/bin/busybox").read_bytes()
    lower = [folder("data"), entry("data/old", "old"), entry("data/sub/x", "x"), folder("cache"), entry("cache/a", "a")]
    upper = layer(
        entry("data/.wh.old"), entry("cache/.wh..wh..opq"), entry("cache/b", "b"), entry("bin/suid", busybox, mode=0o4755),
        folder("home/alice", uid=101, gid=102), entry("home/alice/note", "hers", uid=101, gid=102, mode=0o600),
    )
    script = "echo $GREETING; pwd; id -u; id -g; ls /data; ls /cache; cat note; echo; stat -c %a /bin/suid; exec sleep 1000"
    layers = [*marked(image, *lower), upper]
    digest = load(space.cluster, docker_archive(
        layers, f"{image}:1", Entrypoint=["sh", "-c"], Cmd=[script], Env=["PATH=/bin", "GREETING=hello"], WorkingDir="/home/alice",
        User="alice",
    ), tmp_path)
    space.run(*(pod(node, of(f"{image}:1"), nodeName=node) for node in ("node1", "node2", "node3")))

    for node in ("node1", "node2", "node3"):
        whole = ["hello", "/home/alice", "101", "102", "sub", "b", "hers", "4755"]
        eventually(lambda: space.kubectl("logs", node).split()[:8] == whole)  # noqa: B023 - asked at once
        status = space.state(node)
        assert (status["image"], status["imageID"]) == (f"{image}:1", f"{image}@{digest}")
    assert space.event("node1", "Pulled") == f'Container image "{image}:1" already present on machine and can be accessed by the pod'

    for node in ("node1", "node2", "node3"):
        listed = eventually(lambda: in_status(space, node, f"{image}:1"))  # noqa: B023 - asked at once
        assert listed["names"] == [f"{image}@{digest}", f"{image}:1"]
        assert listed["sizeBytes"] > 2 * len(busybox)


def in_status(space: Space, node: str, name: str) -> Json | None:
    return next((item for item in space.get("node", node)["status"]["images"] if name in item["names"]), None)


def test_setuid_programs_change_who_runs_them(space: Space, image: str, tmp_path: Path) -> None:
    su = entry("bin/su", Path("/bin/busybox").read_bytes(), mode=0o4755)
    accounts = entry("etc/passwd", "root::0:0::/:/bin/sh\nalice::101:102::/:/bin/sh\n")
    load(space.cluster, docker_archive([*marked(image), layer(accounts, su)], f"{image}:1", Env=["PATH=/bin"], User="alice"), tmp_path)
    asking = of(f"{image}:1", command=["sh", "-c", "id -u; /bin/su root -c 'id -u' || echo refused; exec sleep 1000"])
    space.run(pod("may", asking), pod("may-not", {**asking, "securityContext": {"allowPrivilegeEscalation": False}}))

    eventually(lambda: space.kubectl("logs", "may").split()[:2] == ["101", "0"])
    eventually(lambda: {"101", "refused"} <= set(space.kubectl("logs", "may-not").split()))


def test_digest_and_id_name_an_image_for_good_and_tags_move(space: Space, image: str, tmp_path: Path) -> None:
    def version(number: int) -> Files:
        files = Files()
        descriptor = add_manifest(files, marked(image, entry("version", str(number))), Env=["PATH=/bin"], Cmd=SLEEP)
        return finish_layout(files, (descriptor, {CONTAINERD_NAME: f"{image}:v"}))

    first = load(space.cluster, version(1), tmp_path)
    space.run(pod("before", of(f"{image}:v")))
    second = load(space.cluster, version(2), tmp_path)
    listed = space.cluster.kubonsai("images")
    space.run(pod("after", of(f"{image}:v")), pod("pinned", of(f"{image}@{first}")), pod("both", of(f"{image}:v@{first}")))

    found = {name: space.sh(name, "cat /version") for name in ("before", "after", "pinned", "both")}
    assert found == {"before": "1", "after": "2", "pinned": "1", "both": "1"}
    ids = {name: space.state(name)["imageID"] for name in found}
    assert ids == {name: f"{image}@{second if name == 'after' else first}" for name in found}
    assert re.search(rf"^{image}:v +{second} ", listed, re.MULTILINE) and re.search(rf"^{image}:<none> +{first} ", listed, re.MULTILINE)


@pytest.mark.req("LIF-09")
def test_pull_policies_and_a_pod_that_waits_for_its_image(space: Space, image: str, tmp_path: Path) -> None:
    name = f"{image}:1"
    space.create(
        pod("never", of(name, imagePullPolicy="Never", command=SLEEP)), pod("present", of(name, command=SLEEP)),
        pod("always", of(name, imagePullPolicy="Always", command=SLEEP)),
    )
    eventually(lambda: space.waiting("never") == "ErrImageNeverPull")
    eventually(lambda: space.waiting("present") == "ImagePullBackOff")
    assert space.event("never", "ErrImageNeverPull") == f'Container image "{name}" is not present with pull policy of Never'
    space.tells("never", ("Failed", "Error: ErrImageNeverPull"))

    load(space.cluster, docker_archive(marked(image), name), tmp_path)

    space.ready("never", "present", within_s=300)       # after what is left of a back-off
    message = eventually(lambda: backing_off(space, "always"))
    assert message.startswith(f'Back-off pulling image "{name}": ErrImagePull: failed to pull and unpack image "{name}": failed to resolve')
    assert "may not be asked" in message and "kubonsai load" in message


def backing_off(space: Space, name: str) -> str:
    """What is said while no pull is tried."""
    waiting = space.state(name)["state"]["waiting"]
    return str(waiting["message"]) if waiting["reason"] == "ImagePullBackOff" else ""


@pytest.mark.req("SCX-03")
def test_run_as_non_root_looks_at_the_images_user(space: Space, image: str, tmp_path: Path) -> None:
    for user in ("101", "alice", ""):
        load(space.cluster, docker_archive(marked(image), f"{image}:u{user}", User=user, Env=["PATH=/bin"]), tmp_path)
    context = {"runAsNonRoot": True}
    space.create(*(pod(f"u{user}", of(f"{image}:u{user}", command=SLEEP), securityContext=context) for user in ("101", "alice", "")))

    space.ready("u101")
    assert space.sh("u101", "id -u") == "101"
    non_numeric = "image has non-numeric user (alice), cannot verify user is non-root"
    for name, message in (("ualice", non_numeric), ("u", "image will run as root")):
        eventually(lambda: space.waiting(name) == "CreateContainerConfigError")  # noqa: B023 - asked at once
        assert f"container has runAsNonRoot and {message}" in space.state(name)["state"]["waiting"]["message"]
