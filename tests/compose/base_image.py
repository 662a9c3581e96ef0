"""The image that a Dockerfile starts FROM, made on this machine where no registry can be asked: Debian by debootstrap.

It holds what the public image holds and the build depends on, and the machine's own way to the outside: its mirror, its extra
certificate authorities, its settings for pip. Kept as an archive, for a week, per all that it was made of.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from launcher.testing.cluster import run
from tests.compose.room import Room

CACHE: Final = Path("/var/cache/kubonsai")
CACHE_S: Final = 7 * 24 * 3600.0
AUTHORITIES: Final = Path("/usr/local/share/ca-certificates")
BUNDLE: Final = "/etc/ssl/certs/ca-certificates.crt"
MIRROR: Final = "http://deb.debian.org/debian"

# As the public slim images have them: packages come without documentation and start no daemon.
SLIM: Final = {
    "etc/dpkg/dpkg.cfg.d/docker": """force-unsafe-io
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
""",
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}
EMPTIED: Final = (
    "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists", "var/log", "tmp",
)
PIP_SETTINGS: Final = ("INDEX_URL", "EXTRA_INDEX_URL", "TRUSTED_HOST", "DEFAULT_TIMEOUT", "RETRIES")


class BaseImageError(Exception):
    """No such image can be made here; the message names it."""


def base_names(dockerfile: str) -> list[str]:
    """The images that a Dockerfile's text starts FROM, without its own stages and `scratch`, in order, each once."""
    names: list[str] = []
    stages = {"scratch"}
    for line in dockerfile.splitlines():
        if match := re.match(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", line, re.IGNORECASE):
            name, stage = match.groups()
            if name not in stages and name not in names:
                names.append(name)
            stages.add(stage)
    return names


def suite_of(name: str) -> str:
    """`debian:bookworm-slim` -> bookworm. Raises BaseImageError for an image that debootstrap does not make."""
    if match := re.fullmatch(r"(?:docker\.io/)?(?:library/)?debian:([a-z]+)(?:-slim)?", name):
        return match[1]
    raise BaseImageError(f"{name}: only debian:SUITE and debian:SUITE-slim can be made without a registry")


def apt_sources(index_targets: str, suite: str) -> list[str]:
    """Lines of a sources.list for `suite`: the machine's mirrors of it, updates and security included, else the public one.

    `index_targets`: lines "URI RELEASE COMPONENT", as apt-get indextargets prints them.
    """
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    lines: dict[str, None] = {}
    for target in index_targets.splitlines():
        uri, release, component = target.split()
        if release in wanted and component == "main":
            lines[f"deb {uri.rstrip('/')} {release} main"] = None
    found = sorted(lines, key=lambda line: wanted.index(line.split()[2]))
    return found if any(line.split()[2] == suite for line in found) else [f"deb {MIRROR} {suite} main", *found]


def pip_conf(environment: Mapping[str, str], *, own_authorities: bool) -> str:
    """pip's settings for the way to its index, as a configuration file; empty where the machine has none."""
    settings = {name: environment[f"PIP_{name}"] for name in PIP_SETTINGS if environment.get(f"PIP_{name}")}
    if own_authorities:
        settings["CERT"] = BUNDLE
    lines = [f"{name.lower().replace('_', '-')} = {value}" for name, value in settings.items()]
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def base_archive(room: Room, name: str, *, fresh: bool = False) -> Path:
    """A tar archive of the image's files; from an earlier run unless `fresh`. Takes half a minute. Raises BaseImageError."""
    suite = suite_of(name)
    sources = apt_sources(_index_targets(), suite)
    authorities = sorted(AUTHORITIES.rglob("*.crt"))
    pip = pip_conf(os.environ, own_authorities=bool(authorities))
    parts = [suite, sources, [path.read_text() for path in authorities], pip, SLIM, EMPTIED]
    archive = CACHE / f"base-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}.tar"
    if not fresh and archive.exists() and time.time() - archive.stat().st_mtime < CACHE_S:
        return archive
    tree = room.folder / "base"
    _bootstrap(room, tree, suite, sources, authorities)
    for path, text in {**SLIM, "etc/apt/sources.list": "\n".join([*sources, ""]), "etc/pip.conf": pip}.items():
        if text:
            (tree / path).write_text(text)
    (tree / "usr/sbin/policy-rc.d").chmod(0o755)
    _trim(tree)
    made = room.folder / "base.tar"
    run(["tar", "--create", "--numeric-owner", "--directory", str(tree), "--file", str(made), "."], timeout_s=120)
    shutil.rmtree(tree)
    _keep(made, archive)
    return archive


def _index_targets() -> str:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _bootstrap(room: Room, tree: Path, suite: str, sources: Sequence[str], authorities: Sequence[Path]) -> None:
    """In the room, but for its network: what debootstrap mounts, and an interrupted one leaves, is gone with the room."""
    mirror = sources[0].split()[1]
    wants_authorities = authorities or any(" https:" in line for line in sources)
    include = ["--include=ca-certificates"] if wants_authorities else []
    command = ["debootstrap", "--variant=minbase", *include, suite, str(tree), mirror]
    run(room.command(*command, host_network=True), timeout_s=900)
    if authorities:
        for path in authorities:
            target = tree / "usr/local/share/ca-certificates" / path.relative_to(AUTHORITIES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        run(room.command("chroot", str(tree), "update-ca-certificates"))


def _trim(tree: Path) -> None:
    for folder in EMPTIED:
        for path in (tree / folder).iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in ("partial", "auxfiles"):
        (tree / "var/lib/apt/lists" / name).mkdir()
    for name in ("etc/hostname", "etc/resolv.conf"):         # of this machine
        (tree / name).unlink(missing_ok=True)


def _keep(made: Path, archive: Path) -> None:
    """pip's settings may hold a password: for root's eyes. Archives of other makings go."""
    archive.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    half = archive.with_suffix(f".{os.getpid()}")
    os.close(os.open(half, os.O_CREAT | os.O_WRONLY, 0o600))
    shutil.copyfile(made, half)
    half.rename(archive)
    made.unlink()
    for other in archive.parent.glob("base-*"):
        if other != archive and time.time() - other.stat().st_mtime > CACHE_S:
            other.unlink(missing_ok=True)
