"""Kubeconfigs: one per component, and the user's own, into which a context is merged and from which it is taken again."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kube.process.config import YAML_LOADER, ConfigError, TlsFiles
from launcher.cluster.private_file import write_private

YAML_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def document(context: str, server: str, tls: TlsFiles, user: str) -> dict[str, Any]:
    """A kubeconfig with everything inside (no file references), its one context current."""

    def embedded(path: str) -> str:
        return base64.b64encode(Path(path).read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": context, "cluster": {"certificate-authority-data": embedded(tls.ca_file), "server": server}}],
        "users": [{"name": user, "user": {"client-certificate-data": embedded(tls.cert_file), "client-key-data": embedded(tls.key_file)}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        "current-context": context,
    }


def write(path: Path, config: dict[str, Any]) -> None:
    write_private(path, yaml.dump(config, Dumper=YAML_DUMPER, sort_keys=False).encode())


def user_file(environment: dict[str, str] | None = None) -> Path:
    """Where kubectl would write: the first file of KUBECONFIG, else ~/.kube/config."""
    environment = dict(os.environ) if environment is None else environment
    named = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(named[0]) if named else Path(environment.get("HOME") or Path.home()) / ".kube" / "config"


def merge(path: Path, addition: dict[str, Any]) -> None:
    """Puts the addition's entries into the file and makes its context current; every other entry stays as it is."""
    with _locked(path):
        config = _read(path) or {"apiVersion": "v1", "kind": "Config", "preferences": {}}
        for section in ("clusters", "users", "contexts"):
            new = addition[section]
            names = {entry["name"] for entry in new}
            config[section] = [entry for entry in config.get(section) or [] if entry.get("name") not in names] + new
        config["current-context"] = addition["current-context"]
        write(path, config)


def remove(path: Path, context: str, user: str) -> bool:
    """Takes a cluster's entries out again; True when there were any. A file that held nothing else is deleted."""
    if not path.exists():
        return False
    with _locked(path):
        config = _read(path)
        before = sum(len(config.get(section) or []) for section in ("clusters", "users", "contexts"))
        for section, name in (("clusters", context), ("contexts", context), ("users", user)):
            config[section] = [entry for entry in config.get(section) or [] if entry.get("name") != name]
        after = sum(len(config[section]) for section in ("clusters", "users", "contexts"))
        if config.get("current-context") == context:
            config["current-context"] = config["contexts"][0]["name"] if config["contexts"] else ""
        if after == before:
            return False
        if after == 0:
            path.unlink()
        else:
            write(path, config)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.load(path.read_text(), Loader=YAML_LOADER) if path.exists() else {}  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no valid kubeconfig, nothing was changed: {error}") from error
    if config is None:
        config = {}
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is no valid kubeconfig, nothing was changed: it holds no mapping")
    return config


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two `up`s at once must not lose each other's context: the folder is the lock, so that nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
