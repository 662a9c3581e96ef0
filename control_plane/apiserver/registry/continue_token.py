"""Continue tokens of paged lists: which snapshot is read, and after which key. The form is upstream's."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated

import msgspec

from kube.apimachinery.errors import BadRequest, Expired
from kube.apimachinery.meta import JsonObject


class _Wire(msgspec.Struct):
    v: str = ""
    rv: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0
    start: str = ""


@dataclass(frozen=True, slots=True)
class ContinueToken:
    """`revision` 0 is an inconsistent continuation: read on from `after` in the newest state."""

    revision: int
    after: str      # the last key of the page before, relative to the list's prefix

    def encode(self) -> str:
        wire = _Wire("meta.k8s.io/v1", self.revision or -1, self.after + "\0")
        return base64.urlsafe_b64encode(msgspec.json.encode(wire)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> ContinueToken:
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            wire = msgspec.json.decode(data, type=_Wire)
        except (msgspec.MsgspecError, ValueError) as error:
            raise BadRequest(f"invalid continue token: continue key is not valid: {error}") from error
        if wire.v != "meta.k8s.io/v1" or not wire.start or ".." in wire.start.split("/"):
            raise BadRequest("invalid continue token: continue key is not valid: no version, no key, or one with '..' in it")
        return cls(max(wire.rv, 0), wire.start.rstrip("\0"))


class ContinueExpired(Expired):
    """The snapshot is compacted away: list anew, or go on inconsistently with the token in the Status's metadata."""

    def __init__(self, after: str) -> None:
        super().__init__(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
            "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing "
            "with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the "
            "time the first chunk was returned and now may show up in the list."
        )
        self.after = after

    def to_status(self) -> JsonObject:
        return {**super().to_status(), "metadata": {"continue": ContinueToken(0, self.after).encode()}}
