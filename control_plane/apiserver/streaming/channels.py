"""The channel.k8s.io protocols: which stream a WebSocket message belongs to. Pure.

Messages are one byte of channel, then data; in the base64 variants an ASCII digit, then base64 text. Since v4 the error
channel ends with a Status object; since v5 the client may close a channel (255, channel), which exec needs for stdin.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import msgspec

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255

# Best first. The names without a version are v1.
PROTOCOLS: Final = (
    "v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "v1.channel.k8s.io", "channel.k8s.io",
    "v4.base64.channel.k8s.io", "base64.channel.k8s.io",
)


@dataclass(frozen=True, slots=True)
class Protocol:
    name: str

    @property
    def is_text(self) -> bool:
        return "base64" in self.name

    @property
    def version(self) -> int:
        return int(self.name[1]) if self.name.startswith("v") else 1

    def frame(self, channel: int, data: bytes) -> bytes:
        if self.is_text:
            return b"%d" % channel + base64.b64encode(data)
        return bytes((channel,)) + data

    def unframe(self, message: bytes | str) -> tuple[int, bytes] | None:
        """(channel, data); None for what cannot be read."""
        if isinstance(message, str):
            message = message.encode()
        if not message:
            return None
        if not self.is_text:
            return message[0], message[1:]
        try:
            return int(message[:1]), base64.b64decode(message[1:], validate=True)
        except ValueError:
            return None

    def final_message(self, status: dict[str, Any]) -> bytes | None:
        """What the error channel ends with; None: nothing (success before v4)."""
        if self.version >= 4:
            return msgspec.json.encode(status)
        if status.get("status") == "Success":
            return None
        return str(status.get("message", "")).encode()


def terminal_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a resize message."""
    try:
        size = msgspec.json.decode(data, type=dict[str, int])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    width, height = size.get("Width", 0), size.get("Height", 0)
    return (width, height) if 0 <= width < 1 << 16 and 0 <= height < 1 << 16 else None
