"""Makes sure, at every start, that the default roles and bindings are there. Follows upstream's RBAC post-start hook."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import uuid
from typing import Final

from control_plane.apiserver.authorization.default_component_roles import (
    COMPONENT_BINDINGS,
    COMPONENT_ROLES,
    NAMESPACE_BINDINGS,
    NAMESPACE_ROLES,
)
from control_plane.apiserver.authorization.default_controller_roles import CONTROLLER_BINDINGS, CONTROLLER_ROLES
from control_plane.apiserver.authorization.default_user_roles import USER_ROLES
from control_plane.apiserver.authorization.policy_notation import AUTOUPDATE
from control_plane.apiserver.authorization.rbac_index import RBAC_GROUP
from control_plane.apiserver.authorization.rules import compact, not_covered, rules_of
from control_plane.storage.cached_object import encode_value
from control_plane.storage.errors import KeyExists, RevisionMismatch
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key, resource_prefix
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.managed_fields.tracking import FieldTracker
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger

log = get_logger("bootstrap-policy")

_ROLES: Final = (*USER_ROLES, *COMPONENT_ROLES, *CONTROLLER_ROLES)


def bootstrap_objects() -> list[JsonObject]:
    """Roles first, so that no binding is ever seen without its role. Aggregated roles come with their rules filled in.

    Only the outermost level and `metadata` are copies, to be completed; what is below belongs to the module.
    """
    roles = [_aggregated(role) for role in _ROLES]
    objects = (*roles, *NAMESPACE_ROLES, *COMPONENT_BINDINGS, *CONTROLLER_BINDINGS, *NAMESPACE_BINDINGS)
    return [{**obj, "metadata": {**obj["metadata"]}} for obj in objects]


async def ensure_bootstrap_policy(store: EtcdStore, cache: WatchCache, clock: Clock) -> None:
    """Creates what is missing and adds what has been taken away, unless `rbac.authorization.kubernetes.io/autoupdate` is "false".

    Safe with several apiservers at once. Call when the cache is ready; namespaces of Roles need not exist yet.
    """
    now = to_rfc3339(clock.now())
    missing, changed = [], 0
    for wanted in bootstrap_objects():
        resource, key = _resource_of(wanted), NamespacedName.of(wanted)
        held = cache.get(resource, key)
        if held is None:
            missing.append((resource, key, wanted))
        elif merged := reconciled(held.obj, wanted):
            changed += 1
            await _update(store, resource, key, merged, held.revision)
    for kind in ("roles", "bindings"):
        await asyncio.gather(*(
            _create(store, resource, key, wanted, now) for resource, key, wanted in missing if resource.plural.endswith(kind)
        ))
    await cache.fresh()
    if missing or changed:
        log.info("made sure of default roles and bindings", created=len(missing), updated=changed)


def reconciled(held: JsonObject, wanted: JsonObject) -> JsonObject | None:
    """`held` with what is missing in it; None when nothing is, or its owner said "false". What was added by hand stays."""
    annotations = held["metadata"].get("annotations") or {}
    if annotations.get(AUTOUPDATE) == "false":
        return None
    merged = copy.deepcopy(held)
    for field in ("labels", "annotations"):
        merged["metadata"][field] = wanted["metadata"][field] | (held["metadata"].get(field) or {})
    if "roleRef" in wanted:
        present = held.get("subjects") or []
        merged["subjects"] = present + [subject for subject in wanted["subjects"] if subject not in present]
    elif "aggregationRule" in wanted:
        merged["aggregationRule"] = held.get("aggregationRule") or wanted["aggregationRule"]
        merged["rules"] = held.get("rules") or wanted["rules"]      # kept by the aggregation controller afterwards
    else:
        lost = compact(not_covered(rules_of(wanted), rules_of(held)))
        merged["rules"] = [*(held.get("rules") or []), *(rule.to_dict() for rule in lost)]
    return None if _without_empty(merged) == _without_empty(held) else merged


def _without_empty(obj: JsonObject) -> JsonObject:
    return {field: value for field, value in obj.items() if value or field not in ("rules", "subjects")}


async def _create(store: EtcdStore, resource: ResourceType, key: NamespacedName, wanted: JsonObject, now: str) -> None:
    FieldTracker(resource.gvk).update(None, wanted, "kube-apiserver", now)
    wanted["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    with contextlib.suppress(KeyExists):                # another apiserver was first, with the same
        await store.create(object_key(resource, key), encode_value(resource, wanted))


async def _update(store: EtcdStore, resource: ResourceType, key: NamespacedName, merged: JsonObject, revision: int) -> None:
    try:
        await store.update(object_key(resource, key), encode_value(resource, merged), expected_revision=revision)
    except RevisionMismatch:
        log.info("default object changed meanwhile, left as it is", resource=resource_prefix(resource), name=str(key))


def _aggregated(role: JsonObject) -> JsonObject:
    if "aggregationRule" not in role:
        return role
    found: list[JsonObject] = []
    for selector in role["aggregationRule"]["clusterRoleSelectors"]:
        wanted = selector["matchLabels"].items()
        for other in _ROLES:
            if other is not role and wanted <= other["metadata"]["labels"].items():
                found += [rule for rule in _aggregated(other)["rules"] if rule not in found]
    return role | {"rules": found}


def _resource_of(obj: JsonObject) -> ResourceType:
    resource = SCHEME.for_kind(GroupVersionKind(RBAC_GROUP, "v1", obj["kind"]))
    assert resource is not None
    return resource


