"""Where a compose cluster's kubeconfig is put: all that it leaves in the checkout. Light, since every command may have to look there."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".kubonsai"


def output_folder(name: str) -> Path:
    """KUBONSAI_OUTPUT, as with docker compose itself, or .kubonsai and .kubonsai/NAME."""
    if chosen := os.environ.get("KUBONSAI_OUTPUT"):
        return Path(chosen).absolute()
    return FOLDER if name == "kubonsai" else FOLDER / name
