"""Texts as Go prints them: clients and people compare them with upstream's."""

from __future__ import annotations

from typing import Final

_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}


def go_duration(seconds: float) -> str:
    """A time.Duration, to the millisecond: 0s, 523ms, 1.2s, 2m40s, 1h0m0s."""
    milliseconds = round(seconds * 1000)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text


def go_quoted(text: str) -> str:
    """%q, strconv.Quote."""
    return '"' + "".join(char if char.isprintable() and char not in '"\\' else _escaped(char) for char in text) + '"'


def go_error(error: BaseException) -> str:
    """An error of the system as "PATH: no such file or directory"; others as they are."""
    if not isinstance(error, OSError) or not error.errno or not error.strerror:
        return str(error)
    why = error.strerror[:1].lower() + error.strerror[1:]
    return f"{error.filename}: {why}" if error.filename else why


def go_status(code: str, details: str | None) -> str:
    """An error of grpc-go. `code` as Python's gRPC names it: NOT_FOUND."""
    name = "Canceled" if code == "CANCELLED" else "".join(part.capitalize() for part in code.split("_"))
    return f"rpc error: code = {name} desc = {details or ''}"


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
