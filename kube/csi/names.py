"""Names that both planes agree on without importing a message: of the cluster's own driver, and those that Kubernetes gives CSI volumes."""

from __future__ import annotations

import hashlib
from typing import Final

DRIVER: Final = "block.csi.kubonsai.io"
ZONE: Final = "topology.kubernetes.io/zone"
TYPE, DISK, SHARED_FOLDER = "type", "disk", "shared-folder"     # the driver's parameter of a StorageClass, and its values


def attachment_name(handle: str, driver: str, node: str) -> str:
    """Of the VolumeAttachment; upstream's getAttachmentName."""
    return "csi-" + hashlib.sha256(f"{handle}{driver}{node}".encode()).hexdigest()


def unique_name(driver: str, handle: str) -> str:
    """Of a volume in a Node's status: volumesAttached, volumesInUse."""
    return f"kubernetes.io/csi/{driver}^{handle}"
