"""The kubectls of this machine: what they speak depends on their age (SPDY up to 1.30, WebSocket since)."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

ALSO = "KUBONSAI_TEST_KUBECTLS"         # further ones: paths, joined by colons


class Kubectl(NamedTuple):
    minor: int
    path: str

    def __str__(self) -> str:
        return f"kubectl 1.{self.minor}"


@functools.cache
def oldest_and_newest() -> tuple[Kubectl, ...]:
    """One, where there is only one. Beside a dispatcher lie the real ones, kubectl.1.27 and so on."""
    found = [path for path in os.environ.get(ALSO, "").split(":") if path]
    if own := shutil.which("kubectl"):
        siblings = sorted(str(path) for path in Path(own).resolve().parent.glob("kubectl.1.*"))
        found += siblings or [own]
    known = sorted({Kubectl(_minor(path), path) for path in found})
    return tuple(dict.fromkeys((known[0], known[-1]))) if known else ()


def _minor(path: str) -> int:
    version = subprocess.run([path, "version", "--client", "-o", "json"], capture_output=True, check=True).stdout
    return int(re.sub(r"\D.*", "", json.loads(version)["clientVersion"]["minor"]))
