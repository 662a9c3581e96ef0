"""WWW-Authenticate, as registries send it: Basic, or Bearer with the place where tokens are given. Follows RFC 9110 and distribution's
token authentication."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(rf"({_WORD})(?:\s+(?=\S)|\s*$|\s*(?=,))")


@dataclass(frozen=True, slots=True)
class Challenge:
    scheme: str                                                 # in lower case
    parameters: dict[str, str] = field(default_factory=dict)    # names in lower case


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """All of them in the order given; what cannot be read ends its header."""
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    while position < len(header):
        if header[position] in ", \t":
            position += 1
        elif (parameter := _PARAMETER.match(header, position)) and found:
            value = re.sub(r"\\(.)", r"\1", parameter[2]) if parameter[2] is not None else parameter[3]
            found[-1].parameters[parameter[1].lower()] = value
            position = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            found.append(Challenge(scheme[1].lower()))
            position = scheme.end()
        else:
            break
    return found
