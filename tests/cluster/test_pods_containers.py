"""What a container finds inside: environment, volumes, files of the platform, limits."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

import pytest

from launcher.cluster.cgroups import hierarchies
from launcher.testing.cluster import CommandFailed, eventually
from tests.support.space import Json, Space, config_map, container, pod, server, service


def field(path: str) -> Json:
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def secret(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


@pytest.mark.req("POD-08", "CFG-01", "CFG-03")
def test_environment(space: Space) -> None:
    env = [
        {"name": "POD_NAME", **field("metadata.name")}, {"name": "POD_NAMESPACE", **field("metadata.namespace")},
        {"name": "POD_IP", **field("status.podIP")}, {"name": "NODE", **field("spec.nodeName")},
        {"name": "TIER", **field("metadata.labels['tier']")},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {"name": "ONE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "one"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "nope", "optional": True}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "password"}}},
        {"name": "GREETING", "value": "hello $(ONE) $(NOPE) $$(ONE)"},
    ]
    sources = [{"configMapRef": {"name": "settings"}, "prefix": "S_"}, {"secretRef": {"name": "nope", "optional": True}}]
    main = container(env=env, envFrom=sources, resources={"limits": {"memory": "64Mi"}})
    space.create(config_map("settings", one="1", two="2"), secret("hidden", password="geheim"), service("my-svc", port=8080))
    space.run(pod("p", main, labels={"tier": "web"}))

    found = dict(line.split("=", 1) for line in space.exec("p", "env").splitlines())
    status, spec = space.pod("p")["status"], space.pod("p")["spec"]
    address = space.get("service", "my-svc")["spec"]["clusterIP"]

    assert found.items() >= {
        "POD_NAME": "p", "POD_NAMESPACE": space.namespace, "POD_IP": status["podIP"], "NODE": spec["nodeName"], "TIER": "web",
        "LIMIT": str(64 * 2**20), "ONE": "1", "PASSWORD": "geheim", "GREETING": "hello 1 $(NOPE) $(ONE)", "S_one": "1", "S_two": "2",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1", "MY_SVC_SERVICE_HOST": address, "MY_SVC_SERVICE_PORT": "8080",
        "MY_SVC_PORT_8080_TCP": f"tcp://{address}:8080", "HOSTNAME": "p",
    }.items()
    assert "NONE" not in found


@pytest.mark.req("LIF-10", "CFG-01")
def test_a_missing_key_holds_the_container_until_it_is_there(space: Space) -> None:
    reference = {"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "one"}}}
    space.create(pod("p", container(env=[{"name": "ONE", **reference}])))

    eventually(lambda: space.waiting("p") == "CreateContainerConfigError")
    assert space.state("p")["state"]["waiting"]["message"] == 'configmap "settings" not found'
    assert "CreateContainerConfigError" in space.kubectl("get", "pod", "p")
    space.create(config_map("settings", other="1"))
    eventually(lambda: space.state("p")["state"]["waiting"]["message"] == f"couldn't find key one in ConfigMap {space.namespace}/settings")
    space.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"one":"1"}}')

    space.ready("p")
    assert space.sh("p", "echo $ONE") == "1"


@pytest.mark.req("VOL-01", "VOL-02", "CFG-02", "CFG-03")
def test_volumes(space: Space) -> None:
    volumes = [
        {"name": "shared", "emptyDir": {}}, {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "chosen", "configMap": {"name": "settings", "items": [{"key": "app.conf", "path": "deep/er.conf", "mode": 0o400}]}},
        {"name": "hidden", "secret": {"secretName": "hidden", "defaultMode": 0o440}},
        {"name": "about", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "hidden"}}, {
            "serviceAccountToken": {"path": "vault", "audience": "vault", "expirationSeconds": 600}}]}},
        {"name": "maybe", "configMap": {"name": "nope", "optional": True}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/mnt/{volume['name']}"} for volume in volumes]
    single = {"name": "settings", "mountPath": "/etc/app.conf", "subPath": "app.conf", "readOnly": True}
    second = container("second", volumeMounts=[{"name": "shared", "mountPath": "/other"}])
    space.create(config_map("settings", **{"app.conf": "line 1\nline 2\n"}), secret("hidden", password="geheim"))
    space.run(pod("p", container(volumeMounts=[*mounts, single]), second, volumes=volumes))

    space.sh("p", "echo from main >/mnt/shared/file")
    assert space.sh("p", "cat /other/file", container="second") == "from main"
    assert space.sh("p", "cat /mnt/settings/app.conf") == "line 1\nline 2"
    assert space.sh("p", "cat /mnt/chosen/deep/er.conf /etc/app.conf") == "line 1\nline 2\nline 1\nline 2"
    assert space.sh("p", "stat -Lc %a /mnt/chosen/deep/er.conf /mnt/hidden/password").split() == ["400", "440"]
    assert space.sh("p", "cat /mnt/hidden/password") == "geheim"
    assert space.sh("p", "cat /mnt/about/labels").splitlines()[0] == 'app="p"'      # the node's topology follows
    assert space.sh("p", "ls /mnt/all").split() == ["app.conf", "password", "vault"]
    claims = space.sh("p", "cut -d. -f2 /mnt/all/vault")
    assert b'"aud":["vault"]' in base64.urlsafe_b64decode(claims + "==")
    assert space.sh("p", "ls /mnt/maybe") == ""
    kinds = {line.split()[1]: line.split()[2] for line in space.sh("p", "mount | sed 's/ on / /;s/ type / /'").splitlines()}
    assert (kinds["/mnt/fast"], kinds["/mnt/hidden"]) == ("tmpfs", "tmpfs")
    with pytest.raises(CommandFailed, match="Read-only file system"):
        space.sh("p", "echo x >/mnt/settings/app.conf")


@pytest.mark.req("CFG-02")
def test_files_follow_their_config_map_and_labels(space: Space) -> None:
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "about", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/mnt/{volume['name']}"} for volume in volumes]
    space.create(config_map("settings", a="1", b="1"))
    space.run(pod("p", container(volumeMounts=mounts), volumes=volumes))

    space.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"a":"2","b":null,"c":"2"}}')
    space.kubectl("label", "pod", "p", "tier=web")      # without it the kubelet would look once in a minute

    eventually(lambda: space.sh("p", "cd /mnt/settings; grep . *").split() == ["a:2", "c:2"])
    eventually(lambda: 'tier="web"' in space.sh("p", "cat /mnt/about/labels"))
    assert space.state("p")["restartCount"] == 0


@pytest.mark.req("VOL-03", "VOL-04", "LIF-07")
def test_host_paths_are_of_their_node(space: Space, tmp_path: Path) -> None:
    def writer(name: str, node: str, path: Path, kind: str) -> Json:
        volume = {"name": "v", "hostPath": {"path": str(path), "type": kind}}
        return pod(name, container(volumeMounts=[{"name": "v", "mountPath": "/data"}]), volumes=[volume], nodeName=node)

    space.create(writer("a", "node2", tmp_path / "made", "DirectoryOrCreate"), writer("b", "node2", tmp_path / "nope", "Directory"))
    space.ready("a")

    space.sh("a", "echo kept >/data/file")

    message = space.event("b", "FailedMount")
    assert f"hostPath type check failed, {tmp_path / 'nope'} is not a directory" in message
    eventually(lambda: space.pod("b")["status"].get("containerStatuses"))
    assert space.waiting("b") == "ContainerCreating"
    assert (tmp_path / "made/file").read_text() == "kept\n"


@pytest.mark.req("POD-10", "DNS-08", "VOL-10")
def test_files_of_the_platform(space: Space) -> None:
    alias = {"ip": "192.0.2.7", "hostnames": ["db.example"]}
    space.run(pod("p", container(), container("second"), hostname="named", subdomain="sub", hostAliases=[alias]))

    hosts = space.sh("p", "cat /etc/hosts")
    mounts = {line.split()[2]: line.split()[4] for line in space.sh("p", "mount", container="main").splitlines()}

    address = space.pod("p")["status"]["podIP"]
    for name in ("main", "second"):
        assert space.sh("p", "cat /etc/resolv.conf", container=name).splitlines() == [
            f"search {space.namespace}.svc.cluster.local svc.cluster.local cluster.local", "nameserver 10.96.0.10", "options ndots:5",
        ]
        assert space.sh("p", "hostname", container=name) == "named"
    assert f"{address}\tnamed.sub.{space.namespace}.svc.cluster.local\tnamed" in hosts
    assert "192.0.2.7\tdb.example" in hosts
    kinds = {"/": "overlay", "/dev": "tmpfs", "/dev/shm": "tmpfs", "/run/secrets/kubernetes.io/serviceaccount": "tmpfs"}
    assert kinds.items() <= mounts.items()
    assert {"/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/dev/termination-log", "/proc/acpi", "/sys/firmware"} <= mounts.keys()
    assert space.sh("p", "ls /dev/shm; df -m /dev/shm | tail -1").split()[1] == "64"


@pytest.mark.req("POD-01", "POD-02", "POD-09")
def test_containers_of_a_pod_share_one_network(space: Space) -> None:
    space.run(pod("p", server("a", "hello", port=7000), container("b")))

    addresses = {space.sh("p", "ip -4 -o addr show eth0", container=name) for name in ("a", "b")}
    answer = eventually(lambda: space.sh("p", "wget -qO- http://127.0.0.1:7000", container="b"))
    sockets = space.sh("p", "netstat -tln", container="b")

    assert len(addresses) == 1
    assert space.pod("p")["status"]["podIP"] in addresses.pop()
    assert answer == "hello"
    assert ":7000" in sockets


@pytest.mark.req("POD-05", "LIF-14")
def test_limits_are_cgroups(space: Space) -> None:
    limits = {"cpu": "100m", "memory": "100Mi"}
    space.run(pod("p", container(resources={"limits": limits}), container("second", resources={"requests": {"cpu": "50m"}})))

    uid = space.pod("p")["metadata"]["uid"]

    def setting(cgroup: str, *names: str) -> str:
        """From this machine's cgroup tree, version 1 or 2."""
        for _ in range(50):
            with suppress(FileNotFoundError):            # of another Pod, which went while the tree was read
                own = [root / "kubonsai" / space.cluster.name for root in hierarchies()]
                found = [path for root in own for name in names for path in root.glob(f"**/pod{uid}/{cgroup}{name}")]
                return found[0].read_text().split()[0]
        raise AssertionError(f"the tree of control groups does not hold still for {names}")

    assert setting("main-*/", "memory.max", "memory.limit_in_bytes") == str(100 * 2**20)
    assert setting("main-*/", "cpu.max", "cpu.cfs_quota_us") == "10000"
    assert int(setting("", "cpu.weight", "cpu.shares")) > int(setting("second-*/", "cpu.weight", "cpu.shares"))
    assert space.pod("p")["status"]["qosClass"] == "Burstable"
    times = {item["type"]: item["lastTransitionTime"] for item in space.pod("p")["status"]["conditions"] if item["status"] == "True"}
    assert times["PodScheduled"] <= times["Initialized"] <= times["ContainersReady"] <= times["Ready"]


def test_who_the_process_is(space: Space) -> None:
    context = {
        "runAsUser": 1000, "runAsGroup": 3000, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        "allowPrivilegeEscalation": False,
    }
    secured = container(securityContext=context, workingDir="/tmp")
    space.run(pod("p", secured, securityContext={"fsGroup": 2000, "supplementalGroups": [4000]}))
    space.create(pod("q", container(), securityContext={"runAsNonRoot": True}))

    assert space.sh("p", "id -u; id -g; id -G; pwd").split("\n")[:2] == ["1000", "3000"]
    assert {"2000", "4000"} <= set(space.sh("p", "id -G").split())
    assert space.sh("p", "pwd") == "/tmp"
    assert "CapEff:\t0000000000000000" in space.sh("p", "cat /proc/self/status")
    assert "NoNewPrivs:\t1" in space.sh("p", "cat /proc/self/status")
    with pytest.raises(CommandFailed, match="Read-only file system"):
        space.exec("p", "touch", "/file")
    eventually(lambda: space.waiting("q") == "CreateContainerConfigError")
    assert "container has runAsNonRoot and image will run as root" in space.state("q")["state"]["waiting"]["message"]
