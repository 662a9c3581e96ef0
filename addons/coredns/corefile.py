"""The Corefile: server blocks of directives, in Caddy's syntax.

    .:53 {
        errors
        kubernetes cluster.local in-addr.arpa ip6.arpa {
            pods insecure
        }
    }

Also: several zones per block, `dns://`, quotes, `#` comments, `{$VARIABLE}`, snippets (`(name) { ... }` and `import name`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from addons.coredns.names import reverse_zones

DEFAULT_PORT: Final = 53
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"#][^\s"]*)')
_VARIABLE: Final = re.compile(r"\{\$([A-Za-z0-9_]+)\}|\{%([A-Za-z0-9_]+)%\}")


class CorefileError(Exception):
    """A Corefile that cannot be used; says file, line and what is wrong, in CoreDNS's words."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One line (and the block behind it). `where` is "file:line"."""

    name: str
    args: tuple[str, ...]
    block: tuple[Directive, ...]
    where: str

    def error(self, problem: str) -> CorefileError:
        return CorefileError(f"plugin/{self.name}: {self.where} - Error during parsing: {problem}")

    def wrong_arguments(self) -> CorefileError:
        return self.error(f"Wrong argument count or unexpected line ending after '{(self.name, *self.args)[-1]}'")


@dataclass(frozen=True, slots=True)
class ServerBlock:
    """`zones` as lower-case names with a final dot, each with its port."""

    zones: tuple[tuple[str, int], ...]
    directives: tuple[Directive, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    tokens: tuple[str, ...]
    where: str


def parse_corefile(text: str, file_name: str = "Corefile", environment: Mapping[str, str] | None = None) -> list[ServerBlock]:
    """Raises CorefileError."""
    lines = _lines(text, file_name, os.environ if environment is None else environment)
    reader = _Reader(lines, file_name)
    blocks = reader.server_blocks()
    if not blocks:
        raise CorefileError(f"{file_name} - Error during parsing: no server block")
    return blocks


def parse_seconds(text: str) -> float:
    """Go's durations: "5s", "1m30s", "250ms"; a bare number is seconds. Raises ValueError."""
    if text.isdigit():
        return float(text)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    return sum(float(number) * units[unit] for number, unit in parts)


def _lines(text: str, file_name: str, environment: Mapping[str, str]) -> list[_Line]:
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        expanded = _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), raw)
        tokens = _tokens(expanded)
        if tokens:
            lines.append(_Line(tokens, f"{file_name}:{number}"))
    return lines


def _tokens(line: str) -> tuple[str, ...]:
    tokens: list[str] = []
    position = 0
    while found := _TOKEN.search(line, position):
        gap = line[position: found.start()]
        if "#" in gap:
            break
        tokens.append(found[2] if found[1] is None else found[1].replace('\\"', '"'))
        position = found.end()
    return tuple(tokens)


class _Reader:
    def __init__(self, lines: list[_Line], file_name: str) -> None:
        self._lines = lines
        self._file_name = file_name
        self._position = 0
        self._snippets: dict[str, tuple[Directive, ...]] = {}

    def server_blocks(self) -> list[ServerBlock]:
        blocks = []
        while self._position < len(self._lines):
            line = self._next()
            keys = list(line.tokens)
            if keys[-1] != "{":
                raise self._error(line, f"expected an opening brace after '{keys[-1]}'")
            keys.pop()
            if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
                self._snippets[keys[0][1:-1]] = self._block(line)
                continue
            if not keys:
                raise self._error(line, "server block without a zone")
            zones = tuple(zone for key in keys for each in key.split(",") if each for zone in self._zones(each, line))
            blocks.append(ServerBlock(zones, self._block(line)))
        return blocks

    def _block(self, opened: _Line) -> tuple[Directive, ...]:
        directives: list[Directive] = []
        while self._position < len(self._lines):
            line = self._next()
            if line.tokens == ("}",):
                return tuple(directives)
            tokens = line.tokens
            if tokens[-1] == "}" and "{" not in tokens:
                raise self._error(line, f"unexpected '}}' after '{tokens[0]}'")
            if tokens[0] == "import":
                directives.extend(self._imported(line))
                continue
            inner: tuple[Directive, ...] = ()
            if tokens[-1] == "{":
                inner, tokens = self._block(line), tokens[:-1]
            if not tokens:
                raise self._error(line, "unexpected '{'")
            directives.append(Directive(tokens[0], tokens[1:], inner, line.where))
        raise self._error(opened, "Unexpected EOF: a brace is not closed")

    def _imported(self, line: _Line) -> tuple[Directive, ...]:
        if len(line.tokens) != 2 or line.tokens[1] not in self._snippets:
            raise self._error(line, f"File to import not found: {' '.join(line.tokens[1:])}")
        return self._snippets[line.tokens[1]]

    def _zones(self, key: str, line: _Line) -> list[tuple[str, int]]:
        scheme, _, rest = key.rpartition("://")
        if scheme not in ("", "dns"):
            raise self._error(line, f"{scheme}:// is not served here")
        name, colon, port = rest.rpartition(":")
        if not colon or not port.isdigit():
            name, port = rest, str(DEFAULT_PORT)
        try:
            return [(zone, int(port)) for zone in reverse_zones(name or ".")]
        except ValueError as error:
            raise self._error(line, str(error)) from error

    def _next(self) -> _Line:
        line = self._lines[self._position]
        self._position += 1
        return line

    def _error(self, line: _Line, problem: str) -> CorefileError:
        return CorefileError(f"{line.where} - Error during parsing: {problem}")
