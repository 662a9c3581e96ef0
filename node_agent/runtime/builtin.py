"""Images that need no registry: made once, on the spot, from what the machine has installed.

    docker.io/library/busybox   the static busybox, an applet link per name, the few files of /etc
    docker.io/library/python    busybox, and the interpreter that runs this, its standard library and shared libraries
    docker.io/kubonsai/NAME     python, and this project: runs addons/NAME/app.py

A layer's directory carries a fingerprint of what it is made from; when that changes, the next kubelet makes a new one beside the old.
Layers appear complete or not at all: they are built beside their place and renamed, under a lock that all kubelets of the machine share.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from node_agent.runtime import builtin_layers
from node_agent.runtime.builtin_layers import LayerRecipe
from node_agent.runtime.image_catalog import locked
from node_agent.runtime.model import Image, ImageConfig, RuntimeServiceError

BUSYBOX, PYTHON, ADDON_PREFIX = "docker.io/library/busybox", "docker.io/library/python", "docker.io/kubonsai/"
BUSYBOX_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

FOLDER = "builtin"       # what was made: an Image per file

BUSYBOX_CONFIG = ImageConfig(env=(f"PATH={BUSYBOX_PATH}",), cmd=("sh",))
PYTHON_CONFIG = ImageConfig(env=(f"PATH={BUSYBOX_PATH}", "LANG=C.UTF-8"), cmd=("python3",))


class BuiltinImages:
    def __init__(self, images_dir: Path) -> None:
        self._images_dir = images_dir
        self._layers_dir = images_dir / "layers"

    def made(self) -> list[Image]:
        """What any node of the machine has made so far."""
        return [msgspec.json.decode(file.read_bytes(), type=Image) for file in sorted((self._images_dir / FOLDER).glob("*.json"))]

    def knows(self, name: str) -> bool:
        if name.startswith(ADDON_PREFIX):
            return builtin_layers.addon_module(name.removeprefix(ADDON_PREFIX)) is not None
        return name in (BUSYBOX, PYTHON)

    def ensure(self, name: str) -> Image:
        """Makes what is missing; may take a second the first time. Raises RuntimeServiceError naming what the machine lacks."""
        try:
            recipes, config = self._plan(name)
            self._images_dir.mkdir(parents=True, exist_ok=True)
            self._layers_dir.mkdir(mode=0o700, exist_ok=True)
            layers = tuple(str(self._layer(recipe)) for recipe in recipes)
        except OSError as error:
            raise RuntimeServiceError(f"cannot make built-in image {name}: {error}") from error
        identity = msgspec.json.encode([[Path(layer).name for layer in layers], config])
        digest = "sha256:" + hashlib.sha256(identity).hexdigest()
        image = Image(
            id=digest, digest=digest, name=name, layers=layers, config=config, builtin=True, tags=(f"{name}:latest",),
            digests=(f"{name}@{digest}",), size=sum(int(Path(layer + ".size").read_text()) for layer in layers),
        )
        self._remember(image)
        return image

    def _plan(self, name: str) -> tuple[list[LayerRecipe], ImageConfig]:
        """Layers, topmost first, and the configuration."""
        if name == BUSYBOX:
            return [builtin_layers.busybox()], BUSYBOX_CONFIG
        base = [builtin_layers.python(), builtin_layers.busybox()]
        if name == PYTHON:
            return base, PYTHON_CONFIG
        module = builtin_layers.addon_module(name.removeprefix(ADDON_PREFIX))
        search_path = f"PYTHONPATH={builtin_layers.PROJECT_ROOT}:{builtin_layers.PACKAGES_ROOT}"
        config = msgspec.structs.replace(
            PYTHON_CONFIG,
            env=(*PYTHON_CONFIG.env, search_path, "PYTHONDONTWRITEBYTECODE=1"),
            entrypoint=("/usr/local/bin/python3", "-m", str(module)), cmd=(), working_dir=builtin_layers.PROJECT_ROOT,
        )
        return [builtin_layers.project(), builtin_layers.site_packages(), *base], config

    def _layer(self, recipe: LayerRecipe) -> Path:
        final = self._layers_dir / f"{recipe.name}-{recipe.fingerprint}"
        if final.exists():
            return final
        with locked(self._images_dir):
            if not final.exists():
                self._build(recipe.build, final)
        return final

    def _build(self, build: Callable[[Path], None], final: Path) -> None:
        temporary = final.with_name(f".{final.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o755)
        try:
            build(temporary)
            Path(f"{final}.size").write_text(str(_tree_size(temporary)))
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def _remember(self, image: Image) -> None:
        directory = self._images_dir / FOLDER
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{os.getpid()}.{quote(image.name, safe='')}"
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(image)))
        temporary.rename(directory / (quote(image.name, safe="") + ".json"))


def _tree_size(top: Path) -> int:
    return sum(os.lstat(Path(directory, name)).st_size for directory, _, names in os.walk(top) for name in names)
