"""What expressions of admission policies see beside objects: for the apiserver, and for the controller that checks their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kube.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Field, ObjectType, Type, list_of, map_of

VARIABLES_TYPE: Final = "kubernetes.variables"
_KEPT: Final = frozenset({"any", "bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint", "list", "map"})

_KIND: Final = ObjectType("kubernetes.GroupVersionKind", {"group": STRING, "version": STRING, "kind": STRING})
_RESOURCE: Final = ObjectType("kubernetes.GroupVersionResource", {"group": STRING, "version": STRING, "resource": STRING})
_USER: Final = ObjectType("kubernetes.UserInfo", {
    "username": STRING, "uid": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING)),
})
REQUEST: Final = ObjectType("kubernetes.AdmissionRequest", {
    "kind": _KIND, "resource": _RESOURCE, "subResource": STRING, "requestKind": _KIND, "requestResource": _RESOURCE,
    "requestSubResource": STRING, "name": STRING, "namespace": STRING, "operation": STRING, "userInfo": _USER, "dryRun": BOOL,
    "options": DYN,
})


def _declared(name: str, fields: Mapping[str, Type]) -> Type:
    """A type whose JSON is converted: times become timestamps."""
    return Type("object", name, fields={key: Field(type_, key) for key, type_ in fields.items()}, declared=True, min_size=2)


_CONDITION: Final = _declared("kubernetes.NamespaceCondition", {
    "status": STRING, "type": STRING, "lastTransitionTime": TIMESTAMP, "message": STRING, "reason": STRING,
})
NAMESPACE: Final = _declared("kubernetes.Namespace", {
    "metadata": _declared("kubernetes.NamespaceMetadata", {
        "name": STRING, "generateName": STRING, "namespace": STRING, "UID": STRING,
        "labels": map_of(STRING, STRING), "annotations": map_of(STRING, STRING),
        "creationTimestamp": TIMESTAMP, "deletionGracePeriodSeconds": INT, "deletionTimestamp": TIMESTAMP, "generation": INT,
        "resourceVersion": STRING, "finalizers": list_of(STRING),
    }),
    "spec": _declared("kubernetes.NamespaceSpec", {"finalizers": list_of(STRING)}),
    "status": _declared("kubernetes.NamespaceStatus", {"conditions": list_of(_CONDITION), "phase": STRING}),
})


def variable_type(type_: Type) -> Type:
    """The types of objects and of libraries are lost on the way through a variable, as upstream."""
    if type_.kind not in _KEPT:
        return DYN
    if type_.kind == "list":
        return list_of(variable_type(type_.element))
    if type_.kind == "map":
        return map_of(*(variable_type(one) for one in type_.params))
    return type_
