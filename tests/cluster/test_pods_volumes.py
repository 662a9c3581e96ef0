"""Volumes as containers, nodes and the API show them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, config_map, container, pod


def mounting(name: str, *mounts: Json, **more: Any) -> Json:
    return container(name, volumeMounts=list(mounts), **more)


def at(name: str, path: str, **more: object) -> Json:
    return {"name": name, "mountPath": path, **more}


@pytest.mark.req("VOL-05")
def test_mounts_of_a_running_container(space: Space) -> None:
    space.run(pod("p", mounting("main", at("data", "/data")), volumes=[{"name": "data", "emptyDir": {}}]))
    found, container_id = space.pod("p"), space.state("p")["containerID"].partition("://")[2]
    run = f"/run/kubonsai/{space.cluster.name}/{found['spec']['nodeName']}"

    state = json.loads(space.in_host("runc", "--root", f"{run}/runc", "state", container_id))
    mounts = {mount["destination"]: mount for mount in json.loads(space.in_host("cat", f"{state['bundle']}/config.json"))["mounts"]}

    assert state["status"] == "running"
    token = next(path for path in mounts if path.endswith("/serviceaccount"))
    sources = {path: mounts[path]["source"].partition(f"/pods/{found['metadata']['uid']}/")[2]
               for path in ("/data", token, "/etc/hosts", "/dev/termination-log")}
    assert sources["/data"] == "volumes/kubernetes.io~empty-dir/data" and {"rbind", "rprivate", "rw"} == {*mounts["/data"]["options"]}
    assert sources[token].startswith("volumes/kubernetes.io~projected/kube-api-access-") and "ro" in mounts[token]["options"]
    assert sources["/etc/hosts"] == "etc-hosts"
    assert sources["/dev/termination-log"].startswith("containers/main/")


@pytest.mark.req("CFG-02")
def test_files_follow_their_objects_at_once_and_sub_paths_never(space: Space) -> None:
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}}, {"name": "late", "secret": {"secretName": "late"}},
        {"name": "maybe", "configMap": {"name": "maybe", "optional": True}}, {"name": "unused", "configMap": {"name": "never"}},
        {"name": "cache", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = (
        at("settings", "/s"), at("cache", "/s/cache"), at("settings", "/one", subPath="a"), at("late", "/late"), at("maybe", "/maybe"),
    )
    space.create(config_map("settings", a="1"), pod("p", mounting("main", *mounts), volumes=volumes))
    space.tells("p", ("FailedMount", 'MountVolume.SetUp failed for volume "late" : secret "late" not found'))
    eventually(lambda: space.pod("p")["status"].get("containerStatuses"))
    assert space.waiting("p") == "ContainerCreating"

    space.kubectl("create", "secret", "generic", "late", "--from-literal=key=hidden")
    space.ready("p")
    assert space.sh("p", "cat /s/a /one /late/key; ls /maybe; touch /s/cache/x; touch /s/y 2>/dev/null || true") == "11hidden"
    space.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"a":"2"}}')
    space.create(config_map("maybe", m="there"))
    space.kubectl("patch", "secret", "late", "-p", json.dumps({"data": {"key": base64.b64encode(b"new").decode()}}))

    eventually(lambda: space.sh("p", "cat /s/a /one /late/key /maybe/m") == "21newthere")


@pytest.mark.req("VOL-01")
def test_mounts_spread_as_asked_and_read_only_goes_as_deep_as_asked(space: Space) -> None:
    giver = mounting(
        "giver", at("d", "/d", mountPropagation="Bidirectional"), securityContext={"privileged": True}, restartPolicy="Always",
        command=["sh", "-c", "mkdir /d/inner; mount -t tmpfs given /d/inner; echo hi >/d/inner/file; exec sleep 600"],
        startupProbe={"exec": {"command": ["test", "-e", "/d/inner/file"]}, "periodSeconds": 1},
    )
    taker = mounting("taker", at("d", "/d", mountPropagation="HostToContainer"))
    reader = mounting("reader", at("d", "/all", readOnly=True, recursiveReadOnly="Enabled"), at("d", "/top", readOnly=True))
    space.run(pod("p", taker, reader, initContainers=[giver], volumes=[{"name": "d", "emptyDir": {}}]))

    space.exec("p", "umount", "/d/inner", container="giver")
    assert space.sh("p", "ls /d/inner", container="taker") == ""
    space.sh("p", "mount -t tmpfs again /d/inner; echo again >/d/inner/file", container="giver")

    assert space.sh("p", "cat /d/inner/file", container="taker") == "again"
    tries = "for d in /all /all/inner /top /top/inner; do touch $d/x 2>/dev/null && echo $d; done; true"
    assert space.sh("p", tries, container="reader") == "/top/inner"
    shown = {mount["mountPath"]: mount.get("recursiveReadOnly") for mount in space.state("p", 1)["volumeMounts"]}
    assert (shown["/all"], shown["/top"]) == ("Enabled", "Disabled")


@pytest.mark.req("SCX-02")
def test_files_belong_to_the_pods_group(space: Space) -> None:
    main = mounting("main", at("data", "/data"), at("hidden", "/hidden"))
    space.kubectl("create", "secret", "generic", "hidden", "--from-literal=key=x")
    space.run(pod(
        "p", main, securityContext={"fsGroup": 2000, "runAsUser": 1000},
        volumes=[{"name": "data", "emptyDir": {}}, {"name": "hidden", "secret": {"secretName": "hidden", "defaultMode": 0o400}}]))

    listed = space.sh("p", "touch /data/new; ls -ldn /data /data/new; ls -lnL /hidden/key; id -G; ls -lnL /run/secrets/*/*/token")

    lines = [line.split() for line in listed.splitlines()]
    assert [(words[0], *words[2:4]) for words in (*lines[:3], lines[4])] == [
        ("drwxrwsrwx", "0", "2000"), ("-rw-r--r--", "1000", "2000"), ("-r--r-----", "0", "2000"), ("-rw-r-----", "1000", "2000")]
    assert "2000" in lines[3]


def test_trust_anchors_of_a_signer(space: Space) -> None:
    signer, anchor = f"{space.namespace}.example.com/mesh", space.get("configmap", "kube-root-ca.crt")["data"]["ca.crt"]
    projection = {"signerName": signer, "labelSelector": {}, "path": "ca.pem"}
    volume = {"name": "trust", "projected": {"sources": [{"clusterTrustBundle": projection}]}}
    name = f"{signer.replace('/', ':')}:one"
    space.create(pod("p", mounting("main", at("trust", "/trust")), volumes=[volume]))
    assert "combination of signerName and labelSelector matched zero ClusterTrustBundles" in space.event("p", "FailedMount")
    try:
        space.create({
            "apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle", "metadata": {"name": name},
            "spec": {"signerName": signer, "trustBundle": "ours\n" + anchor}})
        space.ready("p")

        assert space.sh("p", "cat /trust/ca.pem") == anchor.strip()
    finally:
        space.kubectl("delete", "clustertrustbundle", name, "--ignore-not-found")
