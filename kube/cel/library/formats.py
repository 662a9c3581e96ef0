"""format.dns1123Label(), format.named('uuid') ... and their validate(): none, or what is wrong with a string."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.library.urls import request_uri_error
from kube.cel.times import parse_timestamp
from kube.cel.types import FORMAT, STRING, list_of, optional_of
from kube.cel.values import NONE, Optional

Validate = Callable[[str], list[str]]

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_MESSAGE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character")
_SUBDOMAIN_MESSAGE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character")
_LABEL_1035_MESSAGE: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
    "with an alphanumeric character")
_QUALIFIED_MESSAGE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character")
_LABEL_VALUE_MESSAGE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character")
_UUID: Final = re.compile(r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Format:
    """A named format; equal by name. `regex_size` is what its cost is told by."""

    name: str
    validate: Validate = field(compare=False)
    regex_size: int = field(compare=False)

    cel_type_name = FORMAT.name


def _regex_message(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


def _matching(pattern: str, longest: int, message: str, *, prefix: bool = False) -> Validate:
    known = re.compile(pattern)

    def validate(text: str) -> list[str]:
        value = text[:-1] + "a" if prefix and text.endswith("-") else text
        wrong = [] if len(value) <= longest else [f"must be no more than {longest} bytes"]
        return wrong if known.fullmatch(value) else [*wrong, message]
    return validate


def _qualified_name(text: str) -> list[str]:
    parts = text.split("/")
    if len(parts) > 2:
        message = _regex_message(_QUALIFIED_MESSAGE, _QUALIFIED, "MyName", "my.name", "123-abc")
        return [f"a qualified name {message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    wrong = []
    if len(parts) == 2:
        if not parts[0]:
            wrong.append("prefix part must be non-empty")
        else:
            wrong += [f"prefix part {reason}" for reason in SUBDOMAIN(parts[0])]
    name = parts[-1]
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > 63:
        wrong.append("name part must be no more than 63 bytes")
    if not re.fullmatch(_QUALIFIED, name):
        wrong.append(f"name part {_regex_message(_QUALIFIED_MESSAGE, _QUALIFIED, 'MyName', 'my.name', '123-abc')}")
    return wrong


def _uri(text: str) -> list[str]:
    reason = request_uri_error(text)
    return [reason] if reason else []


def _byte(text: str) -> list[str]:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return ["invalid base64"]
    return [] if text else ["invalid base64"]


def _date(text: str) -> list[str]:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            date.fromisoformat(text)
            return []
    except ValueError:
        pass
    return ["invalid date"]


def _datetime(text: str) -> list[str]:
    try:
        parse_timestamp(text.upper())
    except (ValueError, EvaluationError):
        return ["invalid datetime"]
    return []


_LABEL_TEXT: Final = _regex_message(_LABEL_MESSAGE, _LABEL, "my-name", "123-abc")
_SUBDOMAIN_TEXT: Final = _regex_message(_SUBDOMAIN_MESSAGE, _SUBDOMAIN, "example.com")
_LABEL_1035_TEXT: Final = _regex_message(_LABEL_1035_MESSAGE, _LABEL_1035, "my-name", "abc-123")
SUBDOMAIN: Final = _matching(_SUBDOMAIN, 253, _SUBDOMAIN_TEXT)
FORMATS: Final = {
    "dns1123Label": Format("DNS1123Label", _matching(_LABEL, 63, _LABEL_TEXT), 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", SUBDOMAIN, 60),
    "dns1035Label": Format("DNS1035Label", _matching(_LABEL_1035, 63, _LABEL_1035_TEXT), 30),
    "qualifiedName": Format("QualifiedName", _qualified_name, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _matching(_LABEL, 63, _LABEL_TEXT, prefix=True), 30),
    "dns1123SubdomainPrefix": Format("DNS1123SubdomainPrefix", _matching(_SUBDOMAIN, 253, _SUBDOMAIN_TEXT, prefix=True), 60),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _matching(_LABEL_1035, 63, _LABEL_1035_TEXT, prefix=True), 30),
    "labelValue": Format("LabelValue", _matching(
        f"({_QUALIFIED})?", 63, _regex_message(_LABEL_VALUE_MESSAGE, f"({_QUALIFIED})?", "MyValue", "my_value", "12345")), 40),
    "uri": Format("URI", _uri, 1103),
    "uuid": Format("uuid", lambda text: [] if _UUID.match(text) else ["does not match the UUID format"], 78),
    "byte": Format("byte", _byte, 84),
    "date": Format("date", _date, 98),
    "datetime": Format("datetime", _datetime, 98),
}


def _named(name: str) -> Optional:
    found = FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _validate(format_: Format, text: str) -> Optional:
    wrong = format_.validate(text)
    return Optional(wrong) if wrong else NONE


def _constant(format_: Format) -> Callable[[], Format]:
    return lambda: format_


FUNCTIONS: Final[Table] = {
    "validate": [method("format-validate", (FORMAT, STRING), optional_of(list_of(STRING)), _validate)],
    "format.named": [Overload("format-named", (STRING,), optional_of(FORMAT), _named)],
    **{f"format.{name}": [Overload(f"format.{name}", (), FORMAT, _constant(format_))] for name, format_ in FORMATS.items()},
}
