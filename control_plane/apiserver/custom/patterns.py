"""Regular expressions of Go's dialect (RE2) on Python's engine.

Nearly all that schemas hold means the same in both. What does not is rewritten: `$` ends the text and not its last line, `\\d` and
`\\w` know ASCII only, POSIX and Unicode classes have names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_POSIX: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7F", "blank": r"\t ", "cntrl": r"\x00-\x1F\x7F", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ", "upper": "A-Z",
    "word": r"0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}
# Beyond ASCII a category is taken for what Python's \\w and str methods can say of it in a class.
_UNICODE: Final = {"L": r"^\W\d_", "N": r"\d", "Lu": "A-ZÀ-ÖØ-Þ", "Ll": "a-zß-öø-ÿ", "Nd": r"\d", "P": r"!-/:-@\[-`{-~", "S": r"$+<=>^`|~"}
_CLASS: Final = re.compile(r"\[:(\^?)([a-z]+):\]")


@lru_cache(maxsize=2048)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises re.error for what Go would not compile either (in Python's words)."""
    flags, unicode = 0, False
    if "\\p" in pattern or "\\P" in pattern:
        unicode = True
    if not unicode:
        flags |= re.ASCII
    return re.compile(_translated(pattern), flags)


def _translated(pattern: str) -> str:
    out: list[str] = []
    inside, index, multiline = False, 0, bool(re.match(r"\(\?[a-z]*m", pattern))
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and index + 1 < len(pattern):
            text, length = _escape(pattern, index, inside=inside)
            out.append(text)
            index += length
            continue
        if inside:
            if char == "[" and (named := _CLASS.match(pattern, index)):
                out.append(_POSIX.get(named[2], "") if not named[1] else "")
                index = named.end()
                continue
            out.append("\\[" if char == "[" else char)
            inside = char != "]"
        elif char == "[":
            inside = True
            out.append(char)
            for extra in ("^", "]"):      # a bracket that comes first stands for itself
                if pattern[index + 1:index + 2] == extra:
                    index += 1
                    out.append("\\]" if extra == "]" else extra)
        elif char == "$" and not multiline:
            out.append(r"\Z")
        elif pattern.startswith("(?<", index) and pattern[index + 3:index + 4] not in ("=", "!"):
            out.append("(?P<")
            index += 2
        elif pattern.startswith(("(?=", "(?!", "(?<=", "(?<!"), index):
            raise re.error("invalid or unsupported Perl syntax: `" + pattern[index:index + 3] + "`")
        else:
            out.append(char)
        index += 1
    return "".join(out)


def _escape(pattern: str, index: int, *, inside: bool) -> tuple[str, int]:
    """(Python's text, how long Go's is) of what begins with a backslash."""
    char = pattern[index + 1]
    if char == "z":
        return r"\Z", 2
    if char == "Q":
        end = pattern.find("\\E", index)
        literal = pattern[index + 2:end if end >= 0 else len(pattern)]
        return re.escape(literal), len(literal) + (4 if end >= 0 else 2)
    if char in "pP":
        brace = re.match(r"\\[pP]\{(\^?)([A-Za-z]+)\}", pattern[index:])
        name, length = (brace[2], brace.end()) if brace else (pattern[index + 2:index + 3], 3)
        content = _UNICODE.get(name, r"\w")
        if inside:
            return (r"\w" if content.startswith("^") else content), length
        negated = (char == "P") is not content.startswith("^")
        return f"[{'^' if negated else ''}{content.lstrip('^')}]", length
    if char == "C" or (char.isdigit() and char != "0"):
        raise re.error(f"invalid escape sequence: `\\{char}`")
    if char == "x" and pattern[index + 2:index + 3] == "{":
        end = pattern.index("}", index)
        return re.escape(chr(int(pattern[index + 3:end], 16))), end - index + 1
    return pattern[index:index + 2], 2
