"""Managed fields of a request: whose they become, and what a write through its door cannot change.

The rules are in kube.apimachinery.managed_fields.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.storage.conversion import convert
from kube.apimachinery.managed_fields.comparison import Reset
from kube.apimachinery.managed_fields.field_set import Node, Path, difference, of
from kube.apimachinery.managed_fields.managers import decode_managers, encode_managers
from kube.apimachinery.managed_fields.scale import REPLICAS, ReplicasPath
from kube.apimachinery.managed_fields.tracking import FieldTracker
from kube.apimachinery.managed_fields.typed import TypedError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger

log = get_logger("field-tracking")

MAX_MANAGER_BYTES: Final = 128
_METADATA, _SPEC, _STATUS = ("f:metadata",), ("f:spec",), ("f:status",)
# What the strategies put back (upstream's GetResetFields), where it is not status through the object and spec through its status.
_RESET: Final[dict[tuple[str, str], tuple[Path, ...]]] = {
    ("deployments", "status"): (_SPEC, ("f:metadata", "f:labels")),
    ("pods", "status"): (_SPEC, ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")),
    ("certificatesigningrequests", ""): (_SPEC, _STATUS),
    ("certificatesigningrequests", "status"): (_METADATA, _SPEC, ("f:status", "f:conditions")),
    ("certificatesigningrequests", "approval"): (_SPEC, ("f:status", "f:certificate")),
    **{(plural, "status"): (_METADATA, _SPEC) for plural in (
        "customresourcedefinitions", "apiservices", "flowschemas", "prioritylevelconfigurations", "volumeattachments",
        "validatingadmissionpolicies", "resourceclaims", "devicetaintrules",
    )},
}


def manager_of(call: Call, options: WriteOptions) -> str:
    """The field manager that the client names, else its program's name."""
    return options.field_manager or _program(call.user_agent)


@lru_cache(maxsize=256)
def _program(user_agent: str) -> str:
    name = "".join(char for char in user_agent.partition("/")[0] if char.isprintable())
    return name.encode()[:MAX_MANAGER_BYTES].decode(errors="ignore")


def track_write(call: Call, old: JsonObject | None, obj: JsonObject, options: WriteOptions, clock: Clock) -> None:
    """Sets the managed fields of what a create, update or patch made. A write never fails for them: then they stay what they were."""
    try:
        tracker_for(call.resource, call.subresource).update(old, obj, manager_of(call, options), to_rfc3339(clock.now()))
    except TypedError as error:
        log.info("managed fields not updated", resource=str(call.group_resource), object=str(call.key), error=str(error))
        if held := (old or {}).get("metadata", {}).get("managedFields"):
            obj["metadata"]["managedFields"] = held


def after_admission(obj: JsonObject, before: Any, warnings: list[str]) -> None:
    """What a mutating plugin made of the managed fields counts if it is valid."""
    metadata = obj["metadata"]
    if (entries := metadata.get("managedFields")) is before:
        return
    try:
        metadata["managedFields"] = encode_managers(decode_managers(entries or (), decode_managers(before or ())))
    except ValueError as error:
        metadata["managedFields"] = before
        warnings.append(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission "
            f"controller; please fix your requests: {error}"
        )
    if not metadata["managedFields"]:
        del metadata["managedFields"]


@lru_cache(maxsize=1024)
def tracker_for(resource: ResourceType, subresource: str) -> FieldTracker:
    def converted(obj: JsonObject, api_version: str) -> JsonObject | None:
        served = SCHEME.for_kind(GroupVersionKind.of(api_version, resource.kind))
        same = served is not None and served.storage_identity == resource.storage_identity
        return convert(resource, obj, api_version) if same else None

    return FieldTracker(resource.gvk, subresource, _reset(resource, subresource), converted)


def replicas_path_of(resource: ResourceType) -> ReplicasPath:
    """Where the versions of a kind have the replicas that its scale stands for."""
    if resource.custom is None:
        return lambda api_version: REPLICAS
    versions = resource.custom.definition.versions

    def path_in(api_version: str) -> Path | None:
        version = versions.get(api_version.rpartition("/")[2])
        if version is None or version.scale is None:
            return None
        return tuple(f"f:{name}" for name in version.scale["specReplicasPath"].removeprefix(".").split("."))

    return path_in


def _reset(resource: ResourceType, subresource: str) -> Reset | None:
    default: tuple[Path, ...] = ()
    if "status" in resource.subresources:
        own_status = (_METADATA, _SPEC) if resource.custom is not None else (_SPEC,)
        default = {"": (_STATUS,), "status": own_status}.get(subresource, ())
    fields = of(_RESET.get((resource.plural, subresource), default))

    def without(found: Node) -> Node:
        return difference(found, fields, recursive=True)

    return without if fields else None

