"""Devices of the node in a container: a node in its /dev, and the right to use it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Any

from node_agent.runtime.model import Device


def add_devices(spec: dict[str, Any], devices: Sequence[Device]) -> None:
    """Into an OCI configuration. Raises ValueError for what is no block device, OSError for what is not there."""
    for device in devices:
        found = os.stat(device.source)
        if not stat.S_ISBLK(found.st_mode):
            raise ValueError(f"{device.source} is not a block device")
        number = {"type": "b", "major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}
        spec["linux"].setdefault("devices", []).append({"path": device.target, **number, "fileMode": 0o660, "uid": 0, "gid": found.st_gid})
        spec["linux"]["resources"]["devices"].append({"allow": True, **number, "access": "rwm"})
