# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import EventSource, ObjectReference
from kube.api.meta_v1 import ObjectMeta


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("events.k8s.io", "v1", "Event")

    action: str = ""
    api_version: str = msgspec.field(default_factory=lambda: "events.k8s.io/v1")
    deprecated_count: int | None = None
    deprecated_first_timestamp: str = ""
    deprecated_last_timestamp: str = ""
    deprecated_source: EventSource | None = None
    event_time: str = ""
    kind: str = msgspec.field(default_factory=lambda: "Event")
    metadata: ObjectMeta = ObjectMeta()
    note: str = ""
    reason: str = ""
    regarding: ObjectReference | None = None
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""


class EventSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    count: int | None = None
    last_observed_time: str = ""
