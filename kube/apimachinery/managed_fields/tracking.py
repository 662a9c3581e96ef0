"""The managed fields of one kind, through one door (the object itself, or a subresource of it). Follows apimachinery's FieldManager.

What it adds to ownership.py: whose list of managers counts, bookkeeping that nobody owns, a bound on the number of managers, objects from
before the first apply, and the way over from client-side apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from kube.apimachinery.errors import ApiError, BadRequest
from kube.apimachinery.managed_fields import ownership
from kube.apimachinery.managed_fields.comparison import Reset, compare
from kube.apimachinery.managed_fields.conflicts import ApplyConflict
from kube.apimachinery.managed_fields.field_set import Node, difference, of
from kube.apimachinery.managed_fields.managers import (
    APPLY,
    UPDATE,
    ManagerId,
    Managers,
    decode_managers,
    encode_managers,
    is_reset,
    same_but_times,
)
from kube.apimachinery.managed_fields.ownership import Versions
from kube.apimachinery.managed_fields.typed import TypedError, check, fields_of
from kube.apimachinery.managed_fields.types import FieldType, type_for
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind

MAX_UPDATE_MANAGERS: Final = 10
MAX_ANNOTATIONS: Final = 256 * 1024
ANCIENT_CHANGES: Final = "ancient-changes"
BEFORE_FIRST_APPLY: Final = "before-first-apply"
KUBECTL: Final = "kubectl"                  # its appliers take over what its client-side apply wrote
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
NEVER_OWNED: Final = of([
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), *(
        ("f:metadata", f"f:{name}") for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion",
        )
    ),
])


@dataclass(frozen=True, slots=True)
class FieldTracker:
    """`reset` takes out of a set what a write through this door cannot change; `convert` gives an object in another served version."""

    gvk: GroupVersionKind
    subresource: str = ""
    reset: Reset | None = None
    convert: Callable[[JsonObject, str], JsonObject | None] | None = None

    def update(self, old: JsonObject | None, new: JsonObject, manager: str, now: str) -> None:
        """Sets metadata.managedFields of `new`, which a create (`old` is None), an update or a patch made. Raises TypedError."""
        given = (new.get("metadata") or {}).pop("managedFields", None)
        held = (old or {}).get("metadata", {}).get("managedFields")
        if old is not None and held and given is held:
            given = None                                # a patch that left them alone
        managers = self._managers(given, held)
        if managers or old is None:
            managers = self._updated(old, new, managers, manager, now)
        entries = encode_managers(managers)
        if entries:
            new.setdefault("metadata", {})["managedFields"] = held if held == entries else entries

    def _updated(self, old: JsonObject | None, new: JsonObject, managers: Managers, manager: str, now: str) -> Managers:
        me = ManagerId.of(manager or "unknown", UPDATE, self.gvk.api_version, self.subresource)
        before = _bare(old) if old is not None else self._empty()
        return capped(ownership.update(
            before, new, self.gvk.api_version, managers, me, now, self._versions, reset=self.reset, never_owned=NEVER_OWNED,
        ))

    def _managers(self, given: Any, held: Any) -> Managers:
        """The client's list counts where it is one, is valid and not empty, and where it writes the object itself."""
        known = _decoded_or_none(held) or {}
        if self.subresource or given is None:
            return known
        if is_reset(given):
            return {}
        return _decoded_or_none(given, known) or known

    def apply(self, live: JsonObject | None, config: JsonObject, manager: str, now: str, *, force: bool) -> JsonObject:
        """The new object with its managedFields; `live` is None when there is none yet. Raises ApplyConflict, BadRequest, ApiError."""
        self._check(config)
        held = (live or {}).get("metadata", {}).get("managedFields") or ()
        try:
            managers = decode_managers(held)
        except ValueError as error:
            raise ApiError(f"failed to decode managed fields: {error}") from error
        before = _bare(live) if live is not None else self._empty()
        if not managers and live is not None:
            managers = self._updated(None, before, {}, BEFORE_FIRST_APPLY, now)
        me = ManagerId.of(manager, APPLY, "", self.subresource)
        new, managers = self._applied(before, config, managers, me, force=force)
        if new is None:
            new = before
        elif me in managers:
            managers[me] = managers[me].at(now)
        new = {**new, "metadata": dict(new.get("metadata") or {})}
        if entries := encode_managers(managers):
            new["metadata"]["managedFields"] = entries
        if manager == KUBECTL:
            _note_last_applied(new, config)
        return new

    def _check(self, config: JsonObject) -> None:
        gvk = GroupVersionKind.of(_text(config.get("apiVersion")), _text(config.get("kind")))
        if gvk != self.gvk:
            raise BadRequest(f"invalid object type: {gvk.group}/{gvk.version}, Kind={gvk.kind}")
        metadata = config.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("managedFields"), list):
            raise BadRequest("metadata.managedFields must be nil")
        try:
            check(config, self._kind(self.gvk.api_version))
        except TypedError as error:
            raise ApiError(f"failed to create typed patch object ({self._named(config)}): {error}") from error

    def _applied(
        self, live: JsonObject, config: JsonObject, managers: Managers, me: ManagerId, *, force: bool
    ) -> tuple[JsonObject | None, Managers]:
        def attempt(force: bool) -> tuple[JsonObject | None, Managers]:
            return ownership.apply(
                live, config, self.gvk.api_version, managers, me, self._versions, force=force, reset=self.reset, never_owned=NEVER_OWNED,
            )

        try:
            return attempt(force)
        except ValueError as error:             # TypedError, and items without a name in what was stored long ago
            raise ApiError(f"failed to merge config: {error}") from error
        except ApplyConflict as conflict:
            if me.manager != KUBECTL or (allowed := self._last_applied_fields(live)) is None:
                raise
            if rest := conflict.outside(allowed):
                raise ApplyConflict(rest) from conflict
            return attempt(True)

    def _last_applied_fields(self, live: JsonObject) -> Node | None:
        """What kubectl's client-side apply wrote and nobody has changed since; None where it never did."""
        text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
        try:
            last = msgspec.json.decode(text or "")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if not isinstance(last, dict) or last.get("apiVersion") != self.gvk.api_version:
            return None
        kind = self._kind(self.gvk.api_version)
        try:
            check(last, kind)
            changed = compare(last, live, kind)
        except TypedError:
            return None
        return difference(difference(fields_of(last, kind), changed.set), changed.removed)

    def _empty(self) -> JsonObject:
        return {"apiVersion": self.gvk.api_version, "kind": self.gvk.kind}

    @property
    def _versions(self) -> Versions:
        def converted(obj: JsonObject, api_version: str) -> JsonObject | None:
            if obj.get("apiVersion") == api_version:
                return obj
            return self.convert(obj, api_version) if self.convert is not None else None

        return Versions(converted, self._kind)

    def _kind(self, api_version: str) -> FieldType:
        return type_for(GroupVersionKind.of(api_version, self.gvk.kind))

    def _named(self, obj: JsonObject) -> str:
        metadata = obj.get("metadata")
        namespace, name = map(_text, (metadata.get("namespace"), metadata.get("name"))) if isinstance(metadata, dict) else ("", "")
        return f"{namespace}/{name}; {self.gvk.group}/{self.gvk.version}, Kind={self.gvk.kind}"


