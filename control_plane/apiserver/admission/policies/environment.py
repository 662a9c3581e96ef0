"""What the expressions of a policy may use, and their compilation. Follows apiserver's admission/plugin/cel (compile, composition)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from control_plane.apiserver.admission.policies.patch_types import EXTENSION, PATCH_TYPES
from control_plane.policy_types import NAMESPACE, REQUEST, VARIABLES_TYPE, variable_type
from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import invalid
from kube.cel import CompileError, Program, compile  # noqa: A004
from kube.cel.errors import InstantiationError
from kube.cel.types import AUTHORIZER, BOOL, DYN, NULL, RESOURCE_CHECK, STRING, ObjectType, Type

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
        self._fields[name] = variable_type(found.program.result_type) if found.program else DYN
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


BOOLEAN: Final = (BOOL,)
TEXT: Final = (STRING,)
TEXT_OR_NULL: Final = (STRING, NULL)
