"""What machine an image is made for: os/architecture[/variant], as containerd compares it."""

from __future__ import annotations

import platform as machine
import re
from typing import Self

import msgspec

ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386", "i686": "386", "armv7l": "arm"}
DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


class Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str = ""

    @classmethod
    def own(cls) -> Self:
        name = machine.machine()
        return cls("linux", ALIASES.get(name, name))

    @classmethod
    def parse(cls, text: str) -> Self:
        """linux/arm64, linux/arm/v7, or arm64 alone. Raises ValueError."""
        parts = text.lower().split("/")
        if len(parts) == 1:
            parts.insert(0, "linux")
        if len(parts) > 3 or not all(re.fullmatch(r"[a-z0-9_.-]+", part) for part in parts):
            raise ValueError(f"{text!r} is no platform; write linux/arm64 or linux/arm/v7")
        return cls(parts[0], ALIASES.get(parts[1], parts[1]), parts[2] if len(parts) == 3 else "")

    def takes(self, other: Platform) -> bool:
        """Whether an image for `other` is one for this. Without a variant here, any will do."""
        same = (self.os, self.architecture) == (other.os.lower(), ALIASES.get(other.architecture, other.architecture))
        return same and (not self.variant or self._level(self.variant) == self._level(other.variant))

    def distance(self, other: Platform) -> int:
        """How far from what is usual for the architecture: the nearest is taken."""
        return abs(_number(self._level(other.variant)) - _number(self._level(self.variant)))

    def _level(self, variant: str) -> str:
        return variant or DEFAULT_VARIANTS.get(self.architecture, "")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def _number(variant: str) -> int:
    digits = re.sub(r"\D", "", variant)[:4]
    return int(digits or 0)
