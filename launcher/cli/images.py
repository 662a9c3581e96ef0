"""load, images: the store that all nodes of this machine share. No cluster has to run, or to be there at all.

A cluster of containers has a store of its own, and one of its nodes has to run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from kube.process.config import ConfigError
from launcher.cli.clusters import guarded
from launcher.cli.output import human_bytes, table
from launcher.cli.providers import of_containers
from launcher.cluster.errors import LauncherError
from launcher.cluster.layout import IMAGES
from launcher.cluster.namespaces_provider import settle_environment

Subparsers = Any
NONE = "<none>"


def add_commands(commands: Subparsers) -> None:
    load = commands.add_parser("load", help="put images from archives into the store", description=load_command.__doc__)
    load.add_argument("paths", nargs="+", metavar="PATH", help="docker-archive or OCI archive, a directory (OCI layout), or - (stdin)")
    load.add_argument("--platform", help="of an image for several (default: this machine's): linux/arm64")
    load.add_argument("--as", dest="image", metavar="NAME[:TAG]", help="what to call the only image, instead of what the archive says")
    load.add_argument("--name", help="the cluster; those of namespaces have one store, of which the name says nothing")
    load.set_defaults(run=guarded(load_command))

    images = commands.add_parser("images", help="what is in the image store", description=images_command.__doc__)
    images.add_argument("--name", help="the cluster; those of namespaces have one store, of which the name says nothing")
    images.set_defaults(run=guarded(images_command))


def load_command(options: argparse.Namespace) -> int:
    """Unpacks images into the store; Pods on every node of this machine, of every cluster, can run them at once."""
    from node_agent.runtime.image_load import load_images
    from node_agent.runtime.model import RuntimeServiceError
    from node_agent.runtime.platforms import Platform
    from node_agent.runtime.references import parse_reference

    containers = of_containers(options.name)
    if containers is None and os.geteuid() != 0:
        raise ConfigError("load unpacks files with their owners and modes: run it as root (sudo ./kubonsai load ...)")
    missing = [path for path in options.paths if path != "-" and not Path(path).exists()]
    if missing:
        raise ConfigError(f"there is no file or directory {', '.join(missing)}")
    if options.image and len(options.paths) > 1:
        raise ConfigError("--as names one image: give one PATH")
    try:
        platform = Platform.parse(options.platform) if options.platform else None
        if options.image:
            parse_reference(options.image)
    except (ValueError, RuntimeServiceError) as error:
        raise ConfigError(str(error)) from error
    if containers is not None:
        from launcher.compose.provider_images import load

        flags = [f"{flag}={value}" for flag, value in (("--platform", options.platform), ("--as", options.image)) if value]
        return load(containers, options.paths, *flags)
    settle_environment()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for path in options.paths:
            source = sys.stdin.buffer if path == "-" else Path(path)
            for image in load_images(source, IMAGES, platform=platform, name=options.image or ""):
                print(f"loaded {', '.join(image.tags) or 'an image without a name'}  {image.digest or image.id}  {human_bytes(image.size)}")
    except RuntimeServiceError as error:
        raise LauncherError(f"could not load {error}") from error
    except KeyboardInterrupt:
        print("kubonsai: interrupted; nothing of the last archive is in the store", file=sys.stderr)
        return 130
    return 0


def images_command(options: argparse.Namespace) -> int:
    """Lists what was loaded or pulled, and the built-in images that were made so far, as all nodes of this machine see them."""
    from node_agent.runtime.builtin import BuiltinImages
    from node_agent.runtime.image_catalog import ImageCatalog
    from node_agent.runtime.image_pulls import PullRecords
    from node_agent.runtime.model import RuntimeServiceError

    if (containers := of_containers(options.name)) is not None:
        from launcher.compose.provider_images import images

        return images(containers)
    try:
        loaded, pulled = ImageCatalog(IMAGES).list(), PullRecords(IMAGES).read()
    except RuntimeServiceError as error:
        raise LauncherError(str(error)) from error
    rows: list[tuple[str, ...]] = [("IMAGE", "DIGEST", "SIZE", "FROM")]
    for image in loaded:
        origin = "pulled" if image.id in pulled else "loaded"
        rows += [(name, image.digest or image.id, human_bytes(image.size), origin) for name in image.tags or (_untagged(image.name),)]
    rows += [(image.tags[0], image.digest, human_bytes(image.size), "built in") for image in BuiltinImages(IMAGES).made()]
    print(table([rows[0], *sorted(rows[1:])]))
    return 0


def _untagged(name: str) -> str:
    """Its tag stands for a newer one now; it can still be had by digest."""
    return f"{name}:{NONE}" if name else NONE


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
