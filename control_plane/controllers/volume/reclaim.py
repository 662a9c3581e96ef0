"""What becomes of a released volume, by its reclaim policy. Pure but for the deletion of a host path below DELETABLE."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from control_plane.volumes import names
from kube.api.core_v1 import PersistentVolume

NO_RECYCLER = "No recycler plugin found for the volume!"
DELETABLE = "/tmp/"     # noqa: S108 - all that upstream's deleter of host paths (pkg/volume/hostpath) takes upon itself


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """Nothing set: the volume stays as it is (Retain, or its external provisioner's). `reason` and `message`: the event of a failure."""

    deleted: bool = False
    reason: str = ""
    message: str = ""


KEPT = Reclaimed()


def reclaim(volume: PersistentVolume) -> Reclaimed:
    """Blocks while it deletes a directory."""
    if names.MIGRATED_TO in volume.metadata.annotations:
        return KEPT
    match volume.spec.persistent_volume_reclaim_policy:
        case "Retain":
            return KEPT
        case "Delete":
            return _delete(volume)
        case "Recycle":
            return Reclaimed(reason="VolumeFailedRecycle", message=NO_RECYCLER)
        case _:
            return Reclaimed(reason="VolumeUnknownReclaimPolicy", message="Volume has unrecognized PersistentVolumeReclaimPolicy")


def _delete(volume: PersistentVolume) -> Reclaimed:
    provisioner = volume.metadata.annotations.get(names.PROVISIONED_BY, "")
    if volume.spec.csi is not None or (provisioner and not provisioner.startswith(names.IN_TREE_PREFIX)):
        return KEPT
    if volume.spec.host_path is not None:
        return _delete_host_path(volume.spec.host_path.path)
    name = volume.metadata.name
    return Reclaimed(
        reason="VolumeFailedDelete",
        message=f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched')


def _delete_host_path(path: str) -> Reclaimed:
    """Of the machine this runs on. Links are followed first: none leads out."""
    real = os.path.realpath(path)
    if not (path.startswith(DELETABLE) and real.startswith(DELETABLE)):
        return Reclaimed(reason="VolumeFailedDelete", message=f"host_path deleter only supports {DELETABLE}.+ but received provided {path}")
    try:
        if os.path.isdir(real) and not os.path.islink(path):
            shutil.rmtree(real)
        elif os.path.lexists(path):
            os.unlink(path)
    except OSError as error:
        return Reclaimed(reason="VolumeFailedDelete", message=str(error))
    return Reclaimed(deleted=True)
