"""An OpenAPI v2 document in gnostic's protobuf (openapi.v2.Document), written straight to bytes.

Each message is a table: JSON key -> (field number, how to write the value). Extensions are `NamedAny`: a name and YAML text, for which JSON
serves. Only what our documents hold is in the tables.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

Writer = Callable[[Any], bytes]
Table = Mapping[str, tuple[int, Writer]]
NAME, VALUE = 1, 2                          # of every Named... message
EXTENSION_PREFIX = "x-"

_json = msgspec.json.Encoder().encode


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def text(number: int) -> tuple[int, Writer]:
    return number, lambda value: delimited(number, value.encode())


def texts(number: int) -> tuple[int, Writer]:
    return number, lambda values: b"".join(delimited(number, value.encode()) for value in values)


def flag(number: int) -> tuple[int, Writer]:
    return number, lambda value: varint(number << 3) + (b"\x01" if value else b"\x00")


def inner(number: int, write: Writer) -> tuple[int, Writer]:
    return number, lambda value: delimited(number, write(value))


def each(number: int, write: Writer) -> tuple[int, Writer]:
    return number, lambda values: b"".join(delimited(number, write(value)) for value in values)


def any_value(value: Any) -> bytes:
    return delimited(2, _json(value) + b"\n")           # Any.yaml


def named(number: int, key: str, payload: bytes) -> bytes:
    return delimited(number, delimited(NAME, key.encode()) + delimited(VALUE, payload))


def message(value: Mapping[str, Any], table: Table, extensions: int) -> bytes:
    parts = []
    for key, item in value.items():
        if key in table:
            parts.append(table[key][1](item))
        elif key.startswith(EXTENSION_PREFIX) and extensions:
            parts.append(named(extensions, key, any_value(item)))
        else:
            raise ValueError(f"no protobuf field for {key}")
    return b"".join(parts)


def schema(value: Mapping[str, Any]) -> bytes:
    return message(value, SCHEMA, extensions=31)


def schema_type(value: str) -> bytes:
    return delimited(1, value.encode())                 # TypeItem.value


def number(field: int) -> tuple[int, Writer]:
    return field, lambda value: varint(field << 3 | 1) + struct.pack("<d", value)


def count(field: int) -> tuple[int, Writer]:
    return field, lambda value: varint(field << 3) + varint(value)


def additional(value: Any) -> bytes:
    """AdditionalPropertiesItem{Schema | bool}"""
    return varint(2 << 3) + b"\x01" if value is True else delimited(1, schema(value))


def external_docs(value: Mapping[str, Any]) -> bytes:
    return message(value, {"description": text(1), "url": text(2)}, extensions=3)


def schema_items(value: Any) -> bytes:
    return delimited(1, schema(value))                  # ItemsItem.schema


def properties(value: Mapping[str, Any]) -> bytes:
    return b"".join(named(1, key, schema(item)) for key, item in value.items())


SCHEMA: Table = {
    "$ref": text(1), "format": text(2), "title": text(3), "description": text(4), "default": inner(5, any_value),
    "multipleOf": number(6), "maximum": number(7), "exclusiveMaximum": flag(8), "minimum": number(9), "exclusiveMinimum": flag(10),
    "maxLength": count(11), "minLength": count(12), "pattern": text(13), "maxItems": count(14), "minItems": count(15),
    "uniqueItems": flag(16), "maxProperties": count(17), "minProperties": count(18), "externalDocs": inner(29, external_docs),
    "example": inner(30, any_value), "required": texts(19), "enum": each(20, any_value), "additionalProperties": inner(21, additional),
    "type": inner(22, schema_type), "items": inner(23, schema_items), "allOf": each(24, schema), "properties": inner(25, properties),
}

BODY_PARAMETER: Table = {"description": text(1), "name": text(2), "in": text(3), "required": flag(4), "schema": inner(5, schema)}
_PARAMETER = {"required": flag(1), "in": text(2), "description": text(3), "name": text(4)}
QUERY_PARAMETER: Table = {**_PARAMETER, "type": text(6), "format": text(7), "uniqueItems": flag(20)}
PATH_PARAMETER: Table = {**_PARAMETER, "type": text(5), "format": text(6), "uniqueItems": flag(19)}


def parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem{Parameter{BodyParameter | NonBodyParameter{Query... | Path...}}}"""
    if value["in"] == "body":
        found = delimited(1, message(value, BODY_PARAMETER, extensions=6))
    elif value["in"] == "query":
        found = delimited(2, delimited(3, message(value, QUERY_PARAMETER, extensions=23)))
    else:
        found = delimited(2, delimited(4, message(value, PATH_PARAMETER, extensions=22)))
    return delimited(1, found)


RESPONSE: Table = {"description": text(1), "schema": inner(2, lambda value: delimited(1, schema(value)))}


def responses(value: Mapping[str, Any]) -> bytes:
    return b"".join(named(1, code, delimited(1, message(item, RESPONSE, extensions=5))) for code, item in value.items())


OPERATION: Table = {
    "tags": texts(1), "description": text(3), "operationId": text(5), "produces": texts(6), "consumes": texts(7),
    "parameters": each(8, parameter), "responses": inner(9, responses), "schemes": texts(10),
}


def operation(value: Mapping[str, Any]) -> bytes:
    return message(value, OPERATION, extensions=13)


PATH_ITEM: Table = {
    "get": inner(2, operation), "put": inner(3, operation), "post": inner(4, operation), "delete": inner(5, operation),
    "patch": inner(8, operation), "parameters": each(9, parameter),
}
INFO: Table = {"title": text(1), "version": text(2)}


def document_bytes(
    info: Mapping[str, Any], paths: Iterable[tuple[str, Mapping[str, Any]]], definitions: Iterable[tuple[str, Mapping[str, Any]]],
) -> bytes:
    """The whole Document: swagger=1, info=2, paths=8, definitions=9."""
    written = b"".join(named(2, path, message(item, PATH_ITEM, extensions=10)) for path, item in paths)
    schemas = b"".join(named(1, name, schema(item)) for name, item in definitions)
    return b"".join((delimited(1, b"2.0"), delimited(2, message(info, INFO, extensions=7)), delimited(8, written), delimited(9, schemas)))
