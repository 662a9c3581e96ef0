"""camelCase to snake_case, acronyms kept whole: podIPs -> pod_ips, setHostnameAsFQDN -> set_hostname_as_fqdn."""

from __future__ import annotations

import builtins
import keyword
import re

EXCEPTIONS = {"openAPIV3Schema": "openapi_v3_schema"}
# Used as a type in annotations of the same class body, hence not free as a field's name.
TYPE_NAMES = frozenset({"bool", "int", "str", "float", "dict", "tuple", "list"})


def snake_case(name: str) -> str:
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    words = name.lstrip("$").replace("-", "_")
    words = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda match: match[1].capitalize() + "s", words)     # plural of an acronym
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words).lower()


def field_name(name: str) -> str:
    """The attribute a JSON field gets: snake_case, with an underscore behind what Python reserves (from -> from_)."""
    snake = snake_case(name)
    if keyword.iskeyword(snake) or (snake in TYPE_NAMES and hasattr(builtins, snake)):
        return snake + "_"
    return snake


def camel_case(name: str) -> str:
    """What msgspec's rename="camel" makes of an attribute; a field that it gets wrong needs an explicit name."""
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)
