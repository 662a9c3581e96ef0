"""What a delete request does to an object: marks it, waits, or removes it. Follows the registry's rest/delete.go and store.Delete.

    finalizers for dependents (foregroundDeletion, orphan) are decided first;
    a graceful kind (Pods) is marked with a time to live, unless that is 0;
    an object that still has finalizers is marked and stays until the last one is gone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from control_plane.apiserver.strategies.base import ORPHAN, Strategy
from control_plane.apiserver.strategies.metadata import FOREGROUND_FINALIZER, ORPHAN_FINALIZER
from kube.apimachinery.meta import JsonObject

_FAR_AWAY_S: Final = 10**11      # 3,000 years: what a timestamp can hold


class Fate(Enum):
    """What the registry does with the object of a `Deletion`."""

    PENDING = "it is being deleted already and this request changes nothing"
    MARKED = "store the changed object; it stays"
    REMOVED = "remove it now"


@dataclass(frozen=True, slots=True)
class Deletion:
    """`obj` is a changed copy for MARKED and REMOVED (where it is the last state), the stored object for PENDING."""

    fate: Fate
    obj: JsonObject


def plan_deletion(strategy: Strategy, obj: JsonObject, options: Mapping[str, Any], now: datetime) -> Deletion:
    """What becomes of `obj` under these DeleteOptions; preconditions are the caller's."""
    changed = copy.deepcopy(obj)
    metadata = changed["metadata"]
    if not metadata.get("deletionTimestamp"):
        strategy.before_deletion(changed)
    grace = strategy.grace_period(changed, options)
    if grace is None:
        graceful, pending = False, False
    elif metadata.get("deletionTimestamp"):
        graceful, pending = _shorten(metadata, options)
    else:
        _mark(strategy, changed, now + timedelta(seconds=min(grace, _FAR_AWAY_S)), grace)
        graceful, pending = True, False
    if pending and not _set_finalizers(strategy, metadata, options):
        return Deletion(Fate.PENDING, obj)
    if not pending:
        _set_finalizers(strategy, metadata, options)
    held = bool(metadata.get("finalizers")) or not strategy.may_be_removed(changed)
    if pending or (graceful and (metadata.get("deletionGracePeriodSeconds") or 0) > 0):
        return Deletion(Fate.MARKED, changed)
    if not held:
        return Deletion(Fate.REMOVED, changed)
    if not graceful:
        _mark_without_grace(strategy, changed, now)
    return Deletion(Fate.PENDING if changed == obj else Fate.MARKED, changed)


def removed_by_update(strategy: Strategy, obj: JsonObject) -> bool:
    """Whether an object that an update is about to store has nothing left to wait for: its last finalizer went."""
    metadata = obj.get("metadata") or {}
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds") and strategy.may_be_removed(obj)


def deletion_finalizers(strategy: Strategy, metadata: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """The finalizers after a delete request, as its propagation policy wants them."""
    held = list(metadata.get("finalizers") or ())
    kept = [name for name in held if name not in {ORPHAN_FINALIZER, FOREGROUND_FINALIZER}]
    policy = _propagation(strategy, held, options)
    if policy == "Orphan":
        return [*kept, ORPHAN_FINALIZER]
    return [*kept, FOREGROUND_FINALIZER] if policy == "Foreground" else kept


def _propagation(strategy: Strategy, finalizers: list[str], options: Mapping[str, Any]) -> str:
    if not strategy.garbage_collected:
        return "Background"
    if options.get("orphanDependents") is not None:
        return "Orphan" if options["orphanDependents"] else "Background"
    if options.get("propagationPolicy"):
        return str(options["propagationPolicy"])
    for name in finalizers:
        if name in {ORPHAN_FINALIZER, FOREGROUND_FINALIZER}:
            return "Orphan" if name == ORPHAN_FINALIZER else "Foreground"
    return "Orphan" if strategy.default_dependents == ORPHAN else "Background"


def _set_finalizers(strategy: Strategy, metadata: JsonObject, options: Mapping[str, Any]) -> bool:
    """Whether anything changed."""
    held, wanted = list(metadata.get("finalizers") or ()), deletion_finalizers(strategy, metadata, options)
    if set(held) == set(wanted):
        return False
    if wanted:
        metadata["finalizers"] = wanted
    else:
        metadata.pop("finalizers", None)
    return True


def _shorten(metadata: JsonObject, options: Mapping[str, Any]) -> tuple[bool, bool]:
    """(graceful, pending) for an object that is being deleted already: its time may only become shorter."""
    held = metadata.get("deletionGracePeriodSeconds")
    if not held:
        return False, False                      # a removal that was interrupted: finish it
    asked = options.get("gracePeriodSeconds")
    if asked is None or asked >= held:
        return False, True
    asked = 1 if asked < 0 else asked
    metadata["deletionTimestamp"] = _text(_instant(metadata["deletionTimestamp"]) - timedelta(seconds=held - asked))
    metadata["deletionGracePeriodSeconds"] = asked
    return True, False


def _mark(strategy: Strategy, obj: JsonObject, when: datetime, grace_s: int) -> None:
    metadata = obj["metadata"]
    metadata["deletionTimestamp"] = _text(when)
    metadata["deletionGracePeriodSeconds"] = grace_s
    if metadata.get("generation"):
        metadata["generation"] += 1
    strategy.mark_deleted(obj)


def _mark_without_grace(strategy: Strategy, obj: JsonObject, now: datetime) -> None:
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or _instant(metadata["deletionTimestamp"]) > now:
        first = not metadata.get("deletionTimestamp")
        metadata["deletionTimestamp"] = _text(now)
        if first and metadata.get("generation"):
            metadata["generation"] += 1
        strategy.mark_deleted(obj)
    metadata["deletionGracePeriodSeconds"] = 0


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
