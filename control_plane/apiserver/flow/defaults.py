"""The FlowSchemas and PriorityLevelConfigurations of a new cluster. Follows apiserver's apis/flowcontrol/bootstrap.

The mandatory ones count even while they are missing; the suggested ones until the first is stored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from control_plane.apiserver.authentication.user import (
    AUTHENTICATED_GROUP,
    MASTERS_GROUP,
    NODES_GROUP,
    SERVICE_ACCOUNTS_GROUP,
    UNAUTHENTICATED_GROUP,
)
from control_plane.storage.errors import StorageError
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.process.log import get_logger

if TYPE_CHECKING:
    from control_plane.apiserver.bootstrap.system_objects import Bootstrap

log = get_logger("flow-control")

API_VERSION: Final = "flowcontrol.apiserver.k8s.io/v1"
EXEMPT: Final = "exempt"
CATCH_ALL: Final = "catch-all"
_USER, _NAMESPACE = "ByUser", "ByNamespace"
_QUEUE_LENGTH: Final = 50


def _group(*names: str) -> list[Any]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _user(*names: str) -> list[Any]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _resources(verbs: list[str], groups: list[str], resources: list[str], *, cluster: bool) -> JsonObject:
    rule: JsonObject = {"verbs": verbs, "apiGroups": groups, "resources": resources, "namespaces": ["*"]}
    return {**rule, "clusterScope": True} if cluster else rule


_EVERYBODY: Final = _group(UNAUTHENTICATED_GROUP, AUTHENTICATED_GROUP)
_SYSTEM_ACCOUNTS: Final = [{"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "kube-system"}}]
_ALL: Final = [_resources(["*"], ["*"], ["*"], cluster=True)]
_ALL_PATHS: Final = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
_LEASES: Final = (["coordination.k8s.io"], ["leases"])

# name, priority level, precedence, distinguisher, subjects, resource rules, paths
_SCHEMAS: Final[tuple[tuple[str, str, int, str, list[Any], list[Any], list[Any]], ...]] = (
    ("exempt", EXEMPT, 1, "", _group(MASTERS_GROUP), _ALL, _ALL_PATHS),
    ("probes", EXEMPT, 2, "", _EVERYBODY, [], [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]),
    ("system-leader-election", "leader-election", 100, _USER,
     _user("system:kube-controller-manager", "system:kube-scheduler") + _SYSTEM_ACCOUNTS,
     [_resources(["get", "create", "update"], *_LEASES, cluster=False)], []),
    ("system-node-high", "node-high", 400, _USER, _group(NODES_GROUP),
     [_resources(["*"], [""], ["nodes", "nodes/status"], cluster=True), _resources(["*"], *_LEASES, cluster=False)], []),
    ("system-nodes", "system", 500, _USER, _group(NODES_GROUP), _ALL, _ALL_PATHS),
    ("kube-controller-manager", "workload-high", 800, _NAMESPACE, _user("system:kube-controller-manager"), _ALL, _ALL_PATHS),
    ("kube-scheduler", "workload-high", 800, _NAMESPACE, _user("system:kube-scheduler"), _ALL, _ALL_PATHS),
    ("kube-system-service-accounts", "workload-high", 900, _NAMESPACE, _SYSTEM_ACCOUNTS, _ALL, _ALL_PATHS),
    ("service-accounts", "workload-low", 9000, _USER, _group(SERVICE_ACCOUNTS_GROUP), _ALL, _ALL_PATHS),
    ("global-default", "global-default", 9900, _USER, _EVERYBODY, _ALL, _ALL_PATHS),
    ("catch-all", CATCH_ALL, 10000, _USER, _EVERYBODY, _ALL, _ALL_PATHS),
)
# name, shares, percent that is lent, queues, hand size
_LEVELS: Final = (
    ("system", 30, 33, 64, 6), ("node-high", 40, 25, 64, 6), ("leader-election", 10, 0, 16, 4), ("workload-high", 40, 50, 128, 6),
    ("workload-low", 100, 90, 128, 6), ("global-default", 20, 50, 128, 6),
)


async def ensure_flow_objects(bootstrap: Bootstrap) -> None:
    """Stores those that are missing. What cannot be stored now is left to the next start."""
    await asyncio.gather(*(_ensure(bootstrap, obj) for obj in (*default_levels(), *default_schemas())))


async def _ensure(bootstrap: Bootstrap, obj: JsonObject) -> None:
    try:
        await bootstrap.ensure(obj)
    except (ApiError, StorageError) as error:
        log.warning("cannot store an object of priority and fairness", name=obj["metadata"]["name"], error=str(error))


def default_schemas() -> list[JsonObject]:
    return [_schema(*row) for row in _SCHEMAS]


def default_levels() -> list[JsonObject]:
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    catch_all = {"type": "Limited", "limited": {
        "nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}}
    levels = [_level(EXEMPT, exempt), _level(CATCH_ALL, catch_all)]
    for name, shares, lent, queues, hand in _LEVELS:
        queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": _QUEUE_LENGTH}
        levels.append(_level(name, {"type": "Limited", "limited": {
            "nominalConcurrencyShares": shares, "lendablePercent": lent, "limitResponse": {"type": "Queue", "queuing": queuing}}}))
    return levels


def _schema(
    name: str, level: str, precedence: int, distinguisher: str, subjects: list[Any], resources: list[Any], paths: list[Any]
) -> JsonObject:
    rules: JsonObject = {"subjects": subjects}
    rules |= {key: value for key, value in (("resourceRules", resources), ("nonResourceRules", paths)) if value}
    spec: JsonObject = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rules]}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    return {"apiVersion": API_VERSION, "kind": "FlowSchema", "metadata": _metadata(name), "spec": spec}


def _level(name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": "PriorityLevelConfiguration", "metadata": _metadata(name), "spec": spec}


def _metadata(name: str) -> JsonObject:
    return {"name": name, "annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}
