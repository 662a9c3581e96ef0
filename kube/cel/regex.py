"""RE2's regular expressions on Python's `re`.

A pattern is read as Go's regexp/syntax reads it and written anew for `re`: what RE2 refuses (backreferences, lookaround, possessive
repetition, \\Z) is refused with Go's words, what means something else is translated ($ is the end of the text, \\s has no \\v, flags may
stand in the middle, [[:alpha:]], \\Q..\\E, \\pL). Scripts (\\p{Greek}) are refused: the standard library has no table of them. `re`
backtracks; the cost model charges for a pattern's length, so a pattern's size is what bounds its time, as far as anything does.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from typing import Final

from kube.cel.errors import EvaluationError

MAX_REPEAT: Final = 1000
_PERL: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_POSIX: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}
_CONTROL: Final = {"a": r"\x07", "f": r"\f", "t": r"\t", "n": r"\n", "r": r"\r", "v": r"\v"}
_ALL: Final = r"\x00-\U0010ffff"


class RegexError(ValueError):
    """A pattern that RE2 refuses; the text is Go's."""

    def __init__(self, what: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {what}: `{part}`")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises RegexError."""
    text = _Translator(pattern).whole()
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError("invalid pattern", f"{pattern}: {error}") from error


def search(pattern: str, text: str) -> re.Match[str] | None:
    """As the function `matches`: anywhere in the text. Raises EvaluationError for a bad pattern."""
    try:
        return compiled(pattern).search(text)
    except RegexError as error:
        raise EvaluationError(str(error)) from error


class _Translator:
    """One pass over the pattern. `open_flags`: for each open group how many `(?i:` were opened inside it, and what they were."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.groups: list[tuple[list[str], frozenset[str]]] = [([], frozenset())]
        self.flags: frozenset[str] = frozenset()
        self.repeatable = False            # whether something stands before the place
        self.repeated = ""                 # the operator just read: a second one is refused

    def whole(self) -> str:
        while self.at < len(self.pattern):
            self.step()
        if len(self.groups) > 1:
            raise RegexError("missing closing )", self.pattern)
        self.out.append(")" * len(self.groups[0][0]))
        return "".join(self.out)

    def emit(self, text: str, *, width: int = 1) -> None:
        self.out.append(text)
        self.at += width
        self.repeatable, self.repeated = True, ""

    def step(self) -> None:
        character = self.pattern[self.at]
        if character == "\\":
            self.escape()
        elif character == "[":
            found_class = _Class(self.pattern, self.at)
            self.emit(found_class.text, width=found_class.width)
        elif character == "(":
            self.group()
        elif character == ")":
            self.close()
        elif character == "|":
            opened = self.groups[-1][0]
            self.out.append(")" * len(opened) + "|" + "".join(opened))
            self.at += 1
            self.repeatable, self.repeated = False, ""
        elif character in "*+?":
            self.repeat(character)
        elif character == "{" and (found := re.compile(r"\{(\d+)(,(\d*))?\}", re.ASCII).match(self.pattern, self.at)):
            high = found[3] or found[1]
            if int(found[1]) > MAX_REPEAT or int(high) > MAX_REPEAT or int(high) < int(found[1]):
                raise RegexError("invalid repeat count", found[0])
            self.repeat(found[0])
        elif character == "^":
            self.emit("(?m:^)" if "m" in self.flags else r"\A")
        elif character == "$":
            self.emit(r"(?=\n|\Z)" if "m" in self.flags else r"\Z")
        elif character == ".":
            self.emit("(?s:.)" if "s" in self.flags else r"[^\n]")
        else:
            self.emit(re.escape(character))

    def repeat(self, operator: str) -> None:
        if not self.repeatable:
            if self.repeated:
                raise RegexError("invalid nested repetition operator", self.repeated + operator)
            raise RegexError("missing argument to repetition operator", operator)
        self.at += len(operator)
        lazy = self.pattern.startswith("?", self.at)
        self.at += lazy
        self.out.append(operator + ("?" if lazy != ("U" in self.flags) else ""))
        self.repeatable, self.repeated = False, operator + "?" * lazy

    def group(self) -> None:
        rest = self.pattern[self.at:]
        self.repeated = ""
        if not rest.startswith("(?"):
            self.open("(", 1)
        elif found := re.compile(r"\(\?P?<(\w+)>", re.ASCII).match(rest):
            if f"(?P<{found[1]}>" in self.out:
                raise RegexError("duplicate capture group name", found[1])
            self.open(f"(?P<{found[1]}>", found.end())
        elif found := re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])").match(rest):
            self.with_flags(found)
        elif rest.startswith(("(?P<", "(?<")) and not rest.startswith(("(?<=", "(?<!")):
            raise RegexError("invalid named capture", rest.partition(">")[0] + ">" if ">" in rest else rest)
        else:
            raise RegexError("invalid or unsupported Perl syntax", rest[:4] if rest.startswith(("(?<", "(?P")) else rest[:3])

    def with_flags(self, found: re.Match[str]) -> None:
        flags = (self.flags | set(found[1])) - set(found[2] or "")
        switched = "(?" + ("i" if "i" in flags else "") + ("-i" if "i" in self.flags and "i" not in flags else "") + ":"
        if found[3] == ":":
            self.open(switched, found.end())
        else:                                         # for the rest of the group, all its alternatives
            self.groups[-1][0].append(switched)
            self.out.append(switched)
            self.at += found.end()
            self.repeatable = False
        self.flags = flags

    def open(self, text: str, width: int) -> None:
        self.groups.append(([], self.flags))
        self.out.append(text)
        self.at += width
        self.repeatable = False

    def close(self) -> None:
        if len(self.groups) == 1:
            raise RegexError("unexpected )", self.pattern)
        opened, self.flags = self.groups.pop()
        self.emit(")" * (len(opened) + 1))

    def escape(self) -> None:
        rest = self.pattern[self.at:]
        if len(rest) == 1:
            raise RegexError("trailing backslash at end of expression", "")
        letter = rest[1]
        if letter == "Q":
            literal, _, _ = rest[2:].partition("\\E")
            self.emit("".join(map(re.escape, literal)), width=len(literal) + (4 if "\\E" in rest[2:] else 2))
        elif letter in "Az":
            self.emit(r"\A" if letter == "A" else r"\Z", width=2)
        elif letter == "b":
            self.emit(r"(?a:\b)", width=2)
        elif letter == "B":
            self.emit(r"(?a:\B)", width=2)
        else:
            text, width, _ = _escaped(self.pattern, self.at)
            self.emit(text, width=width)


def _escaped(pattern: str, at: int) -> tuple[str, int, bool]:
    """What an escape stands for outside a class, its width, and whether it is one character."""
    rest = pattern[at:]
    letter = rest[1:2]
    if letter.lower() in _PERL:
        return f"[{'^' if letter.isupper() else ''}{_PERL[letter.lower()]}]", 2, False
    if letter in ("p", "P"):
        ranges, width, negated = _property(rest)
        return f"[{'^' if negated else ''}{ranges}]", width, False
    if letter in _CONTROL:
        return _CONTROL[letter], 2, True
    if found := re.compile(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))").match(rest):
        number = int(found[1] or found[2], 16)
        if number > 0x10FFFF:
            raise RegexError("invalid escape sequence", found[0])
        return f"\\U{number:08x}", found.end(), True
    if found := re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})").match(rest):
        return f"\\U{int(found[1], 8):08x}", found.end(), True
    if letter and letter.isascii() and not letter.isalnum():
        return re.escape(letter), 2, True
    raise RegexError("invalid escape sequence", rest[:2])


class _Class:
    """A bracketed class from `at` on: its translation and its width in the source."""

    def __init__(self, pattern: str, at: int) -> None:
        self.pattern = pattern
        self.start = self.at = at
        self.at += 1
        negated = pattern.startswith("^", self.at)
        self.at += negated
        parts: list[str] = []
        first = True
        while first or not pattern.startswith("]", self.at):
            if self.at >= len(pattern):
                raise RegexError("missing closing ]", pattern[at:])
            parts.append(self.item())
            first = False
        self.at += 1
        self.width = self.at - self.start
        self.text = f"[{'^' if negated else ''}{''.join(parts)}]"

    def item(self) -> str:
        rest = self.pattern[self.at:]
        if found := re.compile(r"\[:(\^?)(\w+):\]").match(rest):
            if found[2] not in _POSIX:
                raise RegexError("invalid character class range", found[0])
            self.at += found.end()
            return _without(_POSIX[found[2]]) if found[1] else _POSIX[found[2]]
        if rest[:2].lower() in (r"\d", r"\w", r"\s"):
            self.at += 2
            return _without(_PERL[rest[1].lower()]) if rest[1].isupper() else _PERL[rest[1]]
        if rest[:2] in (r"\p", r"\P"):
            ranges, width, negated = _property(rest)
            self.at += width
            return _without(ranges) if negated else ranges
        low = self.single()
        if not self.pattern.startswith("-", self.at) or self.pattern.startswith("-]", self.at):
            return low
        self.at += 1
        high = self.single()
        if _code(low) > _code(high):
            raise RegexError("invalid character class range", self.pattern[self.at - 3:self.at])
        return f"{low}-{high}"

    def single(self) -> str:
        if self.at >= len(self.pattern):
            raise RegexError("missing closing ]", self.pattern[self.start:])
        if self.pattern[self.at] == "\\":
            if self.at + 1 >= len(self.pattern):
                raise RegexError("trailing backslash at end of expression", "")
            text, width, one = _escaped(self.pattern, self.at)
            if not one:
                raise RegexError("invalid character class range", self.pattern[self.at:self.at + width])
            self.at += width
            return f"\\U{_code(text):08x}"
        self.at += 1
        return f"\\U{ord(self.pattern[self.at - 1]):08x}"


def _code(text: str) -> int:
    if text.startswith("\\U"):
        return int(text[2:], 16)
    if text.startswith("\\x"):
        return int(text[2:], 16)
    return ord({"\\f": "\f", "\\t": "\t", "\\n": "\n", "\\r": "\r", "\\v": "\v"}.get(text, text[-1]))


@lru_cache(maxsize=64)
def _without(ranges: str) -> str:
    """All that a class does not hold, as ranges."""
    held = re.compile(f"[{ranges}]")
    return _ranges([code for code in range(sys.maxunicode + 1) if not held.match(chr(code))])


def _ranges(codes: list[int]) -> str:
    parts, start, last = [], -1, -2
    for code in [*codes, -1]:
        if code != last + 1:
            if start >= 0:
                parts.append(f"\\U{start:08x}-\\U{last:08x}")
            start = code
        last = code
    return "".join(parts)


def _property(rest: str) -> tuple[str, int, bool]:
    found = re.compile(r"\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Za-z]))").match(rest)
    if found is None:
        raise RegexError("invalid character class range", rest[:3])
    name = found[3] or found[4]
    negated = (found[1] == "P") != bool(found[2])
    if name == "Any":
        return _ALL, found.end(), negated
    ranges = _category(name)
    if not ranges:
        raise RegexError("invalid character class range", found[0])
    return ranges, found.end(), negated


@lru_cache(maxsize=32)
def _category(name: str) -> str:
    """The code points of a general category ("L", "Lu"); "" for none. Walks all of Unicode once (0.2 s), then remembers."""
    if len(name) > 2:
        return ""
    return _ranges([code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(name)])
