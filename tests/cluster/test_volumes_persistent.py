"""Claims and volumes as a person meets them: bound by hand, made on request, full, moved, in the wrong zone, in use, gone."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import Cluster, CommandFailed, eventually, run

DRIVER = "block.csi.kubonsai.io"
POD = {
    "terminationGracePeriodSeconds": 0,
    "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "3600"], "volumeMounts": [{"name": "d", "mountPath": "/data"}]}],
}


class Storage:
    """What a test asks of the cluster, in its own namespace; volumes and classes of its own are gone afterwards."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.folder = folder                  # of the machine: what hostPath and local volumes show
        self.tag = secrets.token_hex(3)       # of what has no namespace
        self.made: list[str] = []

    def apply(self, kind: str, name: str, api: str = "v1", **body: Any) -> None:
        metadata = {"name": name, **body.pop("metadata", {})}
        if kind in ("PersistentVolume", "StorageClass"):
            self.made.append(f"{kind}/{name}")
        else:
            metadata["namespace"] = self.namespace
        self.cluster.apply(json.dumps({"apiVersion": api, "kind": kind, "metadata": metadata, **body}))

    def volume(self, name: str, *, source: dict[str, Any] | None = None, **spec: Any) -> str:
        name = f"{name}-{self.tag}"
        body = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": f"slow-{self.tag}", **(source or {"hostPath": {"path": str(self.folder)}}), **spec}
        self.apply("PersistentVolume", name, spec=body)
        return name

    def claim(self, name: str, size: str = "32Mi", **spec: Any) -> None:
        body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
        self.apply("PersistentVolumeClaim", name, spec=body)

    def pod(self, name: str, claim: str = "", *, volume: dict[str, Any] | None = None, **spec: Any) -> None:
        source = volume or {"persistentVolumeClaim": {"claimName": claim}}
        self.apply("Pod", name, spec={**POD, "volumes": [{"name": "d", **source}], **spec})

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    def get(self, *arguments: str) -> Any:
        return self.cluster.get("-n", self.namespace, *arguments)

    def phase(self, kind: str, name: str) -> str:
        return str(self.get(kind, name)["status"].get("phase", ""))

    def runs(self, pod: str) -> dict[str, Any]:
        def ready() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get("pod", pod)
            conditions = {one["type"]: one["status"] for one in found["status"].get("conditions", ())}
            return found if conditions.get("Ready") == "True" else None

        return eventually(ready, within_s=180)

    def sh(self, pod: str, script: str) -> str:
        return self.kubectl("exec", pod, "--", "sh", "-c", script)

    def told(self, *words: str) -> bool:
        return any(all(word in event["message"] for word in words) for event in self.get("events"))

    def gone(self, kind: str, name: str) -> bool:
        return not self.kubectl("get", kind, name, "--ignore-not-found")


@pytest.fixture
def storage(kubonsai_cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Storage]:
    tmp_path.chmod(0o777)
    made = Storage(kubonsai_cluster, namespace, tmp_path)
    yield made
    made.kubectl("delete", "pods,pvc", "--all", "--wait=false", "--now")
    for name in made.made:
        kubonsai_cluster.kubectl("delete", name, "--wait=false", "--ignore-not-found")


@pytest.mark.req("PVC-01", "PVC-02")
def test_a_volume_made_by_hand(storage: Storage) -> None:
    name = storage.volume("pv")
    eventually(lambda: storage.phase("pv", name) == "Available")
    line = storage.kubectl("get", "persistentvolume", name, "--no-headers").split()
    assert line[1:5] == ["1Gi", "RWO", "Retain", "Available"]
    storage.claim("slow", "500Mi", storageClassName=f"slow-{storage.tag}")
    for pod in ("one", "two"):
        storage.pod(pod, "slow", nodeName="node2")
    storage.runs("one")
    storage.runs("two")
    assert (storage.phase("pv", name), storage.phase("pvc", "slow")) == ("Bound", "Bound")
    columns = storage.kubectl("get", "pvc", "slow", "--no-headers").split()
    assert columns[:4] == ["slow", "Bound", name, "1Gi"]
    storage.sh("one", "echo shared > /data/x")
    assert storage.sh("two", "cat /data/x") == "shared\n"
    assert (storage.folder / "x").read_text() == "shared\n"
    assert "ClaimName:  slow" in storage.kubectl("describe", "pod", "one")
    storage.claim("second", storageClassName="")
    eventually(lambda: storage.told("no persistent volumes available for this claim and no storage class is set"))
    assert storage.phase("pvc", "second") == "Pending"


