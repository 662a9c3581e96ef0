"""Work of single kinds around their writes: a seam between the generic registry and, for example, address allocation."""

from __future__ import annotations

from typing import Protocol

from control_plane.apiserver.registry.call import Call
from kube.apimachinery.meta import JsonObject


class Reservation(Protocol):
    """What a write has taken in advance. Exactly one of the two is called."""

    async def keep(self) -> None:
        """The write went through: give back what the object no longer needs."""

    async def undo(self) -> None:
        """The write failed: give back what was taken for it."""


class WriteHook(Protocol):
    """For one resource. `obj` may be completed in place (an allocated address)."""

    async def reserve(self, call: Call, obj: JsonObject, old: JsonObject | None, *, dry_run: bool) -> Reservation:
        """Before validation, in every attempt of the loop. Raises Invalid when something asked for cannot be had."""

    async def release(self, obj: JsonObject) -> None:
        """After the object is gone."""


class NothingReserved:
    async def keep(self) -> None:
        pass

    async def undo(self) -> None:
        pass


NOTHING_RESERVED: Reservation = NothingReserved()
