"""Questions about one VolumeAttachment. Pure."""

from __future__ import annotations

from kube.api.storage_v1 import VolumeAttachment


def volume_name(attachment: VolumeAttachment) -> str:
    """Of the PersistentVolume; "" for one that is described in the attachment itself."""
    return attachment.spec.source.persistent_volume_name if attachment.spec.source is not None else ""
