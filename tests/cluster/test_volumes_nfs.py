"""nfs volumes, from the kernel's own server, which has an address on the nodes' network for the time."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import Cluster, CommandFailed, run
from tests.support.space import Space, container, pod

SERVER = "172.30.0.200"


def serves_nfs() -> bool:
    return shutil.which("exportfs") is not None and "\tnfsd\n" in Path("/proc/filesystems").read_text()


pytestmark = pytest.mark.skipif(not serves_nfs(), reason="no NFS server runs here (Debian: nfs-kernel-server, a kernel with nfsd)")


@pytest.fixture
def exported(kubonsai_cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A folder that the machine serves to the nodes."""
    folder = tmp_path / "exported"
    folder.mkdir()
    folder.chmod(0o777)
    fabric, link = f"{kubonsai_cluster.name}-fabric", f"nfs{secrets.token_hex(3)}"
    run(["ip", "link", "add", link, "type", "veth", "peer", "name", link, "netns", fabric])
    try:
        run(["ip", "-n", fabric, "link", "set", "dev", link, "master", "fabric0", "up"])
        run(["ip", "address", "add", f"{SERVER}/24", "dev", link])
        run(["ip", "link", "set", "dev", link, "up"])
        run(["exportfs", "-o", "rw,insecure,no_root_squash,no_subtree_check,fsid=17", f"172.30.0.0/24:{folder}"])
        try:
            yield folder
        finally:
            run(["exportfs", "-u", f"172.30.0.0/24:{folder}"])
    finally:
        run(["ip", "link", "delete", "dev", link])


@pytest.mark.req("VOL-06")
def test_pods_of_several_nodes_share_an_nfs_volume(space: Space, exported: Path) -> None:
    served = {"server": SERVER, "path": str(exported)}
    volume = f"nfs-{secrets.token_hex(3)}"
    space.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": volume, "nfs": served,
            "mountOptions": ["nfsvers=4.2"]}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"}, "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": volume, "resources": {"requests": {"storage": "1Gi"}}}},
    )
    mounted = container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
    try:
        space.run(
            pod("writer", mounted, nodeName="node2", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "shared"}}]),
            pod("reader", mounted, nodeName="node3", volumes=[{"name": "v", "nfs": {**served, "readOnly": True}}]),
        )

        space.sh("writer", "echo hello > /v/file")

        assert (exported / "file").read_text() == "hello\n"
        assert space.sh("reader", "cat /v/file") == "hello"
        with pytest.raises(CommandFailed, match="Read-only file system"):
            space.sh("reader", "touch /v/other")
    finally:
        space.kubectl("delete", "pod", "writer", "reader", "--ignore-not-found", "--grace-period=0", "--force")
        space.kubectl("delete", "pvc/shared", f"pv/{volume}", "--wait=false")
