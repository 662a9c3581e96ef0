"""The file behind --admission-control-config-file: apiserver.config.k8s.io/v1 AdmissionConfiguration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from control_plane.apiserver.admission.catalog import ADMISSION_CHAIN
from kube.apimachinery.meta import JsonObject
from kube.process.config import YAML_LOADER, ConfigError

_API_VERSIONS: Final = ("apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1")


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    path: str = ""
    configuration: dict[str, Any] | None = None


class _AdmissionConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    api_version: str
    kind: str
    plugins: tuple[_Entry, ...] = ()


def load_configuration(path: str) -> dict[str, JsonObject]:
    """Plugin -> its configuration, which stands in the file or in one that it names. Raises ConfigError."""
    if not path:
        return {}
    known = {row.name for row in ADMISSION_CHAIN}
    found: dict[str, JsonObject] = {}
    for entry in _entries(Path(path)):
        if entry.name not in known:
            raise ConfigError(f'{path}: plugin "{entry.name}" is unknown')
        if entry.configuration is not None:
            found.setdefault(entry.name, entry.configuration)
        elif entry.path:
            found.setdefault(entry.name, _read(Path(path).parent / entry.path))
    return found


def _entries(path: Path) -> tuple[_Entry, ...]:
    held = _read(path)
    if held.get("apiVersion") not in _API_VERSIONS or held.get("kind") != "AdmissionConfiguration":
        raise ConfigError(f"{path}: no kind AdmissionConfiguration of {_API_VERSIONS[0]}")
    try:
        return msgspec.convert(held, _AdmissionConfiguration).plugins
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read(path: Path) -> JsonObject:
    try:
        held: Any = yaml.load(path.read_text(), Loader=YAML_LOADER)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(held, dict):
        raise ConfigError(f"{path}: not an object")
    return held
