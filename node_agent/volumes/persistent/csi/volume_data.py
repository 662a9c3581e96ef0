"""vol_data.json: beside each staged and each published volume, so that it can be taken down when nobody knows its Pod any more."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from node_agent.runtime.mounts import mounted_from

FILE = "vol_data.json"


class VolumeData(NamedTuple):
    driver: str
    handle: str
    name: str = ""               # of the PersistentVolume, or of the Pod's volume
    inline: bool = False


def save(directory: Path, data: VolumeData, **more: str) -> None:
    """The keys are upstream's."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    content = {
        "driverName": data.driver, "volumeHandle": data.handle, "specVolID": data.name,
        "volumeLifecycleMode": "Ephemeral" if data.inline else "Persistent", **more,
    }
    (directory / FILE).write_text(json.dumps(content))


def load(directory: Path) -> VolumeData | None:
    """None when there is none, or half of one."""
    try:
        content = json.loads((directory / FILE).read_text())
        return VolumeData(
            content["driverName"], content["volumeHandle"], content.get("specVolID", ""),
            content.get("volumeLifecycleMode") == "Ephemeral")
    except (OSError, ValueError, KeyError):
        return None


def remove(directory: Path, mount: str) -> None:
    """The volume is mounted at `mount` in there no more. Raises OSError if it is, whatever its driver said: its files would be deleted."""
    if mounted_from(directory / mount):
        raise OSError(errno.EBUSY, "still mounted", str(directory / mount))
    shutil.rmtree(directory, ignore_errors=True)


def staging_folder(root_dir: Path, driver: str, handle: str) -> Path:
    """Its `globalmount` is where a volume is staged for all Pods of the node."""
    return root_dir / "plugins" / "kubernetes.io" / "csi" / driver / hashlib.sha256(handle.encode()).hexdigest()


def staged(root_dir: Path) -> Iterator[VolumeData]:
    """What is, or may be, staged on this node."""
    for file in (root_dir / "plugins" / "kubernetes.io" / "csi").glob(f"*/*/{FILE}"):
        if (data := load(file.parent)) is not None:
            yield data


def published(pods_dir: Path, data: VolumeData) -> list[Path]:
    """The directories of Pods' volumes that are this one."""
    found = []
    for file in pods_dir.glob(f"*/volumes/kubernetes.io~csi/*/{FILE}"):
        held = load(file.parent)
        if held is not None and (held.driver, held.handle) == (data.driver, data.handle):
            found.append(file.parent)
    return found
