"""What the expressions of a policy may use, and their compilation. Follows apiserver's admission/plugin/cel (compile, composition)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from control_plane.apiserver.admission.policies.patch_types import EXTENSION, PATCH_TYPES
from control_plane.apiserver.admission.webhooks.expressions import REQUEST
from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import invalid
from kube.cel import CompileError, Program, compile  # noqa: A004
from kube.cel.errors import InstantiationError
from kube.cel.types import (
    AUTHORIZER,
    BOOL,
    DYN,
    INT,
    NULL,
    RESOURCE_CHECK,
    STRING,
    TIMESTAMP,
    Field,
    ObjectType,
    Type,
    list_of,
    map_of,
)

VARIABLES_TYPE: Final = "kubernetes.variables"
_KEPT: Final = frozenset({"any", "bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint", "list", "map"})


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
_COMMON: Final[Mapping[str, Type]] = {"object": DYN, "oldObject": DYN, "namespaceObject": NAMESPACE, "request": REQUEST}
_CHECKS: Final[Mapping[str, Type]] = {"authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE_CHECK}


class Compiled(NamedTuple):
    """`program` is None where `error` tells why there is none; `internal`: it compiles, but cannot be run."""

    expression: str
    program: Program | None
    error: str = ""
    internal: bool = False

    def causes(self, path: str, shown: str | None = None) -> list[Cause]:
        """What validation says of it."""
        if not self.error:
            return []
        if self.internal:
            return [Cause("InternalError", path, f"Internal error: {self.error}")]
        return [invalid(path, self.expression if shown is None else shown, self.error)]


class Environment:
    """Of one policy. Its variables are compiled one after the other; each may use those before it."""

    def __init__(self, *, params: bool, composed: bool, patches: bool = False) -> None:
        """`composed`: there is the name `variables`. `patches`: expressions may make Object and JSONPatch."""
        self.variables: dict[str, Compiled] = {}
        self._params = params
        self._composed = composed
        self._patches = patches
        self._fields: dict[str, Type] = {}

    def add_variable(self, name: str, expression: str) -> Compiled:
        found = self.compile(expression, None, patches=self._patches)
        self._fields[name] = _variable_type(found.program.result_type) if found.program else DYN
        self.variables[name] = found
        return found

    def compile(
        self, expression: str, returns: Iterable[Type] | None, *, authorizer: bool = True, patches: bool = False, composed: bool = True,
    ) -> Compiled:
        """`returns`: the types that it may have; None: any."""
        names = {**_COMMON, **(_CHECKS if authorizer else {}), **({"params": DYN} if self._params else {})}
        if composed and self._composed:
            names["variables"] = ObjectType(VARIABLES_TYPE, self._fields)
        types, extensions = (PATCH_TYPES, EXTENSION) if patches else ({}, frozenset())
        try:
            program = compile(expression, names, result=None, types=types, extensions=extensions)
        except InstantiationError as error:
            return Compiled(expression, None, f"program instantiation failed: {error}", internal=True)
        except CompileError as error:
            return Compiled(expression, None, f"compilation failed: {error}")
        if returns is not None and program.result_type not in (wanted := list(returns)):
            said = " ".join(map(_shown, wanted))
            said = f"one of [{said}]" if len(wanted) > 1 else said
            return Compiled(expression, None, f"must evaluate to {said} but got {_shown(program.result_type)}")
        return Compiled(expression, program)


def _shown(type_: Type) -> str:
    return "null_type" if type_ == NULL else str(type_)


def _variable_type(type_: Type) -> Type:
    """The types of objects and of libraries are lost on the way through a variable, as upstream."""
    if type_.kind not in _KEPT:
        return DYN
    if type_.kind == "list":
        return list_of(_variable_type(type_.element))
    if type_.kind == "map":
        return map_of(*(_variable_type(one) for one in type_.params))
    return type_


BOOLEAN: Final = (BOOL,)
TEXT: Final = (STRING,)
TEXT_OR_NULL: Final = (STRING, NULL)
