"""Where a compose cluster's kubeconfig is put: all that it leaves in the checkout. Light, since every command may have to look there."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".kubonsai"


def output_folder(name: str) -> Path:
    """KUBONSAI_OUTPUT, as with docker compose itself, or .kubonsai; for a cluster of another name its folder NAME below that."""
    chosen = os.environ.get("KUBONSAI_OUTPUT")
    folder = Path(chosen).absolute() if chosen else FOLDER
    return folder if name == "kubonsai" else folder / name
