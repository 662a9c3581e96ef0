"""The scale subresource of custom kinds: replicas and selector stand where the definition says. Follows apiextensions' ScaleREST."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.custom.kind import Version
from control_plane.apiserver.custom.paths import MISSING, WrongType, nested, put, simple_path
from kube.apimachinery.errors import BadRequest, InternalError
from kube.apimachinery.meta import JsonObject


def replicas_of(obj: JsonObject, version: Version) -> int | None:
    """None where the object says nothing of replicas. Raises InternalError for a value of another type."""
    found = _at(obj, _paths(version)["specReplicasPath"], int)
    return None if found is MISSING else int(found)


def required_replicas(obj: JsonObject, version: Version) -> int:
    if (replicas := replicas_of(obj, version)) is None:
        path = _paths(version)["specReplicasPath"]
        raise InternalError(f'Internal error occurred: the spec replicas field "{path}" does not exist')
    return replicas


def status_of(obj: JsonObject, version: Version) -> JsonObject:
    """The scale's status."""
    paths = _paths(version)
    replicas = _at(obj, paths["statusReplicasPath"], int)
    status: JsonObject = {"replicas": 0 if replicas is MISSING else replicas}
    if path := paths.get("labelSelectorPath"):
        selector = _at(obj, path, str)
        if selector is not MISSING and selector:
            status["selector"] = selector
    return status


def set_replicas(obj: JsonObject, version: Version, replicas: int | None) -> None:
    """In place. None: the scale that was sent says nothing of replicas, and neither did the object."""
    path = _paths(version)["specReplicasPath"]
    if replicas is None:
        raise BadRequest(f'the spec replicas field "{path}" cannot be empty')
    try:
        put(obj, simple_path(path), replicas)
    except WrongType as error:
        raise InternalError(f"Internal error occurred: {error}") from error


def _paths(version: Version) -> JsonObject:
    assert version.scale is not None      # else the row has no such subresource
    return version.scale


def _at(obj: JsonObject, path: str, kind: type) -> Any:
    try:
        return nested(obj, simple_path(path), kind)
    except WrongType as error:
        raise InternalError(f"Internal error occurred: {error}") from error
