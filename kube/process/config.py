"""Configuration of a process: one frozen Struct, read from a file, checked whole, wrong keys named.

A component derives its config from `Config`:

    class SchedulerConfig(Config):
        apiserver: ApiserverAccess
        health_port: int = 10259       # kube-scheduler's --secure-port
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
import yaml


class ConfigError(Exception):
    """A configuration that cannot be used; the message says which file, key and value."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every process's configuration. Keys are written in snake_case, as in the code."""


class TlsFiles(Config):
    """Paths of PEM files: who we are, and whom we trust."""

    cert_file: str
    key_file: str
    ca_file: str


class ApiserverAccess(Config):
    """How a component reaches the apiserver: by gRPC with its client certificate."""

    targets: tuple[str, ...]     # "172.30.0.11:6444"; several for several apiservers
    tls: TlsFiles


C = TypeVar("C", bound=Config)


def load_config(kind: type[C], path: str | Path) -> C:
    """Reads YAML or JSON. Raises ConfigError naming the file and, for YAML, the key's line."""
    path = Path(path)
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        return msgspec.convert(yaml.safe_load(text) or {}, kind)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error


def write_config(config: Config, path: str | Path) -> None:
    path = Path(path)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2))
    path.chmod(0o600)
