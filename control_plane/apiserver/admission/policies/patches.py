"""What a mutation makes of an object. Follows apiserver's policy/mutating/patch (smd.go, json_patch.go) and its dispatcher."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.admission.policies.evaluation import APPLY, FailedError, Inputs, Mutation, Run
from control_plane.apiserver.admission.policies.patch_types import check_type_names, to_json
from control_plane.apiserver.admission.policies.policy import Policy
from control_plane.apiserver.admission.webhooks.failures import internal
from control_plane.apiserver.admission.webhooks.versions import kind_of
from control_plane.apiserver.registry.decoding import check_object
from control_plane.apiserver.registry.object_meta import deep_copy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import ApiError, Invalid
from kube.apimachinery.managed_fields.merging import merge
from kube.apimachinery.managed_fields.typed import TypedError, check
from kube.apimachinery.managed_fields.types import FieldType, type_for
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.cel.values import Message


def mutated(
    policy: Policy, mutation: Mutation, inputs: Inputs, param: JsonObject | None, resource: ResourceType, subresource: str
) -> JsonObject:
    """A new object, defaulted. Raises FailedError, which the policy's failurePolicy judges, and ApiError, which ends the request."""
    if mutation.patch.error:
        raise FailedError(mutation.patch.error)
    bindings = inputs.bindings(param)
    held = bindings["object"]
    value = Run(policy.expressions.environment, bindings).evaluate(mutation.patch)
    gvk = kind_of(resource, subresource)
    found = _merged(value, held, gvk) if mutation.kind == APPLY else _patched(value, held)
    try:
        found = check_object(deep_copy(found), gvk, "Ignore", [])
    except ApiError as error:
        raise internal(error.message) from error
    if gvk == resource.gvk:
        strategy_for(resource).default(found)
    return found


def _merged(value: Any, held: JsonObject, gvk: GroupVersionKind) -> JsonObject:
    """ApplyConfiguration: merged as server-side apply does it, without owners of fields."""
    config = _content(value, "Object")
    config.update(apiVersion=held.get("apiVersion"), kind=held.get("kind"))
    kind = type_for(gvk)
    try:
        check(config, kind)
    except TypedError as error:
        raise FailedError(f"error applying patch: failed to convert patch object to typed object: {error}") from error
    if atomics := _atomics(config, kind, ""):
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomics)}"
        raise FailedError(f"error applying patch: invalid ApplyConfiguration: {why}")
    bare = {**held, "metadata": {key: value for key, value in (held.get("metadata") or {}).items() if key != "managedFields"}}
    try:
        merged = merge(bare, config, kind)
    except TypedError as error:
        raise FailedError(f"error applying patch: failed to merge patch: {error}") from error
    assert isinstance(merged, dict)
    if entries := (held.get("metadata") or {}).get("managedFields"):
        merged = {**merged, "metadata": {**merged.get("metadata", {}), "managedFields": entries}}
    return merged


def _atomics(value: Any, kind: FieldType, path: str) -> list[str]:
    """Paths of what the configuration would replace as a whole: nobody means to lose the rest of it."""
    found: list[str] = []
    if isinstance(value, dict) and kind.map is not None:
        if kind.map.atomic:
            found.append(path)
        for key, inner in value.items():
            if (inner_kind := kind.map.fields.get(key)) is not None:
                found += _atomics(inner, inner_kind, f"{path}.{key}")
    elif isinstance(value, list) and kind.list is not None:
        if kind.list.atomic:
            found.append(path)
        for index, inner in enumerate(value):
            found += _atomics(inner, kind.list.items, f"{path}[{index}]")
    return found


def _patched(value: Any, held: JsonObject) -> JsonObject:
    """JSONPatch: operations, all or none; one whose test fails changes nothing."""
    operations = [_operation(one) for one in value]
    try:
        return apply_json_patch(held, operations)
    except Invalid as error:
        why = str(error.__cause__ or error)
        if why.startswith("testing value"):
            return held
        raise FailedError(f"JSONPath: {why}") from error
    except ApiError as error:
        raise FailedError(f"JSONPath: {error.message}") from error


def _operation(value: JsonObject) -> JsonObject:
    made: JsonObject = {"op": value.get("op") or "", "path": value.get("path") or ""}
    if value.get("from"):
        made["from"] = value["from"]
    if "value" in value:
        content = value["value"]
        made["value"] = _content(content, getattr(content, "type_name", ""))     # it may stand anywhere; names in it begin with its own
    return made


def _content(value: Any, path: str) -> Any:
    try:
        if isinstance(value, Message):
            check_type_names(value, path)
        return to_json(value)
    except ValueError as error:
        raise FailedError(str(error)) from error
