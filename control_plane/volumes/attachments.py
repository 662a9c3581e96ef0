"""VolumeAttachments: their names, who is attached where."""

from __future__ import annotations

import hashlib

from kube.api.core_v1 import PersistentVolume


def attachment_name(handle: str, driver: str, node: str) -> str:
    """As kubelet and controllers of any cluster work it out."""
    return "csi-" + hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()


def unique_name(volume: PersistentVolume) -> str:
    """Of a CSI volume in a Node's status: volumesAttached, volumesInUse."""
    assert volume.spec.csi is not None
    return f"kubernetes.io/csi/{volume.spec.csi.driver}^{volume.spec.csi.volume_handle}"
