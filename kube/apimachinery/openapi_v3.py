"""OpenAPI v3: an index of documents with their hashes, and a document per group and version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from kube.apimachinery.openapi import definition, info, needed_definitions, source_digest
from kube.apimachinery.openapi_custom import custom_definitions
from kube.apimachinery.openapi_paths import Operation, Parameter, Path, base_path, paths_of
from kube.apimachinery.resources import RESOURCES
from kube.apimachinery.scheme import GroupVersion, ResourceType

REFERENCE = "#/components/schemas/"

_encode = msgspec.json.Encoder().encode


def openapi_v3_hash(group_version: GroupVersion, rows: Iterable[ResourceType] = RESOURCES) -> str:
    """Names this version of the document; clients keep it for as long as the hash stays."""
    digest = hashlib.sha256(source_digest())
    for row in rows:
        if row.group_version == group_version:
            digest.update(repr(replace(row, custom=None)).encode())
            if row.custom is not None:
                digest.update(_encode([row.custom.raw_schema, row.custom.spec.get("selectableFields")]))
    return digest.hexdigest().upper()


def openapi_v3_index(rows: Iterable[ResourceType] = RESOURCES) -> bytes:
    """Answer to GET /openapi/v3."""
    rows = tuple(rows)
    paths = {}
    for group_version in dict.fromkeys(row.group_version for row in rows):
        name = base_path(group_version)
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={openapi_v3_hash(group_version, rows)}"}
    return _encode({"paths": paths})


def openapi_v3_document(group: str, version: str, rows: Iterable[ResourceType] = RESOURCES) -> bytes | None:
    """Answer to GET /openapi/v3/api/v1 or /openapi/v3/apis/GROUP/VERSION; None if nothing is served there."""
    group_version = GroupVersion(group, version)
    rows = [row for row in rows if row.group_version == group_version]
    if not rows:
        return None
    paths = paths_of(group_version, rows)
    # One definition at a time is parsed and written: the whole document as Python objects would be ten times its size.
    custom = custom_definitions(rows)
    components = b",".join(
        _encode(name) + b":" + _encode(definition(name, REFERENCE, version=3, custom=custom))
        for name in needed_definitions(paths, custom))
    written = b",".join(_encode(path.path) + b":" + _encode(path_item(path)) for path in paths)
    return b"".join((
        b'{"openapi":"3.0.0","info":', _encode(info()), b',"paths":{', written, b'},"components":{"schemas":{', components, b"}}}"))


def path_item(path: Path) -> dict[str, Any]:
    item: dict[str, Any] = {operation.method: operation_object(operation, path.tag) for operation in path.operations}
    if path.path_parameters:
        item["parameters"] = [
            parameter_object(parameter, "path" if f"{{{parameter.name}}}" in path.path else "query") for parameter in path.path_parameters]
    return item


def parameter_object(parameter: Parameter, location: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": location, "description": parameter.description}
    if location == "path":
        found["required"] = True
    return found | {"schema": {"type": parameter.type, "uniqueItems": True}}


def operation_object(operation: Operation, tag: str) -> dict[str, Any]:
    found: dict[str, Any] = {"tags": [tag], "description": operation.description, "operationId": operation.operation_id}
    if operation.parameters:
        found["parameters"] = [parameter_object(parameter, "query") for parameter in operation.parameters]
    if operation.body:
        body = {"schema": {"$ref": REFERENCE + operation.body}}
        found["requestBody"] = {"content": dict.fromkeys(operation.consumes, body)}
        if operation.body_required:
            found["requestBody"]["required"] = True
    found["responses"] = {str(code): response(name, operation) for code, name in operation.responses} or {
        "200": {"description": "OK", "content": {"*/*": {"schema": {"type": "string"}}}}}
    found["responses"]["401"] = {"description": "Unauthorized"}
    if operation.action:
        found["x-kubernetes-action"] = operation.action
    if operation.kind:
        found["x-kubernetes-group-version-kind"] = operation.kind._asdict()
    return found


def response(name: str, operation: Operation) -> dict[str, Any]:
    return {"description": "OK", "content": {media: {"schema": {"$ref": REFERENCE + name}} for media in operation.produces}}