@pytest.mark.req("PVC-03")
def test_a_local_volume_decides_where_its_pods_go(storage: Storage) -> None:
    local = {"local": {"path": str(storage.folder)}}
    with pytest.raises(CommandFailed, match="Required value: Local volume requires node affinity"):
        storage.volume("bare", source=local)
    wanted = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node3"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}}
    late = f"local-{storage.tag}"
    storage.apply(
        "StorageClass", late, "storage.k8s.io/v1", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer")
    storage.volume("local", source=local, nodeAffinity=affinity, storageClassName=late)
    storage.claim("here", storageClassName=late)
    eventually(lambda: storage.told("waiting for first consumer to be created before binding"))
    storage.pod("p", "here")
    assert storage.runs("p")["spec"]["nodeName"] == "node3"
    storage.sh("p", "echo x > /data/x")
    assert (storage.folder / "x").exists()
    storage.pod("elsewhere", "here", nodeSelector={"kubernetes.io/hostname": "node2"})
    eventually(lambda: storage.told("node(s) didn't match Pod's node affinity/selector", "didn't match PersistentVolume's node affinity"))


@pytest.mark.req("PVC-04", "PVC-05", "PVC-06", "PVC-07", "PVC-09", "PVC-11", "VOL-09")
def test_a_volume_made_on_request(storage: Storage) -> None:
    storage.claim("data")
    eventually(lambda: storage.told("waiting for first consumer to be created before binding"))
    storage.pod("p", "data", securityContext={"fsGroup": 2000})
    node = storage.runs("p")["spec"]["nodeName"]
    claim = storage.get("pvc", "data")
    name = claim["spec"]["volumeName"]
    assert (name, claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"]) == (f"pvc-{claim['metadata']['uid']}", node)
    zone = storage.get("node", node)["metadata"]["labels"]["topology.kubernetes.io/zone"]
    terms = storage.get("pv", name)["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]
    _it_is_a_disk_that_can_be_full(storage)
    _the_node_shows_it(storage, node, name)
    _its_driver_is_known(storage, node, name)

    storage.kubectl("delete", "pvc", "data", "--wait=false")
    assert storage.kubectl("get", "pvc", "data", "--no-headers").split()[1] == "Terminating"
    storage.kubectl("delete", "pod", "p")
    eventually(lambda: storage.gone("pvc", "data") and storage.gone("pv", name), within_s=180)
    images = Path("/var/lib/kubonsai/clusters", storage.cluster.name, "volumes")
    eventually(lambda: not (images / f"{name}.img").exists())


def _it_is_a_disk_that_can_be_full(storage: Storage) -> None:
    line = storage.sh("p", "df -hT /data").splitlines()[-1].split()
    assert line[1] == "ext4"
    assert line[-1] == "/data"
    assert 20 < float(line[2].rstrip("M")) <= 32
    assert "No space left on device" in storage.sh("p", "dd if=/dev/zero of=/data/big bs=1M count=64 2>&1; true")
    used = int(storage.sh("p", "df /data").splitlines()[-1].split()[4].rstrip("%"))
    assert used >= 98


def _the_node_shows_it(storage: Storage, node: str, name: str) -> None:
    """Where people look when the container does not start."""
    handle = hashlib.sha256(name.encode()).hexdigest()
    state = Path("/var/lib/kubonsai/clusters", storage.cluster.name, "nodes", node)
    place = state / "plugins/kubernetes.io/csi" / DRIVER / handle / "globalmount"
    enter = ("nsenter", f"--mount=/run/kubonsai/{storage.cluster.name}/{node}/mnt")
    assert str(place) in run([*enter, "df", str(place)])
    listed = run([*enter, "ls", "-lan", str(place)]).splitlines()
    assert next(line for line in listed if line.endswith(" big")).split()[3] == "2000"
    assert next(line for line in listed if line.endswith(" .")).split()[0] == "drwxrwsr-x"
    metrics = storage.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics")
    for what in ("capacity_bytes", "used_bytes"):
        found = [line for line in metrics.splitlines() if line.startswith(f"kubelet_volume_stats_{what}") and storage.namespace in line]
        assert len(found) == 1
        assert 'persistentvolumeclaim="data"' in found[0]


def _its_driver_is_known(storage: Storage, node: str, name: str) -> None:
    assert storage.get("csidriver", DRIVER)["spec"]["attachRequired"]
    assert DRIVER in [one["name"] for one in storage.get("csinode", node)["spec"]["drivers"]]
    attachment = next(
        one for one in storage.get("volumeattachments") if one["spec"]["source"].get("persistentVolumeName") == name)
    assert (attachment["spec"]["nodeName"], attachment["status"]["attached"]) == (node, True)
    logs = Path("/var/log/kubonsai", storage.cluster.name)
    calls = "".join(file.read_text() for file in logs.glob("*.log"))
    for call in ("CreateVolume name=", "ControllerPublishVolume volume=", "NodeStageVolume volume=", "NodePublishVolume volume="):
        assert f"csi-driver {call}{name}" in calls


@pytest.mark.req("PVC-10")
def test_a_claim_without_finalizers_goes_at_once(storage: Storage) -> None:
    storage.volume("pv")
    storage.claim("data", storageClassName=f"slow-{storage.tag}")
    storage.pod("p", "data")
    storage.runs("p")
    storage.kubectl("delete", "pvc", "data", "--wait=false")
    assert storage.kubectl("get", "pvc", "data", "--no-headers").split()[1] == "Terminating"
    storage.kubectl("patch", "pvc", "data", "--type", "merge", "-p", '{"metadata":{"finalizers":[]}}')
    assert storage.gone("pvc", "data")
    assert storage.phase("pod", "p") == "Running"


@pytest.mark.req("VOL-07", "PVC-07", "PVC-11", "PVC-12")
def test_a_volume_stays_in_its_zone_and_grows(storage: Storage) -> None:
    storage.claim("data", accessModes=["ReadWriteOncePod"])
    # With a second of grace the object goes after the Pod's volumes have gone; without, the next Pod may find them still mounted.
    storage.pod("p", "data", nodeSelector={"kubernetes.io/hostname": "node2"}, terminationGracePeriodSeconds=1)
    storage.runs("p")
    storage.sh("p", "echo kept > /data/x")
    storage.pod("second", "data")
    eventually(lambda: storage.told("PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"))
    storage.kubectl("delete", "pod", "second")
    storage.pod("second", "data", nodeName="node2")
    eventually(lambda: storage.told("volume uses the ReadWriteOncePod access mode and is already in use by another pod"))
    storage.kubectl("delete", "pod", "second")
    storage.kubectl("patch", "pvc", "data", "-p", '{"spec":{"resources":{"requests":{"storage":"96Mi"}}}}')
    eventually(lambda: storage.told("External resizer is resizing volume") and storage.told("Require file system resize of volume on node"))
    storage.kubectl("delete", "pod", "p")
    storage.pod("p", "data", nodeSelector={"kubernetes.io/hostname": "node3"})
    eventually(lambda: storage.told("1 node(s) didn't match PersistentVolume's node affinity, 1 node(s) didn't match Pod's node affinity"))
    storage.kubectl("delete", "pod", "p")
    storage.pod("p", "data")
    assert storage.runs("p")["spec"]["nodeName"] == "node2"
    assert storage.sh("p", "cat /data/x") == "kept\n"
    assert int(storage.sh("p", "df -m /data").splitlines()[-1].split()[1]) > 64
    eventually(lambda: storage.get("pvc", "data")["status"]["capacity"]["storage"] == "96Mi")


@pytest.mark.req("PVC-12", "PVC-13")
def test_a_volume_in_a_zone_that_nobody_reaches(storage: Storage) -> None:
    wanted = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["far-away"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}}
    name = storage.volume("far", nodeAffinity=affinity)
    (storage.folder / "kept").write_text("x")
    storage.claim("data", storageClassName=f"slow-{storage.tag}")
    eventually(lambda: storage.phase("pvc", "data") == "Bound")
    storage.pod("p", "data")
    eventually(lambda: storage.told("0/3 nodes are available", "2 node(s) didn't match PersistentVolume's node affinity"))
    described = storage.kubectl("describe", "pod", "p")
    assert next(line for line in described.splitlines() if line.startswith("Node:")).split()[1] == "<none>"
    storage.kubectl("delete", "pod", "p")
    storage.kubectl("delete", "pvc", "data")
    eventually(lambda: storage.phase("pv", name) == "Released")
    assert (storage.folder / "kept").exists()
    storage.claim("data", storageClassName="standard")
    storage.pod("p", "data")
    storage.runs("p")
    assert storage.get("pvc", "data")["spec"]["volumeName"] != name


@pytest.mark.req("VOL-07")
def test_a_raw_device(storage: Storage) -> None:
    storage.claim("data", "8Mi", volumeMode="Block")
    container = {"name": "c", "image": "busybox", "command": ["sleep", "3600"], "volumeDevices": [{"name": "d", "devicePath": "/dev/own"}]}
    storage.pod("p", "data", containers=[container])
    storage.runs("p")
    assert storage.sh("p", "stat -c %F /dev/own") == "block special file\n"
    storage.sh("p", "echo written > /dev/own")
    storage.kubectl("delete", "pod", "p")
    storage.pod("p", "data", containers=[container])
    storage.runs("p")
    assert storage.sh("p", "head -c 7 /dev/own") == "written"


@pytest.mark.req("VOL-06")
def test_a_folder_that_pods_on_two_nodes_share(storage: Storage) -> None:
    storage.claim("data", accessModes=["ReadWriteMany"], storageClassName="shared")
    for node in ("node2", "node3"):
        storage.pod(node, "data", nodeSelector={"kubernetes.io/hostname": node})
    storage.runs("node2")
    storage.runs("node3")
    storage.sh("node2", "echo shared > /data/x")
    assert storage.sh("node3", "cat /data/x") == "shared\n"
    storage.kubectl("delete", "pod", "node2", "node3")
    storage.pod("later", "data")
    storage.runs("later")
    assert storage.sh("later", "cat /data/x") == "shared\n"


@pytest.mark.req("VOL-06", "VOL-07", "PVC-08")
def test_what_kubernetes_no_longer_has_is_refused_by_name(storage: Storage) -> None:
    sources: dict[str, dict[str, Any]] = {
        "aws": {"awsElasticBlockStore": {"volumeID": "v", "fsType": "ext4"}},
        "ceph": {"cephfs": {"monitors": ["m"]}},
        "nfs": {"nfs": {"server": "127.0.0.1", "path": "/"}},
        "iscsi": {"iscsi": {"targetPortal": "127.0.0.1", "iqn": "iqn.2026-11.example:x", "lun": 0}},
    }
    for name, source in sources.items():
        storage.pod(name, volume=source)
    old = f"old-{storage.tag}"
    storage.apply("StorageClass", old, "storage.k8s.io/v1", provisioner="kubernetes.io/gce-pd")
    storage.claim("old", storageClassName=old)
    for words in (
        "driver name ebs.csi.aws.com not found in the list of registered CSI drivers", "no volume plugin matched",
        "mount failed:", '"iscsiadm": executable file not found in $PATH',
        "Waiting for a volume to be created either by the external provisioner 'pd.csi.storage.gke.io' or manually",
    ):
        eventually(lambda words=words: storage.told(words), within_s=180)  # type: ignore[misc]
    assert storage.phase("pvc", "old") == "Pending"


@pytest.mark.full
@pytest.mark.req("VOL-09")
def test_a_killed_kubelet_takes_its_volumes_down_all_the_same(storage: Storage) -> None:
    storage.claim("data")
    storage.pod("p", "data")
    node = storage.runs("p")["spec"]["nodeName"]
    name = storage.get("pvc", "data")["spec"]["volumeName"]
    before = storage.cluster.process("kubelet", node)["pid"]
    run(["kill", "-9", str(before)])
    eventually(lambda: storage.cluster.process("kubelet", node)["pid"] not in (0, before))
    storage.kubectl("delete", "pod", "p")
    storage.kubectl("delete", "pvc", "data")
    eventually(lambda: storage.gone("pv", name), within_s=180)
