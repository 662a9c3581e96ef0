"""Options of the verbs: read from query parameters or bodies, checked with upstream's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kube.apimachinery import errors
from kube.apimachinery.errors import BadRequest, Cause
from kube.apimachinery.fields import FieldSelector, parse_field_selector
from kube.apimachinery.go_text import go_quoted
from kube.apimachinery.labels import Selector, SelectorError, parse_selector
from kube.apimachinery.scheme import GroupVersionKind

FIELD_VALIDATIONS: Final = ("Ignore", "Warn", "Strict")
_DURATION: Final = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_INT64_MAX: Final = 2**63 - 1
PROPAGATION_POLICIES: Final = ("Orphan", "Background", "Foreground")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Of create, update and patch. `force` is None where the client does not speak of it."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    force: bool | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], kind: str) -> WriteOptions:
        return cls.checked(
            kind,
            dry_run=_all(query, "dryRun"),
            field_manager=query.get("fieldManager", ""),
            field_validation=query.get("fieldValidation", ""),
            force=is_true(query["force"]) if "force" in query else None,
        )

    @classmethod
    def checked(
        cls, kind: str, *, dry_run: Sequence[str] = (), field_manager: str = "", field_validation: str = "", force: bool | None = None
    ) -> WriteOptions:
        """`kind` (CreateOptions, ...) names the options in the error message."""
        causes = _dry_run_causes(dry_run)
        if field_validation and field_validation not in FIELD_VALIDATIONS:
            causes.append(_not_supported("fieldValidation", field_validation, ("", *sorted(FIELD_VALIDATIONS))))
        if len(field_manager.encode()) > 128:
            causes.append(Cause("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"))
        elif not field_manager.isprintable():
            at, char = next((at, char) for at, char in enumerate(field_manager) if not char.isprintable())
            why = f"invalid character U+{ord(char):04X} (at position {len(field_manager[:at].encode(errors='replace'))})"
            causes.append(Cause("FieldValueInvalid", "fieldManager", f"Invalid value: {go_quoted(field_manager)}: {why}"))
        if causes:
            raise errors.invalid(GroupVersionKind("meta.k8s.io", "v1", kind), "", causes)
        return cls(dry_run=bool(dry_run), field_manager=field_manager, field_validation=field_validation, force=force)

    def check_patch(self, *, apply: bool) -> None:
        """Raises Invalid for what fits the one kind of patch alone."""
        causes = []
        if apply and not self.field_manager:
            causes.append(Cause("FieldValueRequired", "fieldManager", "Required value: is required for apply patch"))
        if not apply and self.force is not None:
            causes.append(_forbidden("force", "may not be specified for non-apply patch"))
        if causes:
            raise errors.invalid(GroupVersionKind("meta.k8s.io", "v1", "PatchOptions"), "", causes)

    def to_object(self, kind: str) -> dict[str, Any]:
        """As admission sees them; of a patch too as UpdateOptions or CreateOptions."""
        given = {
            "dryRun": ["All"] if self.dry_run else None, "fieldManager": self.field_manager, "fieldValidation": self.field_validation,
        }
        return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **{key: value for key, value in given.items() if value}}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    dry_run: bool = False
    grace_period_s: int | None = None
    propagation_policy: str = ""
    orphan_dependents: bool | None = None
    uid: str = ""
    resource_version: str = ""
    raw: Mapping[str, Any] | None = None       # as admission plugins see it

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> DeleteOptions:
        policy, orphan = obj.get("propagationPolicy") or "", obj.get("orphanDependents")
        causes = _dry_run_causes(obj.get("dryRun") or [])
        if policy and orphan is not None:
            causes.append(Cause(
                "FieldValueInvalid", "propagationPolicy",
                f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set',
            ))
        if policy and policy not in PROPAGATION_POLICIES:
            causes.append(_not_supported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil")))
        if causes:
            raise errors.invalid(GroupVersionKind("meta.k8s.io", "v1", "DeleteOptions"), "", causes)
        preconditions = obj.get("preconditions") or {}
        grace_period_s = obj.get("gracePeriodSeconds")
        return cls(
            dry_run=bool(obj.get("dryRun")),
            # a negative period means at once, yet not by force: upstream makes it one second
            grace_period_s=1 if grace_period_s is not None and grace_period_s < 0 else grace_period_s,
            propagation_policy=policy,
            orphan_dependents=orphan,
            uid=preconditions.get("uid") or "",
            resource_version=preconditions.get("resourceVersion") or "",
            raw={"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", **obj},
        )

    @staticmethod
    def query_object(query: Mapping[str, str]) -> dict[str, Any]:
        """The query parameters of a DELETE as a DeleteOptions object."""
        obj: dict[str, Any] = {}
        if (seconds := query.get("gracePeriodSeconds")) is not None:
            obj["gracePeriodSeconds"] = _integer(seconds)
        if (orphan := query.get("orphanDependents")) is not None:
            obj["orphanDependents"] = is_true(orphan)
        if policy := query.get("propagationPolicy"):
            obj["propagationPolicy"] = policy
        if dry_run := _all(query, "dryRun"):
            obj["dryRun"] = dry_run
        return obj


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Of list, watch and deletecollection. `labels` and `fields` are None when everything matches."""

    labels: Selector | None = None
    fields: FieldSelector | None = None
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    timeout_s: float = 0.0
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None

    @property
    def selective(self) -> bool:
        return self.labels is not None or self.fields is not None

    @classmethod
    def from_query(cls, query: Mapping[str, str], *, watch: bool = False) -> ListOptions:
        initial = query.get("sendInitialEvents")
        send, match = None if initial is None else is_true(initial), query.get("resourceVersionMatch", "")
        if watch and send is None and not match and query.get("resourceVersion", "") in ("", "0"):
            send, match = True, "NotOlderThan"      # a watch that begins with what is there is a watch-list
        return cls.checked(
            watch=watch,
            label_selector=query.get("labelSelector", ""),
            field_selector=query.get("fieldSelector", ""),
            limit=max(0, _integer(query.get("limit", "0"))),
            continue_token=query.get("continue", ""),
            resource_version=query.get("resourceVersion", ""),
            resource_version_match=match,
            timeout_s=_integer(query.get("timeoutSeconds", "0")),
            allow_bookmarks=is_true(query.get("allowWatchBookmarks", "")),
            send_initial_events=send,
        )

    @classmethod
    def checked(cls, *, watch: bool = False, label_selector: str = "", field_selector: str = "", **options: Any) -> ListOptions:
        try:
            labels = parse_selector(label_selector) if label_selector else None
            fields = parse_field_selector(field_selector) if field_selector else None
        except SelectorError as error:
            raise BadRequest(str(error)) from error
        made = cls(labels=labels, fields=fields, **options)
        if causes := _list_causes(made, watch=watch):
            raise errors.invalid(GroupVersionKind("meta.k8s.io", "v1", "ListOptions"), "", causes)
        return made


