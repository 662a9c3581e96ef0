"""An OpenAPI v3 document in gnostic's protobuf (openapi.v3.Document, github.com/google/gnostic-models), written straight to bytes.

The tables are as those of openapi_gnostic.py: JSON key -> (field number, how to write the value).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from kube.apimachinery.openapi_gnostic import (
    Table,
    Writer,
    any_value,
    count,
    delimited,
    each,
    external_docs,
    flag,
    inner,
    message,
    named,
    number,
    text,
    texts,
    varint,
)

_SCALARS = (bool, int, float, str)


def or_reference(write: Writer) -> Writer:
    """The ...OrReference messages: {what it is = 1 | Reference = 2}"""

    def written(value: Any) -> bytes:
        if "$ref" in value:
            known = {key: item for key, item in value.items() if key in REFERENCE}
            return delimited(2, message(known, REFERENCE, extensions=0))
        return delimited(1, write(value))

    return written


def mapping(write: Writer) -> Writer:
    """Messages that are maps: additional_properties=1, each with name and value."""
    return lambda value: b"".join(named(1, key, write(item)) for key, item in value.items())


def schema(value: Mapping[str, Any]) -> bytes:
    if "default" in value and not isinstance(value["default"], _SCALARS):      # openapi.v3.DefaultType has no other
        value = {key: item for key, item in value.items() if key != "default"}
    return message(value, SCHEMA, extensions=36)


def default_value(value: Any) -> bytes:
    if isinstance(value, bool):
        return varint(2 << 3) + (b"\x01" if value else b"\x00")
    if isinstance(value, str):
        return delimited(3, value.encode())
    return varint(1 << 3 | 1) + struct.pack("<d", value)


def additional(value: Any) -> bytes:
    """AdditionalPropertiesItem{SchemaOrReference | bool}"""
    if isinstance(value, bool):
        return varint(2 << 3) + (b"\x01" if value else b"\x00")
    return delimited(1, schema_or_reference(value))


schema_or_reference = or_reference(schema)

REFERENCE: Table = {"$ref": text(1), "summary": text(2), "description": text(3)}
SCHEMA: Table = {
    "nullable": flag(1), "readOnly": flag(3), "writeOnly": flag(4), "externalDocs": inner(6, external_docs), "example": inner(7, any_value),
    "deprecated": flag(8), "title": text(9), "multipleOf": number(10), "maximum": number(11), "exclusiveMaximum": flag(12),
    "minimum": number(13), "exclusiveMinimum": flag(14), "maxLength": count(15), "minLength": count(16), "pattern": text(17),
    "maxItems": count(18), "minItems": count(19), "uniqueItems": flag(20), "maxProperties": count(21), "minProperties": count(22),
    "required": texts(23), "enum": each(24, any_value), "type": text(25), "allOf": each(26, schema_or_reference),
    "oneOf": each(27, schema_or_reference), "anyOf": each(28, schema_or_reference), "not": inner(29, schema),
    "items": inner(30, lambda value: delimited(1, schema_or_reference(value))), "properties": inner(31, mapping(schema_or_reference)),
    "additionalProperties": inner(32, additional), "default": inner(33, default_value), "description": text(34), "format": text(35),
}
MEDIA_TYPE: Table = {"schema": inner(1, schema_or_reference)}
PARAMETER: Table = {
    "name": text(1), "in": text(2), "description": text(3), "required": flag(4), "schema": inner(10, schema_or_reference),
}


def media_types(value: Mapping[str, Any]) -> bytes:
    return mapping(lambda item: message(item, MEDIA_TYPE, extensions=5))(value)


REQUEST_BODY: Table = {"description": text(1), "content": inner(2, media_types), "required": flag(3)}
RESPONSE: Table = {"description": text(1), "content": inner(3, media_types)}

_parameter = or_reference(lambda value: message(value, PARAMETER, extensions=14))
_request_body = or_reference(lambda value: message(value, REQUEST_BODY, extensions=4))
_response = or_reference(lambda value: message(value, RESPONSE, extensions=5))


def responses(value: Mapping[str, Any]) -> bytes:
    return b"".join(named(2, code, _response(item)) for code, item in value.items())


OPERATION: Table = {
    "tags": texts(1), "summary": text(2), "description": text(3), "operationId": text(5), "parameters": each(6, _parameter),
    "requestBody": inner(7, _request_body), "responses": inner(8, responses), "deprecated": flag(10),
}


def operation(value: Mapping[str, Any]) -> bytes:
    return message(value, OPERATION, extensions=13)


PATH_ITEM: Table = {
    "get": inner(4, operation), "put": inner(5, operation), "post": inner(6, operation), "delete": inner(7, operation),
    "options": inner(8, operation), "head": inner(9, operation), "patch": inner(10, operation), "parameters": each(13, _parameter),
}
INFO: Table = {"title": text(1), "description": text(2), "version": text(6)}
COMPONENTS: Table = {"schemas": inner(1, mapping(schema_or_reference))}


def paths(value: Mapping[str, Any]) -> bytes:
    return b"".join(named(1, path, message(item, PATH_ITEM, extensions=14)) for path, item in value.items())


DOCUMENT: Table = {
    "openapi": text(1), "info": inner(2, lambda value: message(value, INFO, extensions=7)), "paths": inner(4, paths),
    "components": inner(5, lambda value: message(value, COMPONENTS, extensions=10)),
}


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """`document`: as its JSON form is read. Raises ValueError for what the tables do not know."""
    return message(document, DOCUMENT, extensions=9)