def keep_times(obj: JsonObject, old: JsonObject) -> None:
    """A write that changes nothing but times of managers changes nothing: they stay what they were, so that nothing is stored."""
    metadata, before = obj["metadata"], old["metadata"]
    entries, held = metadata.get("managedFields"), before.get("managedFields")
    if not entries or not held or entries is held or not same_but_times(entries, held):
        return
    if obj.keys() != old.keys() or any(obj[key] != old[key] for key in obj if key != "metadata"):
        return
    if {**metadata, "managedFields": None} == {**before, "managedFields": None}:
        metadata["managedFields"] = held


def capped(managers: Managers) -> Managers:
    """At most so many managers that update; the oldest become one for each version."""
    updaters = [manager for manager in managers if manager.operation == UPDATE]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return managers
    updaters.sort(key=lambda manager: (managers[manager].time or "", manager.sort_text))
    kept, count, first = dict(managers), len(updaters), dict[str, ManagerId]()
    for manager in updaters:
        if count <= MAX_UPDATE_MANAGERS:
            break
        entry = managers[manager]
        version = entry.api_version
        bucket = ManagerId.of(ANCIENT_CHANGES, UPDATE, version, "")
        if version not in first:
            first[version] = manager
            continue
        if bucket not in kept:
            kept[bucket] = kept.pop(first[version])
        kept[bucket] = ownership.joined(kept[bucket], entry)
        if manager != bucket:
            del kept[manager]
        count -= 1
    return kept


def _text(value: Any) -> str:
    """Of a configuration that nobody has checked yet."""
    return value if isinstance(value, str) else ""


def _bare(obj: JsonObject) -> JsonObject:
    """Without managedFields; shares the rest."""
    metadata = obj.get("metadata") or {}
    if "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}


def _decoded_or_none(entries: Any, known: Managers | None = None) -> Managers | None:
    try:
        return decode_managers(entries or (), known)
    except (ValueError, AttributeError):
        return None


def _note_last_applied(new: JsonObject, config: JsonObject) -> None:
    """Client-side apply goes on from what was applied last, wherever; only for objects that it has already."""
    annotations = new["metadata"].get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    applied = {**config, "metadata": dict(config.get("metadata") or {})}
    given = applied["metadata"].get("annotations")
    if isinstance(given, dict):
        applied["metadata"]["annotations"] = {key: value for key, value in given.items() if key != LAST_APPLIED}
    text = msgspec.json.encode(applied, order="sorted").decode() + "\n"
    noted = {**annotations, LAST_APPLIED: text}
    if sum(len(key.encode()) + len(value.encode()) for key, value in noted.items()) > MAX_ANNOTATIONS:
        del noted[LAST_APPLIED]
    new["metadata"]["annotations"] = noted
