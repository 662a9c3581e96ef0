"""OpenAPI v2: one document for everything, as JSON and as gnostic's protobuf (what kubectl asked for before v1.27)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kube.apimachinery.openapi import Custom, definition, info, needed_definitions
from kube.apimachinery.openapi_custom import custom_definitions
from kube.apimachinery.openapi_gnostic import document_bytes
from kube.apimachinery.openapi_paths import DELETE_OPTIONS, Operation, Parameter, Path, paths_of
from kube.apimachinery.resources import RESOURCES
from kube.apimachinery.scheme import ResourceType

REFERENCE = "#/definitions/"

_encode = msgspec.json.Encoder().encode


def openapi_v2_json(rows: Iterable[ResourceType] = RESOURCES) -> bytes:
    rows = tuple(rows)
    paths = all_paths(rows)
    definitions = b",".join(_encode(name) + b":" + _encode(schema) for name, schema in all_definitions(paths, custom_definitions(rows)))
    written = b",".join(_encode(path.path) + b":" + _encode(path_item(path)) for path in paths)
    return b"".join((
        b'{"swagger":"2.0","info":', _encode(info()), b',"paths":{', written, b'},"definitions":{', definitions, b"}}"))


def openapi_v2_protobuf(rows: Iterable[ResourceType] = RESOURCES) -> bytes:
    rows = tuple(rows)
    paths = all_paths(rows)
    described = all_definitions(paths, custom_definitions(rows))
    return document_bytes(info(), ((path.path, path_item(path)) for path in paths), described)


def all_paths(rows: Iterable[ResourceType]) -> list[Path]:
    rows = tuple(rows)
    return [path for group_version in dict.fromkeys(row.group_version for row in rows) for path in paths_of(group_version, rows)]


def all_definitions(paths: list[Path], custom: Custom | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in needed_definitions(paths, custom):
        schema = definition(name, REFERENCE, version=2, custom=custom)
        if name == DELETE_OPTIONS:      # one kind in sixty groups; under "v1" alone it is found as well
            schema["x-kubernetes-group-version-kind"] = [{"group": "", "kind": "DeleteOptions", "version": "v1"}]
        yield name, schema


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
    return found | {"type": parameter.type, "uniqueItems": True}


def operation_object(operation: Operation, tag: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tags": [tag], "description": operation.description, "operationId": operation.operation_id, "schemes": ["https"],
        "consumes": list(operation.consumes), "produces": list(operation.produces),
    }
    parameters = [parameter_object(parameter, "query") for parameter in operation.parameters]
    if operation.body:
        body: dict[str, Any] = {"name": "body", "in": "body", "schema": {"$ref": REFERENCE + operation.body}}
        if operation.body_required:
            body["required"] = True
        parameters.insert(0, body)
    if parameters:
        found["parameters"] = parameters
    found["responses"] = {str(code): {"description": "OK", "schema": {"$ref": REFERENCE + name}} for code, name in operation.responses} or {
        "200": {"description": "OK", "schema": {"type": "string"}}}
    found["responses"]["401"] = {"description": "Unauthorized"}
    if operation.action:
        found["x-kubernetes-action"] = operation.action
    if operation.kind:
        found["x-kubernetes-group-version-kind"] = operation.kind._asdict()
    return found
