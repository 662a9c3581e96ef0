"""Functions: what the checker resolves calls to, and what evaluation runs.

An Overload is one signature of a function with its implementation; a method's first argument is its target. Libraries hand in tables
of them; `table_of` merges them, once for each set of extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from kube.cel.errors import EvaluationError
from kube.cel.types import Type
from kube.cel.values import NO_OVERLOAD, Optional, type_name

Implementation = Callable[..., Any]


class Overload:
    """One signature. `id` is cel-go's: costs are told by it."""

    __slots__ = ("args", "call", "generic", "guarded", "id", "member", "result")

    def __init__(
        self, id_: str, args: tuple[Type, ...], result: Type, call: Implementation, *, member: bool = False, guarded: bool = True,
    ) -> None:
        self.id = id_
        self.args = args
        self.result = result
        self.call = call
        self.member = member
        self.guarded = guarded          # values of unknown type are looked at before the call
        self.generic = tuple(sorted({name for type_ in (*args, result) for name in _params(type_)}))


def method(id_: str, args: tuple[Type, ...], result: Type, call: Implementation, *, guarded: bool = True) -> Overload:
    """An overload called on its first argument."""
    return Overload(id_, args, result, call, member=True, guarded=guarded)


Table = dict[str, list[Overload]]

KUBERNETES: Final = (
    "kube.cel.standard", "kube.cel.library.optionals", "kube.cel.library.urls", "kube.cel.library.regexes", "kube.cel.library.authorizer",
    "kube.cel.library.quantities", "kube.cel.library.strings", "kube.cel.library.sets", "kube.cel.library.addresses",
    "kube.cel.library.formats", "kube.cel.library.semvers", "kube.cel.library.list_functions", "kube.cel.library.lists",
)
EXTENSIONS: Final = {            # known to cel-go; Kubernetes has each only in some places, or nowhere
    "bindings": (),              # cel.bind: a macro alone. Resource claims' selectors
    "jsonpatch": ("kube.cel.library.json_patch",),     # mutating admission policies
    "math": ("kube.cel.library.maths",),
    "encoders": ("kube.cel.library.encoders",),
}


@lru_cache(maxsize=16)
def table_of(extensions: frozenset[str]) -> Table:
    """All functions of Kubernetes' environment, and of the extensions."""
    merged: Table = {}
    wanted = (*KUBERNETES, *(module for name in sorted(extensions) for module in EXTENSIONS[name]))
    for name in wanted:
        functions: Table = import_module(name).FUNCTIONS
        for function, overloads in functions.items():
            merged.setdefault(function, []).extend(overloads)
    return merged


def dispatcher(function: str, overloads: Iterable[Overload]) -> Implementation:
    """Chooses by the values at run time, where the types did not tell."""
    known = list(overloads)

    def call(*args: Any) -> Any:
        for overload in known:
            if len(overload.args) == len(args) and all(map(accepts, overload.args, args)):
                return overload.call(*args)
        raise EvaluationError(f"{NO_OVERLOAD}: {function}")
    return call


_ACCEPTED: Final = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration", "null": "null_type"}


def accepts(type_: Type, value: Any) -> bool:
    """Whether a value can be an argument of this type."""
    kind = type_.kind
    if kind in ("dyn", "param"):
        return True
    name = type_name(value)
    if kind in ("object", "opaque"):
        return name == type_.name or (isinstance(value, Optional) and type_.name == "optional_type")
    if kind == "list":
        return name == "list" and (not value or accepts(type_.element, value[0]))
    return name == _ACCEPTED.get(kind, kind)


def _params(type_: Type) -> Iterable[str]:
    if type_.kind == "param":
        yield type_.name
    for inner in type_.params:
        yield from _params(inner)