def _list_causes(options: ListOptions, *, watch: bool) -> list[Cause]:
    match, version = options.resource_version_match, options.resource_version
    if watch:
        return _watch_causes(options)
    causes = []
    if options.send_initial_events is not None:
        causes.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        if not version:
            causes.append(_forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            causes.append(_forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            causes.append(_not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and version == "0":
            causes.append(_forbidden(
                "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            ))
    return causes


def _watch_causes(options: ListOptions) -> list[Cause]:
    match = options.resource_version_match
    if options.send_initial_events is None:
        if match:
            return [_forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )]
        return []
    causes = []
    if match != "NotOlderThan":
        causes.append(_forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        if match:
            causes.append(_not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
    if options.continue_token:
        causes.append(_forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
    return causes


def check_timeout(text: str) -> None:
    """The query parameter of requests that are not for long: a duration in Go's form. Raises BadRequest."""
    if text and not _DURATION.fullmatch(text):
        raise BadRequest(f"invalid timeout specified in the request URL - time: invalid duration {go_quoted(text[:64])}")


def parse_resource_version(text: str) -> int:
    """A resourceVersion as the number that it is to the server; "" and "0" are 0."""
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > _INT64_MAX:
        text = text[:64]
        shown = go_quoted(text)
        problem = f"strconv.ParseUint: parsing {shown}: invalid syntax"
        raise BadRequest(f"invalid resource version: resourceVersion: Invalid value: {shown}: {problem}")
    return int(text)


def is_true(text: str) -> bool:
    """As a boolean query parameter is read: present and not a spelling of false."""
    return text.lower() not in ("", "0", "f", "false")


def _integer(text: str) -> int:
    if not re.fullmatch("[+-]?[0-9]+", text, re.ASCII):
        raise BadRequest(f"strconv.ParseInt: parsing {go_quoted(text[:64])}: invalid syntax")
    if len(text) > 64 or not -_INT64_MAX - 1 <= int(text) <= _INT64_MAX:
        raise BadRequest(f"strconv.ParseInt: parsing {go_quoted(text[:64])}: value out of range")
    return int(text)


def _dry_run_causes(values: Sequence[str]) -> list[Cause]:
    if all(value == "All" for value in values):
        return []
    shown = json.dumps(list(values), separators=(",", ":"), ensure_ascii=False)
    return [Cause("FieldValueNotSupported", "dryRun", f'Unsupported value: {shown}: supported values: "All"')]


def _all(query: Mapping[str, str], name: str) -> list[str]:
    """Every value that the query gives a parameter."""
    every = getattr(query, "getall", None)
    if every is not None:
        return list(every(name, ()))
    return [query[name]] if name in query else []


def _forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", field, f"Forbidden: {why}")


def _not_supported(field: str, value: str, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in supported)
    return Cause("FieldValueNotSupported", field, f'Unsupported value: "{value}": supported values: {listed}')
