"""Nodes, Namespaces, Events, Leases and the classes Pods refer to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, number, wide
from control_plane.apiserver.tables.text import NONE, UNKNOWN, age, condition, name_of, since
from kube.apimachinery.meta import JsonObject

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
_ROLE_LABEL: Final = "kubernetes.io/role"


def node_roles(node: JsonObject) -> list[str]:
    labels = (node.get("metadata") or {}).get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    return sorted((roles | {labels.get(_ROLE_LABEL) or ""}) - {""})


def _node(obj: JsonObject, now: datetime) -> list[Any]:
    status, ready = obj.get("status") or {}, condition(obj, "Ready")
    words = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if (obj.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    info = status.get("nodeInfo") or {}
    return [
        name_of(obj), ",".join(words), ",".join(node_roles(obj)) or NONE, age(obj, now), info.get("kubeletVersion") or "",
        _address(status, "InternalIP"), _address(status, "ExternalIP"), info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN, info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _address(status: JsonObject, kind: str) -> str:
    return next((item.get("address") or "" for item in status.get("addresses") or () if item.get("type") == kind), NONE)


def _namespace(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("status") or {}).get("phase") or "", age(obj, now)]


def _event(obj: JsonObject, now: datetime) -> list[Any]:
    """Both shapes of an Event."""
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    series = obj.get("series")
    first = since(obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime"), now)
    stamp = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    last = since(stamp, now) if stamp else first
    count = obj.get("count") or obj.get("deprecatedCount") or 1
    if series is not None:
        last, count = since(series.get("lastObservedTime"), now), series.get("count") or 0
    kind, name = (about.get("kind") or "").lower(), about.get("name") or ""
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return [
        last, obj.get("type") or "", obj.get("reason") or "", f"{kind}/{name}" if name else kind, about.get("fieldPath") or "",
        f"{component}, {host}" if host else component, (obj.get("message") or obj.get("note") or "").strip(), first, count, name_of(obj),
    ]


def _lease(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age(obj, now)]


def _priority_class(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("value") or 0, bool(obj.get("globalDefault")), age(obj, now), obj.get("preemptionPolicy") or ""]


def _runtime_class(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("handler") or "", age(obj, now)]


def _component_status(obj: JsonObject, now: datetime) -> list[Any]:
    healthy: JsonObject = next((item for item in obj.get("conditions") or () if item.get("type") == "Healthy"), {})
    word = {"True": "Healthy", None: "Unknown"}.get(healthy.get("status"), "Unhealthy")
    return [name_of(obj), word, healthy.get("message") or "", healthy.get("error") or ""]


NODE: Final = Table((
    NAME, Column("Status", "The status of the node"), Column("Roles", "The roles of the node"), AGE,
    Column("Version", "@status.nodeInfo.kubeletVersion"),
    wide("Internal-IP", "@status.addresses"), wide("External-IP", "@status.addresses"),
    wide("OS-Image", "@status.nodeInfo.osImage"), wide("Kernel-Version", "@status.nodeInfo.kernelVersion"),
    wide("Container-Runtime", "@status.nodeInfo.containerRuntimeVersion"),
), _node)
NAMESPACE: Final = Table((NAME, Column("Status", "The status of the namespace"), AGE), _namespace)
EVENT: Final = Table((
    Column("Last Seen", "@lastTimestamp"), Column("Type", "@type"), Column("Reason", "@reason"), Column("Object", "@involvedObject"),
    wide("Subobject", "@involvedObject.fieldPath"), wide("Source", "@source"), Column("Message", "@message"),
    wide("First Seen", "@firstTimestamp"), wide("Count", "@count"), Column("Name", "@metadata.name", format="name", priority=1),
), _event)
LEASE: Final = Table((NAME, Column("Holder", "@spec.holderIdentity"), AGE), _lease)
PRIORITY_CLASS: Final = Table((
    NAME, number("Value", "@value"), Column("Global-Default", "@globalDefault", "boolean"), AGE,
    Column("PreemptionPolicy", "@preemptionPolicy"),
), _priority_class)
RUNTIME_CLASS: Final = Table((NAME, Column("Handler", "@handler"), AGE), _runtime_class)
COMPONENT_STATUS: Final = Table((
    NAME, Column("Status", "Status of the component conditions"), Column("Message", "Message of the component conditions"),
    Column("Error", "Error of the component conditions"),
), _component_status)
