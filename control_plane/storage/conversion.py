"""Between the version an object is stored in and those it is served in.

Most kinds look alike in every version served, and only `apiVersion` differs. Those that do not have a pair of functions here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource, ResourceType

Converter = Callable[[JsonObject], JsonObject]


def convert(resource: ResourceType, obj: JsonObject, api_version: str) -> JsonObject:
    """`obj` in `api_version`; a new outer dict unless it already is in that version. Never changes `obj`."""
    held = obj.get("apiVersion", "")
    if held == api_version:
        return obj
    converter = CONVERTERS.get((resource.storage_identity, held, api_version))
    converted = converter(obj) if converter else dict(obj)
    converted["apiVersion"] = api_version
    return converted


CONVERTERS: Final[dict[tuple[GroupResource, str, str], Converter]] = {}
