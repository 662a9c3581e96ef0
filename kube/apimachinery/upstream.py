"""Where the schemas of the built-in kinds come from: the installed package kubernetes-validate, for one Kubernetes version."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec

KUBERNETES_VERSION = "v1.37.0"


def definitions_path(version: str = KUBERNETES_VERSION) -> Path:
    # The package is found, not imported: its own imports (jsonschema and more) cost 0.2 s that nothing here needs.
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package kubernetes-validate is not installed: pip install kubernetes-validate")
    return Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema" / f"{version}-local" / "_definitions.json"


def load_definitions(version: str = KUBERNETES_VERSION) -> dict[str, dict[str, Any]]:
    """Upstream's definitions by their full name, e.g. io.k8s.api.core.v1.Pod; 1.8 MB of JSON, some 15 ms."""
    document: dict[str, dict[str, dict[str, Any]]] = msgspec.json.decode(definitions_path(version).read_bytes())
    return document["$defs"]


class _Document(msgspec.Struct):
    definitions: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


def load_raw_definitions(version: str = KUBERNETES_VERSION) -> dict[str, msgspec.Raw]:
    """The same, each definition still undecoded JSON: 3 ms, and no memory but the file's own bytes."""
    return msgspec.json.decode(definitions_path(version).read_bytes(), type=_Document).definitions
