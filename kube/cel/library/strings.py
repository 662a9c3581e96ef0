"""cel-go's string functions, version 2. Positions count code points."""

from __future__ import annotations

from typing import Any, Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.library.string_format import format_string
from kube.cel.types import DYN, INT, STRING, list_of
from kube.cel.values import shown

_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_QUOTED: Final = str.maketrans({
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
})


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index:index + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if offset < 0:
        raise EvaluationError(f"index out of range: {offset}")
    if not part:
        return min(offset, len(text))
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return len(text) if not part else text.rfind(part)
    if offset < 0:
        raise EvaluationError(f"index out of range: {offset}")
    if not part:
        return min(offset, len(text))
    return -1 if offset >= len(text) else text.rfind(part, 0, offset + len(part))


def _replace(text: str, old: str, new: str, most: int = -1) -> str:
    return text.replace(old, new, most)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    if separator:
        return text.split(separator, most - 1 if most > 0 else -1)
    if most < 0 or most >= len(text):
        return list(text)
    return [*text[:most - 1], text[most - 1:]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    for bound in (start, len(text) if end is None else end):
        if not 0 <= bound <= len(text):
            raise EvaluationError(f"index out of range: {bound}")
    return text[start:end]


def _join(items: list[Any], separator: str = "") -> str:
    for item in items:
        if not isinstance(item, str):
            raise EvaluationError(f"join: invalid input: {shown(item)}")
    return separator.join(items)


FUNCTIONS: Final[Table] = {
    "charAt": [method("string_char_at_int", (STRING, INT), STRING, _char_at)],
    "indexOf": [
        method("string_index_of_string", (STRING, STRING), INT, _index_of),
        method("string_index_of_string_int", (STRING, STRING, INT), INT, _index_of),
    ],
    "lastIndexOf": [
        method("string_last_index_of_string", (STRING, STRING), INT, _last_index_of),
        method("string_last_index_of_string_int", (STRING, STRING, INT), INT, _last_index_of),
    ],
    "lowerAscii": [method("string_lower_ascii", (STRING,), STRING, lambda text: text.translate(_LOWER))],
    "upperAscii": [method("string_upper_ascii", (STRING,), STRING, lambda text: text.translate(_UPPER))],
    "replace": [
        method("string_replace_string_string", (STRING, STRING, STRING), STRING, _replace),
        method("string_replace_string_string_int", (STRING, STRING, STRING, INT), STRING, _replace),
    ],
    "split": [
        method("string_split_string", (STRING, STRING), list_of(STRING), _split),
        method("string_split_string_int", (STRING, STRING, INT), list_of(STRING), _split),
    ],
    "substring": [
        method("string_substring_int", (STRING, INT), STRING, _substring),
        method("string_substring_int_int", (STRING, INT, INT), STRING, _substring),
    ],
    "trim": [method("string_trim", (STRING,), STRING, lambda text: text.strip(_SPACE))],
    "format": [method("string_format", (STRING, list_of(DYN)), STRING, format_string)],
    "strings.quote": [Overload("strings_quote", (STRING,), STRING, lambda text: f'"{text.translate(_QUOTED)}"')],
    "join": [
        method("list_join", (list_of(STRING),), STRING, _join),
        method("list_join_string", (list_of(STRING), STRING), STRING, _join),
    ],
}
