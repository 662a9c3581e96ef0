"""The FlowSchemas and PriorityLevelConfigurations a cluster starts with. Follows apiserver's apis/flowcontrol/bootstrap.

Mandatory ones ("exempt", "catch-all") always have their spec; suggested ones as long as their annotation says so.
"""

from __future__ import annotations

from typing import Final

from kube.apimachinery.meta import JsonObject

API_VERSION: Final = "flowcontrol.apiserver.k8s.io/v1"
AUTO_UPDATE: Final = "apf.kubernetes.io/autoupdate-spec"
MANDATORY: Final = frozenset({"exempt", "catch-all"})
FLOW_SCHEMA: Final = "FlowSchema"
PRIORITY_LEVEL: Final = "PriorityLevelConfiguration"

_LEASES: Final = "coordination.k8s.io"
_EVERYTHING: Final = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
_EVERY_PATH: Final = {"verbs": ["*"], "nonResourceURLs": ["*"]}
_BY_USER: Final = "ByUser"
_BY_NAMESPACE: Final = "ByNamespace"


def _group(name: str) -> JsonObject:
    return {"kind": "Group", "group": {"name": name}}


def _user(name: str) -> JsonObject:
    return {"kind": "User", "user": {"name": name}}


_EVERYBODY: Final = (_group("system:unauthenticated"), _group("system:authenticated"))
_MANAGER: Final = _user("system:kube-controller-manager")
_SCHEDULER: Final = _user("system:kube-scheduler")
_SYSTEM_ACCOUNTS: Final = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": "*"}}


def _made(kind: str, name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}}, "spec": spec}


def _limited(name: str, shares: int, lendable: int, queues: int = 0, hand: int = 0) -> JsonObject:
    """Without queues what comes too much is rejected."""
    response: JsonObject = {"type": "Reject"}
    if queues:
        response = {"type": "Queue", "queuing": {"queues": queues, "handSize": hand, "queueLengthLimit": 50}}
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response}
    return _made(PRIORITY_LEVEL, name, {"type": "Limited", "limited": limited})


def _schema(
    name: str, level: str, precedence: int, subjects: tuple[JsonObject, ...], distinguisher: str = "",
    resources: tuple[JsonObject, ...] = (_EVERYTHING,), paths: tuple[JsonObject, ...] = (_EVERY_PATH,),
) -> JsonObject:
    rule: JsonObject = {"subjects": list(subjects)}
    if resources:
        rule["resourceRules"] = list(resources)
    if paths:
        rule["nonResourceRules"] = list(paths)
    spec: JsonObject = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, "rules": [rule]}
    if distinguisher:
        spec["distinguisherMethod"] = {"type": distinguisher}
    return _made(FLOW_SCHEMA, name, spec)


def flow_control_objects() -> list[JsonObject]:
    """All of them, levels before the schemas that name them."""
    nodes = {"verbs": ["*"], "apiGroups": [""], "resources": ["nodes", "nodes/status"], "clusterScope": True, "namespaces": ["*"]}
    leases = {"verbs": ["*"], "apiGroups": [_LEASES], "resources": ["leases"], "namespaces": ["*"]}
    probes = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
    return [
        _made(PRIORITY_LEVEL, "exempt", {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}),
        _limited("catch-all", 5, 0),
        _limited("system", 30, 33, 64, 6),
        _limited("node-high", 40, 25, 64, 6),
        _limited("leader-election", 10, 0, 16, 4),
        _limited("workload-high", 40, 50, 128, 6),
        _limited("workload-low", 100, 90, 128, 6),
        _limited("global-default", 20, 50, 128, 6),
        _schema("exempt", "exempt", 1, (_group("system:masters"),)),
        _schema("probes", "exempt", 2, _EVERYBODY, resources=(), paths=(probes,)),
        _schema("system-leader-election", "leader-election", 100, (_MANAGER, _SCHEDULER, _SYSTEM_ACCOUNTS), _BY_USER,
                ({**leases, "verbs": ["get", "create", "update"]},), ()),
        _schema("system-node-high", "node-high", 400, (_group("system:nodes"),), _BY_USER, (nodes, leases), ()),
        _schema("system-nodes", "system", 500, (_group("system:nodes"),), _BY_USER),
        _schema("kube-controller-manager", "workload-high", 800, (_MANAGER,), _BY_NAMESPACE),
        _schema("kube-scheduler", "workload-high", 800, (_SCHEDULER,), _BY_NAMESPACE),
        _schema("kube-system-service-accounts", "workload-high", 900, (_SYSTEM_ACCOUNTS,), _BY_NAMESPACE),
        _schema("service-accounts", "workload-low", 9000, (_group("system:serviceaccounts"),), _BY_USER),
        _schema("global-default", "global-default", 9900, _EVERYBODY, _BY_USER),
        _schema("catch-all", "catch-all", 10000, _EVERYBODY, _BY_USER),
    ]
