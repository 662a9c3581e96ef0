"""The layers of the built-in images: what each is made from, and how."""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from node_agent.runtime.layers import copy_readable, link_or_copy, link_tree

RECIPE_VERSION = 3                       # part of every fingerprint: raise it when a recipe changes
PROJECT_ROOT = "/opt/kubonsai"           # where the project lies inside an addon's image
PACKAGES_ROOT = "/opt/site-packages"     # and what it imports; no folder of the interpreter's, since Debian's looks elsewhere than others
REPOSITORY = Path(__file__).resolve().parents[2]

# What the addons import; what those need in turn is found by their metadata.
ADDON_DISTRIBUTIONS = ("aiohttp", "cryptography", "dnslib", "grpcio", "msgspec", "prometheus-client", "protobuf", "pyyaml", "uvloop")
ADDON_PACKAGES = ("kube", "addons")
UNNEEDED = frozenset({
    "test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3", "pydoc_data", "site-packages",
    "dist-packages",
})
VERSION_DIR = f"python{sys.version_info.major}.{sys.version_info.minor}"

ACCOUNTS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
utmp:x:43:
www-data:x:33:
users:x:100:
nogroup:x:65534:
"""


class LayerRecipe(NamedTuple):
    name: str
    fingerprint: str
    build: Callable[[Path], None]


def busybox() -> LayerRecipe:
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox is not installed (apt-get install busybox-static)")
    path = Path(program).resolve()
    return LayerRecipe("busybox", _fingerprint([_stamp(path)]), lambda target: _build_busybox(path, target))


def python() -> LayerRecipe:
    stdlib = Path(sysconfig.get_path("stdlib"))
    made_from = [sys.version, sys.base_prefix, _stamp(_interpreter()), _stamp(stdlib / "os.py")]
    return LayerRecipe("python", _fingerprint(made_from), lambda target: _build_python(stdlib, target))


def site_packages() -> LayerRecipe:
    found = _distributions(ADDON_DISTRIBUTIONS)
    versions = [f"{name}=={found[name].version}" for name in sorted(found)]
    return LayerRecipe("site-packages", _fingerprint([sys.version, *versions]), lambda target: _build_site_packages(found.values(), target))


def project() -> LayerRecipe:
    sources = sorted(path for package in ADDON_PACKAGES for path in (REPOSITORY / package).rglob("*") if _is_source(path))
    stamps = [f"{path.relative_to(REPOSITORY)} {_stamp(path)}" for path in sources]
    return LayerRecipe("project", _fingerprint([sys.version, *stamps]), lambda target: _build_project(sources, target))


def addon_module(name: str) -> str | None:
    """The module that an addon's image runs, or None if there is no such addon: "ingress-nginx" -> addons.ingress_nginx.app."""
    package = name.replace("-", "_")
    if package.isidentifier() and (REPOSITORY / "addons" / package / "app.py").exists():
        return f"addons.{package}.app"
    return None


def _build_busybox(program: Path, target: Path) -> None:
    for directory in ("bin", "etc", "usr/bin", "var/spool/mail", "var/www", "home", "root", "tmp", "proc", "sys", "dev", "run"):
        (target / directory).mkdir(parents=True, exist_ok=True)
    (target / "tmp").chmod(0o1777)
    (target / "root").chmod(0o700)
    (target / "var/run").symlink_to("/run")
    link_or_copy(program, target / "bin/busybox")
    applets = subprocess.run([str(program), "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (target / "bin" / applet).symlink_to("busybox")
    (target / "usr/bin/env").symlink_to("/bin/busybox")
    (target / "etc/passwd").write_text(ACCOUNTS)
    (target / "etc/group").write_text(GROUP)
    (target / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _build_python(stdlib: Path, target: Path) -> None:
    prefix = target / "usr/local"
    link_or_copy(_interpreter(), prefix / "bin" / VERSION_DIR)
    for alias in ("python", "python3"):
        (prefix / "bin" / alias).symlink_to(VERSION_DIR)
    config_dirs = frozenset(entry.name for entry in stdlib.glob("config-*"))
    link_tree(stdlib, prefix / "lib" / VERSION_DIR, skip=UNNEEDED | config_dirs)
    (prefix / "lib" / VERSION_DIR / "site-packages").mkdir(exist_ok=True)
    (target / "usr/lib").mkdir(exist_ok=True)
    (target / "usr/lib64").mkdir(exist_ok=True)
    (target / "lib").symlink_to("usr/lib")
    (target / "lib64").symlink_to("usr/lib64")
    extensions = [path for path in stdlib.rglob("*.so") if not UNNEEDED.intersection(path.relative_to(stdlib).parts)]
    _link_shared_libraries([_interpreter(), *extensions], target)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        link_or_copy(certificates, target / "etc/ssl/certs/ca-certificates.crt")
        (target / "etc/ssl/cert.pem").symlink_to("certs/ca-certificates.crt")


def _build_site_packages(distributions: Iterable[importlib.metadata.Distribution], target: Path) -> None:
    site = target / PACKAGES_ROOT.lstrip("/")
    extensions = []
    for distribution in distributions:
        for file in distribution.files or ():
            source = Path(str(file.locate()))
            if ".." in file.parts or not source.is_file():
                continue
            link_or_copy(source, site / file)
            if ".so" in source.name:
                extensions.append(source)
    _link_shared_libraries(extensions, target)


def _build_project(sources: Iterable[Path], target: Path) -> None:
    root = target / PROJECT_ROOT.lstrip("/")
    for source in sources:
        copy = root / source.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_readable(source, copy)
        cached = Path(importlib.util.cache_from_source(str(source))) if source.suffix == ".py" else None
        if cached is not None and cached.exists():
            (copy.parent / "__pycache__").mkdir(exist_ok=True)
            copy_readable(cached, copy.parent / "__pycache__" / cached.name)
    compileall.compile_dir(str(root), quiet=2)  # only what the copied caches do not cover


def _is_source(path: Path) -> bool:
    return path.suffix not in (".pyc", ".pyi") and "__pycache__" not in path.parts and path.is_file()


def _interpreter() -> Path:
    candidate = Path(sys.base_prefix, "bin", VERSION_DIR)
    return (candidate if candidate.exists() else Path(sys.executable)).resolve()


def _link_shared_libraries(programs: Iterable[Path], target: Path) -> None:
    """What the loader would find for these files, placed where the loader in the image looks by default."""
    output = subprocess.run(["ldd", *map(str, programs)], check=False, capture_output=True, text=True).stdout
    found = {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", output, re.MULTILINE)}
    for library in found:
        if library.parts[1] in ("lib", "lib64"):
            place = Path("usr", *library.parts[1:])
        elif library.parts[1:3] in (("usr", "lib"), ("usr", "lib64")):
            place = Path(*library.parts[1:])
        elif "site-packages" in library.parts:
            continue  # bundled with its distribution, found by its run path
        else:
            place = Path("usr/lib", library.name)
        link_or_copy(library, target / place)


def _distributions(names: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """These distributions and what they need in turn, as far as it is installed; extras are left out."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in found[name].requires or ():
            if "extra ==" not in requirement and (match := re.match(r"[A-Za-z0-9._-]+", requirement)):
                waiting.append(match.group())
    return found


def _stamp(path: Path) -> str:
    status = os.stat(path)
    return f"{status.st_size}:{status.st_mtime_ns}"


def _fingerprint(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join([str(RECIPE_VERSION), *parts]).encode()).hexdigest()[:16]
