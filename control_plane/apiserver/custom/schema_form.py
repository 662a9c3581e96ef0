"""The form of the schemas in a definition. What a JSONSchemaProps holds under `items`, `additionalProperties` and the like is a schema or
something else, so the table of types cannot say what it is; here it is brought into the same form as the rest.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from kube.apimachinery.decode import check_structure
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import JSON_SCHEMA, Schema, schemas
from kube.apimachinery.scheme import GroupVersionKind

_DEFINITION: Final = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
_MAPS: Final = ("properties", "patternProperties", "definitions")
_LISTS: Final = ("allOf", "anyOf", "oneOf")


@cache
def _props() -> Schema:
    schema = schemas().for_definition(JSON_SCHEMA + "JSONSchemaProps")
    assert schema is not None
    return schema


def check_schemas(crd: JsonObject) -> None:
    """In place. Raises BadRequest on the first value of a wrong type."""
    for version in (crd.get("spec") or {}).get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            try:
                _check(schema)
            except BadRequest as error:
                said = f'{_DEFINITION.kind} in version "{_DEFINITION.version}" cannot be handled as a {_DEFINITION.kind}: {error}'
                raise BadRequest(said) from error


def _check(schema: JsonObject) -> None:
    """Of a node whose own fields are in form: what is below the fields that may hold something else."""
    for key in _MAPS:
        for child in (schema.get(key) or {}).values():
            _check_node(child)
    for key in _LISTS:
        for child in schema.get(key) or ():
            _check_node(child)
    if schema.get("not") is not None:
        _check_node(schema["not"])
    if (items := schema.get("items")) is not None:
        for child in items if isinstance(items, list) else [items]:
            _check_other(child)
    for key in ("additionalProperties", "additionalItems"):
        if (value := schema.get(key)) is not None and not isinstance(value, bool):
            _check_other(value, "boolean or JSON schema expected")
    for value in (schema.get("dependencies") or {}).values():
        if not isinstance(value, list):
            _check_other(value)


def _check_node(schema: Any) -> None:
    if isinstance(schema, dict):
        _check(schema)


def _check_other(schema: Any, otherwise: str = "") -> None:
    if otherwise and not isinstance(schema, dict):
        raise BadRequest(otherwise)
    check_structure(schema, _props())
    _check(schema)
