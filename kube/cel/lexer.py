"""Source text to tokens, and the values of literals.

Kinds of tokens: OP (the text tells which), IDENT, QUOTED (a field in backticks), INT, UINT, FLOAT, STRING, BYTES, EOF.
What is no token is reported and skipped, as cel-go's lexer does.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kube.cel.errors import Issue


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


_ESCAPE: Final = r"""\\(?:[abfnrtv"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
_STRING: Final = "|".join((
    r'[rR](?:"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"[^"\n\r]*"|' + r"'[^'\n\r]*')",
    rf'"""(?:{_ESCAPE}|[^\\])*?"""',
    rf"'''(?:{_ESCAPE}|[^\\])*?'''",
    rf'"(?:{_ESCAPE}|[^\\"\n\r])*"',
    rf"'(?:{_ESCAPE}|[^\\'\n\r])*'",
))
_TOKEN: Final = re.compile("|".join((
    r"(?P<SPACE>[\t \r\n\f]+|//[^\n]*)",
    rf"(?P<BYTES>[bB](?:{_STRING}))",
    rf"(?P<STRING>{_STRING})",
    r"(?P<IDENT>[A-Za-z_][A-Za-z0-9_]*)",
    r"(?P<FLOAT>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)",
    r"(?P<UINT>0x[0-9a-fA-F]+[uU]|[0-9]+[uU])",
    r"(?P<INT>0x[0-9a-fA-F]+|[0-9]+)",
    r"(?P<QUOTED>`[A-Za-z0-9_.\-/ ]+`)",
    r"(?P<OP>==|!=|<=|>=|&&|\|\||[<>\[\]{}().,\-!?:+*/%])",
)))
KEYWORDS: Final = frozenset({"in", "true", "false", "null"})      # tokens of their own: no field can be named so
RESERVED: Final = KEYWORDS | {
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var",
    "void", "while",
}


def tokens_of(source: str, issues: list[Issue]) -> list[Token]:
    """All tokens, EOF last. Characters that start none are added to `issues`."""
    found = []
    position, length, match = 0, len(source), _TOKEN.match
    while position < length:
        hit = match(source, position)
        if hit is None:
            issues.append(Issue(position, f"Syntax error: token recognition error at: '{_bad_text(source, position)}'"))
            position += len(_bad_text(source, position))
            continue
        kind = hit.lastgroup or ""
        if kind != "SPACE":
            text = hit.group()
            found.append(Token("OP" if kind == "IDENT" and text in KEYWORDS else kind, text, position))
        position = hit.end()
    found.append(Token("EOF", "<EOF>", length))
    return found


def _bad_text(source: str, position: int) -> str:
    """A quote that nobody closes takes the rest of its line with it, a single & or | what follows; anything else is one character."""
    if source[position] in "\"'":
        end = source.find("\n", position)
        return source[position:] if end < 0 else source[position:end]
    return source[position:position + 2] if source[position] in "&|" else source[position]


_SIMPLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
                  "'": "'", '"': '"', "`": "`", "?": "?"}
_ESCAPED: Final = re.compile(r"\\([xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)


def _body(text: str) -> tuple[str, bool]:
    """What stands between the quotes, and whether it is raw."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text[0] in "rR"
    if raw:
        text = text[1:]
    quotes = 3 if len(text) >= 6 and text[:3] in ('"""', "'''") else 1
    return text[quotes:-quotes], raw


def string_value(text: str) -> str:
    """The string that a STRING token stands for. Raises ValueError."""
    body, raw = _body(text)
    return body if raw or "\\" not in body else _ESCAPED.sub(_character, body)


def _character(match: re.Match[str]) -> str:
    code = match[1]
    if code in _SIMPLE:
        return _SIMPLE[code]
    number = int(code[1:], 16) if code[0] in "xXuU" else int(code, 8)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError("invalid unicode code point")
    return chr(number)


def bytes_value(text: str) -> bytes:
    """The bytes that a BYTES token stands for: \\x and octal escapes are bytes, all else is UTF-8. Raises ValueError."""
    body, raw = _body(text[1:])
    if raw or "\\" not in body:
        return body.encode()
    out, position = bytearray(), 0
    for match in _ESCAPED.finditer(body):
        out += body[position:match.start()].encode()
        code = match[1]
        if code in _SIMPLE:
            out += _SIMPLE[code].encode()
        elif code[0] in "uU":
            raise ValueError("unable to unescape string")
        else:
            out.append(int(code[1:], 16) if code[0] in "xX" else int(code, 8))
        position = match.end()
    return bytes(out + body[position:].encode())
