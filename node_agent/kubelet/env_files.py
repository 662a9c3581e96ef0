"""Environment variables out of a file (fileKeyRef): VAR='value' per line, the value in single quotes. Follows pkg/kubelet/util/env.

Between the quotes everything stands for itself, line ends too. Blank lines and comments are passed over.
"""

from __future__ import annotations


class EnvFileError(Exception):
    """The file is not of this form; the message names the line."""


def env_file_value(text: str, key: str) -> str:
    """The value of the first assignment to `key`, "" if there is none. Raises EnvFileError for what is wrong before it."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    number = 0
    while number < len(lines):
        first = number + 1
        line = lines[number].removesuffix("\r").lstrip(" \t")
        number += 1
        if not line or line.startswith("#"):
            continue
        name, value = _assignment(line, first)
        if value.startswith((" ", "\t")):
            if name == key:
                return ""             # as in a shell: what comes after the blank is another word
            continue
        if not value.startswith("'"):
            raise EnvFileError(f"invalid environment variable format at line {first}: value must be enclosed in single quotes")
        found, rest = [], value[1:]
        while "'" not in rest:
            found.append(rest + "\n")
            if number >= len(lines):
                raise EnvFileError(f"invalid environment variable format starting at line {first}: unclosed single quote")
            rest = lines[number].removesuffix("\r")
            number += 1
        last, _, after = rest.partition("'")
        after = after.lstrip(" \t")
        if after and not after.startswith("#"):
            raise EnvFileError(f"invalid environment variable format at line {number}: unexpected content after closing quote")
        if name == key:
            return "".join(found) + last
    return ""


def _assignment(line: str, number: int) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals:
        raise EnvFileError(f"invalid environment variable format at line {number}: missing '='")
    if not name.strip(" \t"):
        raise EnvFileError(f"invalid environment variable format at line {number}: empty variable name")
    if name != name.rstrip(" \t"):
        raise EnvFileError(f"invalid environment variable format at line {number}: whitespace before '=' is not allowed")
    return name, value
