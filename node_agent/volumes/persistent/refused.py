"""Kinds of storage that Kubernetes no longer has, or that this node has no client for: the words of the event."""

from __future__ import annotations

from typing import Final

from kube.api.core_v1 import PersistentVolumeSpec
from node_agent.volumes.plugin import VolumeError

# Served by CSI drivers only, since their code left Kubernetes.
MIGRATED: Final = {
    "aws_elastic_block_store": "ebs.csi.aws.com", "gce_persistent_disk": "pd.csi.storage.gke.io", "azure_disk": "disk.csi.azure.com",
    "azure_file": "file.csi.azure.com", "cinder": "cinder.csi.openstack.org", "vsphere_volume": "csi.vsphere.vmware.com",
    "portworx_volume": "pxd.portworx.com",
}
CLIENTS: Final = {"iscsi": "iscsiadm", "fc": "multipath"}


def not_registered(driver: str) -> VolumeError:
    return VolumeError(
        "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: "
        f"driver name {driver} not found in the list of registered CSI drivers")


def refuse(name: str, spec: PersistentVolumeSpec) -> VolumeError:
    """The error for a volume that no source of this node matches."""
    kind = next((field for field in (*MIGRATED, *CLIENTS) if getattr(spec, field) is not None), "")
    if kind in MIGRATED:
        return not_registered(MIGRATED[kind])
    if kind in CLIENTS:
        return VolumeError(f'{kind}: exec: "{CLIENTS[kind]}": executable file not found in $PATH')
    return VolumeError(f'failed to get Plugin from volumeSpec for volume "{name}" err=no volume plugin matched')
