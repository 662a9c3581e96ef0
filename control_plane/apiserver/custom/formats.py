"""Formats of strings that schemas may ask for; others are ignored (and warned of). Follows kube-openapi's strfmt registry."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from kube.apimachinery.meta import JsonObject

Check = Callable[[str], bool]

_HOST_CHAR = r"[^\W_]"
_HOSTNAME: Final = re.compile(
    rf"({_HOST_CHAR}(-?{_HOST_CHAR}{{0,62}})?|({_HOST_CHAR}(({_HOST_CHAR}|-){{0,61}}{_HOST_CHAR})?\.)+[^\W\d_]{{2,63}})")
_DATE_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))", re.ASCII)
# Possessive, and begun only where a row of digits begins: else a long row that no unit follows costs its length squared.
_GO_DURATION: Final = re.compile(r"[+-]?(0|((\d++\.?+\d*+|\.\d++)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_DURATION: Final = re.compile(r"(?<![0-9])([0-9]++)[ \t\n\f\r]*+([A-Za-zµ]++)")
_UNITS: Final = (
    ("ns", "nano"), ("us", "µs", "micro"), ("ms", "milli"), ("s", "sec"), ("m", "min"), ("h", "hr", "hour"),
    ("d", "day"), ("w", "wk", "week"),
)
_EMAIL: Final = re.compile(r"([^<>@]*<)?[^\s<>@\",;:\\()\[\]]+@[^\s<>@\",;:\\()]+>?")
_SHORT_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_CARD: Final = re.compile(
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|(222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|"
    r"6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}|6[27][0-9]{14})")
_BYTE_BYTE = "(?:[01]?[0-9]?[0-9]|2[0-4][0-9]|25[0-5])"


def _matching(pattern: str, limit: int | None = None) -> Check:
    expression = re.compile(pattern, re.ASCII)
    return lambda text: (limit is None or len(text) <= limit) and expression.fullmatch(text) is not None


def _is_uri(text: str) -> bool:
    if not text or any(char <= " " or char == "\x7f" for char in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return text.startswith("/") or bool(parts.scheme and (parts.netloc or parts.path))


def _is_hostname(text: str) -> bool:
    return _HOSTNAME.fullmatch(text) is not None and len(text.encode()) <= 255 and all(len(part.encode()) <= 63 for part in text.split("."))


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")      # leading zeros are taken, as ParseIPSloppy takes them
    if len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts):
        return True
    return "." in text and _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdigit()):
        return False
    return int(length) <= 32 if _is_ipv4(address) and ":" not in address else _is_ipv6(address) and int(length) <= 128


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is not None


def _is_date_time(text: str) -> bool:
    day, t, rest = text.lower().partition("t")
    if not t or not _is_date(day):
        return False
    found = _DATE_TIME.fullmatch(rest)
    return found is not None and found[1] <= "23" and found[2] <= "59" and found[3] <= "59"


def _is_duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text):
        return True
    known = False
    for digits, unit in _DURATION.findall(text):
        if len(digits.lstrip("0")) > 19 or int(digits) >= 2**63:      # no int of Go's
            return False
        lowered = unit.lower()
        known = known or any(lowered in variants or lowered.startswith(variants[-1]) for variants in _UNITS)
    return known


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return bool(text)


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        return False
    return sum((index + 1) * (10 if char == "X" else int(char)) for index, char in enumerate(digits)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    return sum(int(char) * (3 if index % 2 else 1) for index, char in enumerate(digits)) % 10 == 0


def _is_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not _CARD.fullmatch(digits):
        return False
    doubled = [int(char) * (2 if index % 2 else 1) for index, char in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _uuid(third: str, fourth: str) -> Check:
    return _matching(rf"(?i)[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}[0-9a-f]{{3}}-?{fourth}[0-9a-f]{{3}}-?[0-9a-f]{{12}}")


# By name without dashes: date-time and datetime are the same.
FORMATS: Final[dict[str, Check]] = {
    "bsonobjectid": _matching("[0-9a-fA-F]{24}"), "uri": _is_uri, "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": _is_hostname, "ipv4": _is_ipv4, "ipv6": _is_ipv6, "cidr": _is_cidr,
    "mac": _matching(r"([0-9a-fA-F]{2}([:-])([0-9a-fA-F]{2}\2){4}[0-9a-fA-F]{2}|[0-9a-fA-F]{2}([:-])([0-9a-fA-F]{2}\4){6}[0-9a-fA-F]{2}"
                     r"|([0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4})"),
    "uuid": _uuid("[0-9a-f]", "[0-9a-f]"), "uuid3": _uuid("3", "[0-9a-f]"), "uuid4": _uuid("4", "[89ab]"), "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text), "isbn10": _is_isbn10, "isbn13": _is_isbn13, "creditcard": _is_card,
    "ssn": _matching(r"\d{3}[- ]?\d{2}[- ]?\d{4}"), "hexcolor": _matching("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matching(rf"rgb\(\s*{_BYTE_BYTE}\s*,\s*{_BYTE_BYTE}\s*,\s*{_BYTE_BYTE}\s*\)"),
    "byte": _is_base64, "password": lambda text: True, "date": _is_date, "duration": _is_duration, "datetime": _is_date_time,
    "k8sshortname": _matching(_SHORT_NAME, 63), "k8slongname": _matching(rf"{_SHORT_NAME}(\.{_SHORT_NAME})*", 253),
}


def recognised(kind: str, name: str) -> bool:
    """Whether a format means something for values of this type; "" is any type."""
    if kind in ("", "string"):
        return name.replace("-", "") in FORMATS
    return name in {"integer": ("int32", "int64"), "number": ("float", "double")}.get(kind, ())


def unrecognised_formats(raw: JsonObject) -> list[str]:
    """The names in a JSONSchemaProps that mean nothing, in the order in which they stand."""
    found = []
    if (name := raw.get("format")) and not recognised(raw.get("type") or "", name):
        found.append(name)
    for child in children(raw):
        found += unrecognised_formats(child)
    return found


def children(raw: JsonObject) -> list[JsonObject]:
    """Every schema directly within a schema."""
    found: list[JsonObject] = []
    items = raw.get("items")
    found += [items] if isinstance(items, dict) else items if isinstance(items, list) else []
    for key in ("allOf", "anyOf", "oneOf"):
        found += raw.get(key) or ()
    for key in ("not", "additionalProperties", "additionalItems"):
        if isinstance(raw.get(key), dict):
            found.append(raw[key])
    for key in ("properties", "patternProperties", "definitions"):
        found += (raw.get(key) or {}).values()
    return [child for child in found if isinstance(child, dict)]
