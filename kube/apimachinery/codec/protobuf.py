"""Kubernetes' protobuf for the built-in types, to and from the JSON form of an object.

    "k8s\\0" + Unknown{ typeMeta{apiVersion, kind}, raw: the message } <-> {"apiVersion": ..., "kind": ..., ...}

One walk serves every type: the table says a field's number, type and JSON name. Go writes the zero of a plain field always and of a pointer
never; so a plain zero is dropped unless Go's JSON would show it, and a pointer's zero is kept.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import msgspec

from kube.apimachinery.codec.protobuf_special import JSON_SCHEMA, META, SPECIAL, Writer, raw_fields, read_names, write_names
from kube.apimachinery.codec.protobuf_table import Field, table
from kube.apimachinery.codec.protobuf_wire import (
    DELIMITED,
    FIXED64,
    VARINT,
    WireError,
    delimited,
    delimited_tag,
    read_fields,
    read_varint,
    signed,
    write_delimited,
    write_double,
    write_number,
    write_varint,
)
from kube.apimachinery.errors import BadRequest, NotAcceptable
from kube.apimachinery.schema import definition_name
from kube.apimachinery.scheme import GroupVersionKind

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
WATCH_MEDIA_TYPE = "application/vnd.kubernetes.protobuf;stream=watch"
PREFIX = b"k8s\0"
ENVELOPE_END = b"\x1a\x00\x22\x00"      # contentEncoding and contentType, empty; Go writes them too
PROPS = JSON_SCHEMA + "JSONSchemaProps"


def supports(gvk: GroupVersionKind) -> bool:
    """Whether objects of this kind have a protobuf form; custom resources have none."""
    return message_name(gvk) in table()


def message_name(gvk: GroupVersionKind) -> str:
    if gvk.group != "meta.k8s.io":
        return definition_name(gvk)
    beta = META.replace(".v1.", ".v1beta1.") + gvk.kind
    return beta if gvk.version == "v1beta1" and beta in table() else META + gvk.kind


def decode_protobuf(data: bytes, default: GroupVersionKind | None = None) -> dict[str, Any]:
    """The object in an envelope; `default` is its kind if the envelope does not say. Raises BadRequest."""
    if data[:4] != PREFIX:
        raise BadRequest("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = raw_fields(data[4:])
        type_meta = {number: text.decode() for number, text in raw_fields(envelope.get(1, b"")).items()}
        gvk = GroupVersionKind.of(type_meta.get(1, ""), type_meta.get(2, ""))
        if not gvk.kind and default is not None:
            gvk = default
        if not supports(gvk):
            raise BadRequest(f'no kind "{gvk.kind}" is registered for version "{gvk.api_version}"')
        return {"kind": gvk.kind, "apiVersion": gvk.api_version} | read_message(message_name(gvk), envelope.get(2, b""))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError, msgspec.DecodeError) as error:
        raise BadRequest(f"protobuf: {error}") from error


def encode_protobuf(obj: dict[str, Any]) -> bytes:
    """The object in its envelope. Raises NotAcceptable for a kind without a protobuf form."""
    gvk = GroupVersionKind.of(obj.get("apiVersion", ""), obj.get("kind", ""))
    if not supports(gvk):
        raise NotAcceptable(f"object {gvk.api_version} {gvk.kind} does not implement the protobuf marshalling interface")
    return enveloped(gvk, write_message(message_name(gvk), obj))


def message_of(gvk: GroupVersionKind, obj: dict[str, Any]) -> bytes:
    """The message without its envelope. Raises NotAcceptable for a kind without a protobuf form."""
    if not supports(gvk):
        raise NotAcceptable(f"object {gvk.api_version} {gvk.kind} does not implement the protobuf marshalling interface")
    return write_message(message_name(gvk), obj)


def enveloped(gvk: GroupVersionKind, message: bytes) -> bytes:
    return b"".join((envelope_head(gvk, len(message)), message, ENVELOPE_END))


def envelope_head(gvk: GroupVersionKind, size: int) -> bytes:
    """What stands before a message of `size` bytes."""
    type_meta = write_delimited(1, gvk.api_version.encode()) + write_delimited(2, gvk.kind.encode())
    return PREFIX + write_delimited(1, type_meta) + delimited_tag(2) + write_varint(size)


def encode_watch_event(event_type: str, obj: bytes) -> bytes:
    """One frame of a protobuf watch, its four bytes of length included; `obj` is an encoded object."""
    event = write_delimited(1, event_type.encode()) + write_delimited(2, write_delimited(1, obj))
    return struct.pack(">I", len(event)) + event


def read_message(message: str, data: bytes) -> dict[str, Any]:
    fields = table().by_number(message)
    out: dict[str, Any] = {}
    for number, wire, value, payload in read_fields(data):
        field = fields.get(number)
        if field is None:
            continue                                    # of a newer version
        if field.mapped:
            key, item = _read_entry(field, payload)
            out.setdefault(field.name, {})[key] = item
        elif field.repeated:
            items = out.setdefault(field.name, [])
            if wire == DELIMITED and field.type in "ilb":
                items.extend(_packed(field, payload))
            else:
                items.append(_read_value(field, wire, value, payload))
        else:
            found = _read_value(field, wire, value, payload)
            if field.inline:
                out.update(found)
            elif found is not None and (found or field.pointer or not field.omitted_when_empty):
                out[field.name] = found
    return out


def _read_value(field: Field, wire: int, value: int, payload: bytes) -> Any:
    kind = field.type
    if not field.scalar:
        return _read_typed(kind, payload)
    if (wire == DELIMITED) != (kind in "sy") or (wire == FIXED64) != (kind == "d"):
        raise WireError(f"wrong wireType = {wire} for field {field.name}")
    if kind == "s":
        return payload.decode()
    if kind == "y":
        return base64.b64encode(payload).decode()
    if kind == "d":
        return struct.unpack("<d", payload)[0]
    return bool(value) if kind == "b" else signed(value)


def _read_typed(message: str, payload: bytes) -> Any:
    if message in SPECIAL:
        found = SPECIAL[message][0]
        if payload.startswith(b"\x0a") and PREFIX in payload[:12]:      # a RawExtension may hold an envelope of its own
            return decode_protobuf(raw_fields(payload)[1])
        return found(payload)
    if message.startswith(PROPS + "Or"):
        return _read_alternative(message, payload)
    if table().is_list_of_names(message):
        return read_names(payload)
    return read_message(message, payload)


def _read_entry(field: Field, payload: bytes) -> tuple[str, Any]:
    key: str = ""
    item: Any = {"s": "", "y": "", "i": 0, "l": 0, "b": False}.get(field.type)
    if item is None:
        item = _read_typed(field.type, b"")
    for number, wire, value, inner in read_fields(payload):
        if number == 1:
            key = inner.decode()
        elif number == 2:
            item = _read_value(field, wire, value, inner)
    return key, item


def _packed(field: Field, payload: bytes) -> Iterator[Any]:
    position = 0
    while position < len(payload):
        value, position = read_varint(payload, position)
        yield bool(value) if field.type == "b" else signed(value)


def _read_alternative(message: str, payload: bytes) -> Any:
    """JSONSchemaPropsOrArray {1: schema, 2: schemas}, ...OrBool {1: bool, 2: schema}, ...OrStringArray {1: schema, 2: strings}."""
    found = [(number, wire, value, inner) for number, wire, value, inner in read_fields(payload)]
    schemas = [inner for number, wire, _, inner in found if wire == DELIMITED and number == 1]
    others = [inner for number, wire, _, inner in found if wire == DELIMITED and number == 2]
    allows = [bool(value) for _, wire, value, _ in found if wire != DELIMITED]
    if schemas:
        return read_message(PROPS, schemas[0])
    if allows:
        return read_message(PROPS, others[0]) if others else allows[0]
    if message.endswith("OrStringArray"):
        return [text.decode() for text in others]
    return [read_message(PROPS, inner) for inner in others]


def write_message(message: str, obj: dict[str, Any]) -> bytes:
    parts: list[bytes] = []
    for name, write in _plan(message):
        value = obj.get(name) if name else obj
        if value is not None:
            parts.append(write(value))
    return b"".join(parts)


@cache
def _plan(message: str) -> tuple[tuple[str, Writer], ...]:
    """What writes each field, its tag included, in the order of their numbers; one without a name gets the whole object."""
    return tuple(("" if field.inline else field.name, _field_writer(field)) for field in table().fields(message))


def _field_writer(field: Field) -> Writer:
    if field.inline:
        tag, name = delimited_tag(field.number), field.type
        return lambda obj: delimited(tag, inner) if (inner := write_message(name, obj)) else b""
    if field.mapped:
        tag, key_tag, entry = delimited_tag(field.number), delimited_tag(1), _value_writer(field, 2)
        return lambda held: b"".join([delimited(tag, delimited(key_tag, key.encode()) + entry(item)) for key, item in held.items()])
    one = _value_writer(field, field.number)
    if field.repeated:
        return lambda items: b"".join([one(item) for item in items])
    return one


def _value_writer(field: Field, number: int) -> Writer:
    kind, tag = field.type, delimited_tag(number)
    if kind == "s":
        return lambda value: delimited(tag, value.encode())
    if kind in ("i", "l", "b"):
        number_tag = write_varint(number << 3 | VARINT)
        return lambda value: number_tag + write_varint(int(value))
    if kind == "y":
        return lambda value: delimited(tag, base64.b64decode(value))
    if kind == "d":
        return lambda value: write_double(number, value)
    write: Writer
    if kind in SPECIAL:
        write = SPECIAL[kind][1]
    elif kind.startswith(PROPS + "Or"):
        write = partial(_write_alternative, kind)
    elif table().is_list_of_names(kind):
        write = write_names
    else:
        write = partial(write_message, kind)
    return lambda value: delimited(tag, b"" if value is None else write(value))      # None among items: the type's zero


def _write_alternative(message: str, value: Any) -> bytes:
    if isinstance(value, bool):
        return write_number(1, value)
    if isinstance(value, list):
        return b"".join(
            write_delimited(2, item.encode() if isinstance(item, str) else write_message(PROPS, item)) for item in value)
    schema = write_message(PROPS, value)
    if message.endswith("OrBool"):
        return write_number(1, 1) + write_delimited(2, schema)
    return write_delimited(1, schema)
