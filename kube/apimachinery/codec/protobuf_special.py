"""Messages whose JSON is no object: times, quantities, free-form JSON, lists behind a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from kube.apimachinery.codec.protobuf_wire import DELIMITED, read_fields, signed, write_delimited, write_number

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
JSON_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_json = msgspec.json.Encoder().encode


def raw_fields(data: bytes) -> dict[int, Any]:
    """Field number -> number or payload; the last one wins."""
    return {number: payload if wire == DELIMITED else signed(value) for number, wire, value, payload in read_fields(data)}


def read_time(data: bytes) -> str | None:
    return _moment(data, "%Y-%m-%dT%H:%M:%SZ")


def read_micro_time(data: bytes) -> str | None:
    return _moment(data, "%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(data: bytes, form: str) -> str | None:
    found = raw_fields(data)
    seconds, nanos = found.get(1, 0), found.get(2, 0)
    if not seconds and not nanos:
        return None                                     # Go's zero time; null in JSON
    moment = EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    text = moment.strftime(form)
    return text if moment.year >= 1000 else f"{moment.year:04}-" + text.partition("-")[2]


def write_time(value: str) -> bytes:
    moment = datetime.fromisoformat(value) - EPOCH
    parts = write_number(1, moment.days * 86400 + moment.seconds)
    return parts + write_number(2, moment.microseconds * 1000)


def read_quantity(data: bytes) -> str:
    found: bytes = raw_fields(data).get(1, b"")
    return found.decode() or "0"


def write_quantity(value: Any) -> bytes:
    return write_delimited(1, str(value).encode())


def read_int_or_string(data: bytes) -> int | str:
    found = raw_fields(data)
    if found.get(1, 0) == 1:
        text: bytes = found.get(3, b"")
        return text.decode()
    number: int = found.get(2, 0)
    return number


def write_int_or_string(value: Any) -> bytes:
    if isinstance(value, str):
        return write_number(1, 1) + write_number(2, 0) + write_delimited(3, value.encode())
    return write_number(1, 0) + write_number(2, value) + write_delimited(3, b"")


def read_raw_json(data: bytes) -> Any:
    raw = raw_fields(data).get(1, b"")
    return msgspec.json.decode(raw) if raw else None


def write_raw_json(value: Any) -> bytes:
    return write_delimited(1, _json(value))


def read_names(data: bytes) -> list[str]:
    return [payload.decode() for number, _, _, payload in read_fields(data) if number == 1]


def write_names(value: list[str]) -> bytes:
    return b"".join(write_delimited(1, name.encode()) for name in value)


def read_duration(data: bytes) -> str:
    """Go's Duration.String: 1h30m0s, 1.5s, 0s."""
    nanoseconds = raw_fields(data).get(1, 0)
    sign, seconds = ("-" if nanoseconds < 0 else ""), abs(nanoseconds) / 1e9
    hours, minutes = int(seconds // 3600), int(seconds % 3600 // 60)
    rest = f"{seconds % 60:.9f}".rstrip("0").rstrip(".")
    return f"{sign}{f'{hours}h' if hours else ''}{f'{minutes}m' if hours or minutes else ''}{rest}s"


def write_duration(value: str) -> bytes:
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    total, number, unit = 0.0, "", ""
    for char in value.lstrip("-") + "\0":
        if unit and not char.isalpha():
            total, number, unit = total + float(number) * units[unit], "", ""
        number, unit = (number + char, unit) if char.isdigit() or char == "." else (number, unit + char)
    return write_number(1, round((-total if value.startswith("-") else total) * 1e9))


Reader = Callable[[bytes], Any]
Writer = Callable[[Any], bytes]
RAW_JSON = (read_raw_json, write_raw_json)

SPECIAL: Mapping[str, tuple[Reader, Writer]] = {
    META + "Time": (read_time, write_time),
    META + "MicroTime": (read_micro_time, write_time),
    META + "Duration": (read_duration, write_duration),
    META + "FieldsV1": RAW_JSON,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": (read_quantity, write_quantity),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": (read_int_or_string, write_int_or_string),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": RAW_JSON,
    JSON_SCHEMA + "JSON": RAW_JSON,
}
