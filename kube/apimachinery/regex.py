"""Go's regular expressions: RE2 itself, whose time is linear in the text, with Go's words for what it refuses.

RE2 and Go's regexp/syntax read one language and name the same part of a bad pattern; only the words differ. Beyond the words: Go
refuses \\C and repeats of nine digits, which RE2 takes, and takes some classes by long or lower-case names (\\p{Letter}, \\p{greek})
and programs over RE2's 8 MiB, which are refused here. RE2 is imported when the first pattern is met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, Final

# RE2's words -> Go's.
_WORDS: Final = {
    "invalid perl operator": "invalid or unsupported Perl syntax", "invalid named capture group": "invalid named capture",
    "bad repetition operator": "invalid nested repetition operator", "invalid repetition size": "invalid repeat count",
    "no argument for repetition operator": "missing argument to repetition operator", "missing )": "missing closing )",
    "missing ]": "missing closing ]", "trailing \\": "trailing backslash at end of expression",
    "pattern too large - compile failed": "expression too large",
}
# One piece of a pattern: quoted text, an escape, a class, a repeat too long for RE2 to take for one, any other character.
_PIECE: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?+\]?+(?:\\.|\[:\^?\w+:\]|[^\]\\])*+\]|\{[0-9]{9,}(?:,[0-9]*)?\}|\{[0-9]+,[0-9]{9,}\}|.", re.DOTALL)


class RegexError(ValueError):
    """A pattern that Go refuses; the text is Go's."""

    def __init__(self, what: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {what}: `{part}`")


class Regex:
    """A pattern; made by compiled()."""

    __slots__ = ("_re2",)

    def __init__(self, expression: Any) -> None:
        self._re2 = expression

    def matches(self, text: str) -> bool:
        """Whether the pattern is found anywhere in the text."""
        return self._re2.search(text.encode(errors="replace")) is not None

    def find_all(self, text: str) -> Iterator[str]:
        """What matches, from left to right, as FindAllString: no empty match right behind another one."""
        end = -1
        for match in self._re2.finditer(text):
            start, last = match.span()
            if start == last == end:
                continue
            yield match[0]
            end = last


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Regex:
    """Raises RegexError."""
    import re2
    try:
        expression = re2.compile(pattern, _options())
    except re2.error as error:
        what, _, part = error.args[0].decode(errors="replace").partition(": ")
        raise _as_go(pattern, what, part) from error
    except UnicodeEncodeError as error:      # half of a surrogate pair
        raise RegexError("invalid UTF-8", pattern.encode(errors="replace").decode()) from error
    _refuse_what_only_re2_takes(pattern)
    return Regex(expression)


@cache
def _options() -> Any:
    import re2
    options = re2.Options()
    options.log_errors = False
    return options


def _as_go(pattern: str, what: str, part: str) -> RegexError:
    if part in ("(?<=", "(?<!"):             # Go reads a name there
        begun = pattern[pattern.index(part):]
        name, closed, _ = begun.partition(">")
        return RegexError("invalid named capture", name + closed)
    return RegexError(_WORDS.get(what, what), pattern if what.startswith("pattern too large") else part)


def _refuse_what_only_re2_takes(pattern: str) -> None:
    if "\\C" not in pattern and re.search("[0-9]{9}", pattern) is None:
        return
    for piece in _PIECE.findall(pattern):
        if piece == "\\C":
            raise RegexError("invalid escape sequence", piece)
        if piece.startswith("{") and piece != "{":
            raise RegexError("invalid repeat count", piece)
