"""What calls cost at run time: cel-go's model, with what Kubernetes' libraries charge (k8s.io/apiserver/pkg/cel/library/cost.go).

`call_cost` answers when a call is compiled: a number where the cost does not depend on the values, else a function of the arguments and
the result. Names and constants are free or cost 1; the compiler counts those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from kube.cel.types import SCALARS, Type
from kube.cel.values import size_of

Cost = Callable[[tuple[Any, ...], Any], int]

IDENT: Final = 1
LIST: Final = 10
MAP: Final = 30
STRUCT: Final = 40
TRAVERSAL: Final = 0.1           # a character of a string
REGEX: Final = 0.25              # a character of a pattern

_CHECK: Final = 350_000          # an authorization check: two fit into an expression
_OBJECTS: Final = frozenset({
    "kubernetes.Quantity", "net.IP", "net.CIDR", "kubernetes.NamedFormat", "kubernetes.URL", "kubernetes.Semver",
    "kubernetes.authorization.Authorizer", "kubernetes.authorization.PathCheck", "kubernetes.authorization.GroupCheck",
    "kubernetes.authorization.ResourceCheck", "kubernetes.authorization.Decision",
})


def _text(factor: float, *, of_result: bool = False, arg: int = 0) -> Cost:
    if of_result:
        return lambda _, result: math.ceil(size_of(result) * factor)
    return lambda args, _: math.ceil(size_of(args[arg]) * factor)


def _traversal(args: tuple[Any, ...], _: Any) -> int:
    return traversal(args[0])


def traversal(value: Any) -> int:
    """Walking through a value as a tree."""
    if isinstance(value, str):
        return int(len(value.encode()) * TRAVERSAL)
    if isinstance(value, bytes):
        return int(len(value) * TRAVERSAL)
    if isinstance(value, list):
        return sum(map(traversal, value))
    if isinstance(value, dict):
        return sum(traversal(key) + traversal(held) for key, held in value.items())
    return 1


def _regex(args: tuple[Any, ...], _: Any) -> int:
    return math.ceil((1 + size_of(args[0])) * TRAVERSAL) * math.ceil(size_of(args[1]) * REGEX)


def _product(args: tuple[Any, ...], _: Any) -> int:
    return math.ceil(size_of(args[0]) * TRAVERSAL) * math.ceil(size_of(args[1]) * TRAVERSAL)


def _smaller(args: tuple[Any, ...], _: Any) -> int:
    return math.ceil(min(size_of(args[0]), size_of(args[1])) * TRAVERSAL)


def _both(args: tuple[Any, ...], _: Any) -> int:
    return math.ceil((size_of(args[0]) + size_of(args[1])) * TRAVERSAL)


def _selector(args: tuple[Any, ...], _: Any) -> int:
    length = size_of(args[1])
    return LIST + math.ceil(length * TRAVERSAL) + math.ceil(math.ceil(length * 0.5) * (LIST + STRUCT))


def _contains_ip(args: tuple[Any, ...], _: Any) -> int:
    own, other = size_of(args[0]), args[1]
    return math.ceil(2 * own * TRAVERSAL) + (math.ceil(len(other) * TRAVERSAL) if isinstance(other, str) else 0)


def _contains_cidr(args: tuple[Any, ...], _: Any) -> int:
    own, other = size_of(args[0]), args[1]
    parsed = math.ceil(len(other) * TRAVERSAL) if isinstance(other, str) else 0
    return math.ceil(2 * own * TRAVERSAL) + math.ceil(own * TRAVERSAL) + 1 + parsed


def _validate(args: tuple[Any, ...], _: Any) -> int:
    return math.ceil((1 + size_of(args[1])) * TRAVERSAL) * math.ceil(int(args[0].regex_size) * REGEX)


def _allocated(factor: float, size: int) -> int:
    return int(size * factor) + 1 + LIST


def _list_result(_: tuple[Any, ...], result: Any) -> int:
    return _allocated(1, size_of(result))


def _flatten(args: tuple[Any, ...], _: Any) -> int:
    return _allocated(args[1] if len(args) == 2 else 1, size_of(args[0]))


def _sorted(arg: int) -> Cost:
    def cost(args: tuple[Any, ...], _: Any) -> int:
        items = args[arg]
        factor = 2 + TRAVERSAL if items and isinstance(items[0], str | bytes) else 2.0
        return _allocated(factor, len(items) ** 2)
    return cost


def _sets(factor: int) -> Cost:
    def cost(args: tuple[Any, ...], _: Any) -> int:
        return 1 + size_of(args[0]) * size_of(args[1]) * factor
    return cost


_ONE: Final = dict.fromkeys((
    "serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason", "error", "errored", "masked",
    "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast",
    "format.named",
    "sign", "asInteger", "isInteger", "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major", "minor",
    "patch", "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery",
), 1)
_FUNCTIONS: Final[dict[str, int | Cost]] = {
    **_ONE,
    "check": _CHECK,
    "or": 0, "orValue": 0,                       # no calls of their own at run time
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"), _traversal),
    **dict.fromkeys(("url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey", "cidr", "isIP", "isCIDR", "ip",
                     "quantity", "isQuantity", "semver", "isSemver"), _text(TRAVERSAL)),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _text(2 * TRAVERSAL)),
    "join": _text(2 * TRAVERSAL, of_result=True),
    **dict.fromkeys(("find", "findAll"), _regex),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "validate": _validate,
}
_SORTED: Final = ("int", "uint", "double", "bool", "google.protobuf.Duration", "google.protobuf.Timestamp", "string", "bytes")
_OVERLOADS: Final[dict[str, int | Cost]] = {
    "list_slice": _list_result, "lists_range": _list_result, "list_reverse": _list_result,
    "list_flatten": _flatten, "list_flatten_int": _flatten,
    "list_distinct": _sorted(0),
    **{f"list_{name}_sort": _sorted(0) for name in _SORTED},
    **{f"list_{name}_sortByAssociatedKeys": _sorted(1) for name in _SORTED},
    "list_sets_contains_list": _sets(1), "list_sets_intersects_list": _sets(1), "list_sets_equivalent_list": _sets(2),
    "cidr_ip": 1,
}
_STANDARD: Final[dict[str, int | Cost]] = {
    **dict.fromkeys(("starts_with_string", "ends_with_string"), _text(TRAVERSAL, arg=1)),
    **dict.fromkeys(("string_to_bytes", "bytes_to_string", "strings_quote", "string_format"), _text(TRAVERSAL)),
    "in_list": lambda args, _: size_of(args[1]),
    **{f"{order}_{name}": _smaller for order in ("less", "less_equals", "greater", "greater_equals") for name in ("string", "bytes")},
    "add_string": _both, "add_bytes": _both,
    "matches_string": _regex,
    "contains_string": _product,
}


def call_cost(function: str, overload: str, types: tuple[Type, ...]) -> int | Cost:
    """`overload`: "" where only the values tell which one it is. `types`: of the arguments, a method's target first."""
    if function in ("_==_", "_!=_"):
        return _equality_cost(types, own=function == "_==_")
    found = _OVERLOADS.get(overload)
    if found is None:
        found = _FUNCTIONS.get(function)
    if found is None:
        found = _STANDARD.get(overload, 1)
    return found


def _equality_cost(types: tuple[Type, ...], *, own: bool) -> int | Cost:
    """One unit for scalars; Kubernetes' own types are as cheap, but only with ==."""
    if any(type_.kind in SCALARS or type_.kind in ("null", "type") for type_ in types):
        if all(type_.kind in SCALARS or type_.kind in ("null", "type") for type_ in types):
            return 1
        return _smaller
    if own and any(type_.name in _OBJECTS for type_ in types):
        return 1
    return _smaller


