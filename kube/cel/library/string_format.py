"""format: "%s is %d".format([...]), as cel-go's strings library, version 2: numbers with %f and %e are written as in English.

`check` looks at a constant format and the types of its arguments before anything runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from kube.apimachinery.go_text import go_quoted
from kube.cel.conversions import to_string
from kube.cel.errors import EvaluationError
from kube.cel.types import Type
from kube.cel.values import Duration, Timestamp, TypeValue, UInt, type_name

_CLAUSE: Final = re.compile(r"%(?:%|(?:\.([0-9]*))?(.?))", re.DOTALL)
_PRECISION: Final = "could not parse formatting clause: error while parsing precision: "
_DIGITS: Final = 6
_SUPERSCRIPT: Final = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_SPECIAL: Final = ("NaN", "Infinity", "-Infinity")
_WRONG: Final = {
    "s": "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, "
         "was given {}",
    "d": "decimal clause can only be used on integers, was given {}",
    "f": "fixed-point clause can only be used on doubles, was given {}",
    "e": "scientific clause can only be used on doubles, was given {}",
    "b": "only integers and bools can be formatted as binary, was given {}",
    "x": "only integers, byte buffers, and strings can be formatted as hex, was given {}",
    "o": "octal clause can only be used on integers, was given {}",
}
_TAKES: Final = {
    "s": ("list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null"),
    "d": ("int", "uint"), "f": ("double", "string"), "e": ("double", "string"), "b": ("int", "uint", "bool"),
    "x": ("int", "uint", "string", "bytes"), "o": ("int", "uint"),
}


def clauses(text: str) -> Iterator[tuple[re.Match[str], str, int]]:
    """Each place that takes an argument: the match, its letter, its precision. Raises EvaluationError."""
    for found in _CLAUSE.finditer(text):
        if found[0] == "%%":
            continue
        letter = found[2]
        if not letter:
            raise EvaluationError("unexpected end of string" if found[1] is None else
                                  f"{_PRECISION}could not find end of precision specifier")
        if found[1] == "":
            raise EvaluationError(f'{_PRECISION}error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax')
        if letter.lower() not in _TAKES or (letter.isupper() and letter != "X"):
            raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{letter}"')
        yield found, letter, _DIGITS if found[1] is None else min(int(found[1]), 1000)


def format_string(text: str, args: list[Any]) -> str:
    out, position = [], 0
    for index, (found, letter, precision) in enumerate(clauses(text)):
        if index >= len(args):
            raise EvaluationError(f"index {index} out of range")
        out += [text[position:found.start()].replace("%%", "%"), _format(letter, args[index], precision)]
        position = found.end()
    return "".join([*out, text[position:].replace("%%", "%")])


def check(text: str, types: list[Type]) -> tuple[int, str] | None:
    """What is wrong with a constant format: the index of the argument (-1: the call) and the message."""
    count = 0
    try:
        for _, letter, _ in clauses(text):
            if count >= len(types):
                return -1, f"index {count} out of range"
            kind = types[count].kind
            if kind not in ("dyn", "error", *_TAKES[letter.lower()]):
                return count, f"error during formatting: {_WRONG[letter.lower()].format(_runtime_name(types[count]))}"
            count += 1
    except EvaluationError as error:
        return -1, str(error)
    if len(types) > count:
        return -1, f"too many arguments supplied to string.format (expected {count}, got {len(types)})"
    return None


def _runtime_name(type_: Type) -> str:
    names = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration", "null": "null_type"}
    return names.get(type_.kind, type_.name)


def _format(letter: str, value: Any, precision: int) -> str:
    made = _FORMATTERS[letter.lower()](value, precision)
    if made is None:
        raise EvaluationError(f"error during formatting: {_WRONG[letter.lower()].format(type_name(value))}")
    return made.upper() if letter == "X" else made


def _string(value: Any, _: int = 0) -> str | None:
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, dict):
        pairs = sorted((_quoted(key), _quoted(held)) for key, held in value.items())
        return f"{{{', '.join(f'{key}:{held}' for key, held in pairs)}}}"
    if value is None:
        return "null"
    if isinstance(value, TypeValue):
        return value.name
    try:
        return to_string(value)
    except EvaluationError:
        return None


def _quoted(value: Any) -> str:
    """Inside lists and maps: as a literal."""
    match value:
        case str():
            return go_quoted(value)
        case bytes():
            return "b" + go_quoted(to_string(value))
        case Timestamp():
            return f'timestamp("{to_string(value)}")'
        case Duration():
            return f'duration("{to_string(value)}")'
        case float():
            if math.isfinite(value):
                return f"{value:.{_DIGITS}f}"
            return f'"{to_string(value)}"'
    made = _string(value)
    if made is None:
        raise EvaluationError(f"error during formatting: no formatting function for {type_name(value)}")
    return made


def _integer(value: Any) -> bool:
    return type(value) in (int, UInt)


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value
    return float(value) if value in _SPECIAL else None


def _fixed(value: Any, precision: int) -> str | None:
    number = _number(value)
    if number is None:
        return None
    return _not_finite(number) or f"{number:,.{precision}f}"


def _scientific(value: Any, precision: int) -> str | None:
    number = _number(value)
    if number is None:
        return None
    if not math.isfinite(number):
        return _not_finite(number)
    mantissa, _, exponent = f"{number:.{precision}e}".partition("e")
    return f"{mantissa}×10{exponent.removeprefix('+').translate(_SUPERSCRIPT)}"


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "" if math.isfinite(number) else "∞" if number > 0 else "-∞"


def _binary(value: Any, _: int) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{int(value):b}" if _integer(value) else None


def _hex(value: Any, _: int) -> str | None:
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, bytes):
        return value.hex()
    return f"{int(value):x}" if _integer(value) else None


_FORMATTERS: Final[dict[str, Callable[[Any, int], str | None]]] = {
    "s": _string, "d": lambda value, _: str(int(value)) if _integer(value) else None, "f": _fixed, "e": _scientific, "b": _binary,
    "x": _hex,
    "o": lambda value, _: f"{int(value):o}" if _integer(value) else None,
}
