"""What single calls may cost and how large their results may be: cel-go's functions and Kubernetes' libraries.

Upstream: cel-go's checker/cost.go and ext/, k8s.io/apiserver/pkg/cel/library/cost.go. Changing a figure changes which CRDs are accepted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from kube.cel import size
from kube.cel.size import MAX, ONE, Range, Sizer
from kube.cel.tree import Literal, Node
from kube.cel.types import Type

TRAVERSAL: Final = 0.1
REGEX: Final = 0.25
_LIST: Final = size.fixed(10)
_NAME_FORMAT_REGEX: Final = 128
_FORMAT_SIZE: Final = 64


class AstNode(NamedTuple):
    """A node as estimators see it. `path`: how it is reached from a variable, () where it is not."""

    path: tuple[str, ...]
    type: Type
    node: Node | None
    size: Range | None


class CallEstimate(NamedTuple):
    cost: Range
    size: Range | None = None


class Call:
    """One call to be estimated."""

    __slots__ = ("args", "overload", "sizer", "target")

    def __init__(self, overload: str, target: AstNode | None, args: list[AstNode], sizer: Sizer) -> None:
        self.overload = overload
        self.target = target
        self.args = args
        self.sizer = sizer

    def size(self, node: AstNode) -> Range:
        return node.size or self.sizer(node.path, node.type) or size.UNKNOWN

    def target_size(self) -> Range:
        assert self.target is not None
        return self.size(self.target)

    def arg_size(self, index: int = 0) -> Range:
        return self.size(self.args[index])

    def element(self) -> AstNode | None:
        """The items of the target, where it is a list."""
        assert self.target is not None
        if not self.target.type.params:
            return None
        path = (*self.target.path, "@items") if self.target.path else ()
        return AstNode(path, self.target.type.params[0], None, None)

    def constant(self, index: int, default: int) -> int:
        node = self.args[index].node
        if isinstance(node, Literal) and type(node.value) is int:
            return max(node.value, 0)
        return default


Estimator = Callable[[Call], CallEstimate | None]


def call_estimate(function: str, overload: str, target: AstNode | None, args: list[AstNode], sizer: Sizer) -> CallEstimate | None:
    """Without what the arguments cost themselves; None where a call costs 1."""
    call = Call(overload, target, args, sizer)
    for table, name in ((_OVERLOADS, overload), (_FUNCTIONS, function), (_STANDARD, overload)):
        estimator = table.get(name)
        if estimator is not None:
            found = estimator(call)
            if found is not None:
                return found
    return None


def _fixed(cost: int) -> Estimator:
    return lambda _: CallEstimate(size.fixed(cost))


def _scan(factor: float, *, of_target: bool, sized: bool = False) -> Estimator:
    """A traversal of the target or the first argument; `sized`: the result is as large."""
    def estimator(call: Call) -> CallEstimate | None:
        if (of_target and call.target is None) or (not of_target and not call.args):
            return None
        found = call.target_size() if of_target else call.arg_size()
        return CallEstimate(size.scale(found, factor), found if sized else None)
    return estimator


def _ip(call: Call) -> CallEstimate | None:
    return CallEstimate(ONE) if call.overload == "cidr_ip" else CallEstimate(size.scale(call.arg_size(), TRAVERSAL))


def _selector(call: Call) -> CallEstimate | None:
    length = call.arg_size()
    requirements = size.scale(size.scale(length, 0.5), 50)
    return CallEstimate(size.add(_LIST, size.scale(length, TRAVERSAL), requirements))


def _over_list(*, includes: bool = False) -> Estimator:
    def estimator(call: Call) -> CallEstimate | None:
        if call.target is None:
            return None
        element = call.element()
        if element is not None:
            each = ONE
            if element.type.kind in ("string", "bytes"):
                each = size.add(each, size.scale(call.size(element), TRAVERSAL))
            return CallEstimate(size.multiply(call.target_size(), each))
        return CallEstimate(call.target_size() if includes else size.scale(call.target_size(), TRAVERSAL))
    return estimator


def _replace(call: Call) -> CallEstimate | None:
    if call.target is None or len(call.args) < 2:
        return None
    text, old, new = call.target_size(), call.arg_size(0), call.arg_size(1)
    most_count = most_kept = least_count = least_kept = 0
    if old[0] == 0:                     # an empty string is found between all characters
        most_count, most_kept = min(text[1] + 1, MAX), text[1]
    elif new[1] <= old[0]:
        most_kept = text[1]
    else:
        most_count = math.ceil(float(text[1]) / float(old[0]))
    if old[1] == 0:
        least_count, least_kept = min(text[0] + 1, MAX), text[0]
    elif old[1] <= new[0]:
        least_kept = text[0]
    else:
        least_count = math.ceil(float(text[0]) / float(old[1]))
    result = size.add(size.multiply((least_count, most_count), new), (least_kept, most_kept))
    return CallEstimate(size.scale(text, 2 * TRAVERSAL), result)


def _split(call: Call) -> CallEstimate | None:
    if call.target is None:
        return None
    text = call.target_size()
    most = text[1]
    if len(call.args) > 1:
        node = call.args[1].node
        if isinstance(node, Literal) and type(node.value) is int:
            most = node.value % 2**64
    return CallEstimate(size.scale(text, 2 * TRAVERSAL), (0, most))


def _join(call: Call) -> CallEstimate | None:
    if call.target is None:
        return None
    count, element = call.target_size(), call.element()
    total = size.ZERO if element is None else size.multiply(count, call.size(element))
    if call.args:
        total = size.add(total, size.multiply(call.arg_size(), (max(count[0] - 1, 0), max(count[1] - 1, 0))))
    return CallEstimate(size.scale(total, TRAVERSAL), total)


def _regex_cost(text: Range, pattern: Range) -> Range:
    return size.multiply(size.scale(size.add(text, ONE), TRAVERSAL), size.scale(pattern, REGEX))


def _find(call: Call) -> CallEstimate | None:
    if call.target is None or not call.args:
        return None
    return CallEstimate(_regex_cost(call.target_size(), call.arg_size()), (0, call.target_size()[1]))


def _contains_ip(call: Call) -> CallEstimate | None:
    cost = size.scale((8, 32), TRAVERSAL)
    if call.overload == "cidr_contains_ip_string":
        cost = size.add(cost, size.scale(call.arg_size(), TRAVERSAL))
    return CallEstimate(cost)


def _contains_cidr(call: Call) -> CallEstimate | None:
    cost = size.add(size.scale((8, 32), TRAVERSAL), size.scale((4, 16), TRAVERSAL), ONE)
    if call.overload == "cidr_contains_cidr_string":
        cost = size.add(cost, size.scale(call.arg_size(), TRAVERSAL))
    return CallEstimate(cost)


def _validate(call: Call) -> CallEstimate | None:
    return CallEstimate(size.scale(size.scale(call.arg_size(), TRAVERSAL), _NAME_FORMAT_REGEX * REGEX))


def _equality(call: Call) -> CallEstimate | None:
    left, right = call.args
    if left.type != right.type:
        return None
    name = left.type.name
    if name in _CHEAP:
        return CallEstimate(ONE)
    if name == "kubernetes.NamedFormat":
        return CallEstimate(size.scale((1, _FORMAT_SIZE), TRAVERSAL))
    if name == "kubernetes.URL":
        most = 1 if right.size is None else right.size[1]
        return CallEstimate(size.scale((1, most), TRAVERSAL))
    return None


_CHEAP: Final = frozenset({
    "net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.authorization.Authorizer",
    "kubernetes.authorization.PathCheck", "kubernetes.authorization.GroupCheck", "kubernetes.authorization.ResourceCheck",
    "kubernetes.authorization.Decision",
})
_FUNCTIONS: Final[dict[str, Estimator]] = {
    "check": _fixed(350_000),
    **dict.fromkeys((
        "serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason", "error", "errored",
        "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast",
        "format.named", "sign", "asInteger", "isInteger", "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub",
        "major", "minor", "patch", "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery"), _fixed(1)),
    **dict.fromkeys(("fieldSelector", "labelSelector"), _selector),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _over_list()),
    "includes": _over_list(includes=True),
    **dict.fromkeys(("url", "jsonpatch.escapeKey"), _scan(TRAVERSAL, of_target=False, sized=True)),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _scan(TRAVERSAL, of_target=True, sized=True)),
    "replace": _replace, "split": _split, "join": _join, "find": _find, "findAll": _find,
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _scan(TRAVERSAL, of_target=False)),
    "ip": _ip, "ip.isCanonical": _scan(2 * TRAVERSAL, of_target=False),
    "containsIP": _contains_ip, "containsCIDR": _contains_cidr, "validate": _validate, "_==_": _equality,
}


def _allocating(factor: float, length: Range) -> CallEstimate:
    return CallEstimate(size.add(size.scale(length, factor), ONE, _LIST), length)


def _slice(call: Call) -> CallEstimate | None:
    start, end = call.constant(0, 0), call.constant(1, call.target_size()[1])
    return _allocating(1, size.fixed((end - start) % 2**64))


def _flatten(call: Call) -> CallEstimate | None:
    return _allocating(call.constant(0, MAX) if call.args else 1, call.target_size())


def _squared(factor: float, *, keys: bool = False) -> Estimator:
    def estimator(call: Call) -> CallEstimate | None:
        length = call.arg_size() if keys else call.target_size()
        return _allocating(factor, size.multiply(length, length))
    return estimator


def _sets(factor: float) -> Estimator:
    return lambda call: CallEstimate(size.add(size.scale(size.multiply(call.arg_size(0), call.arg_size(1)), factor), ONE))


_SORTED: Final = {
    "int": 2.0, "uint": 2.0, "double": 2.0, "bool": 2.0, "google.protobuf.Duration": 2.0, "google.protobuf.Timestamp": 2.0,
    "string": 2.0 + TRAVERSAL, "bytes": 2.0 + TRAVERSAL,
}
_OVERLOADS: Final[dict[str, Estimator]] = {
    "list_slice": _slice, "list_flatten": _flatten, "list_flatten_int": _flatten, "list_distinct": _squared(2.0),
    "lists_range": lambda call: _allocating(1, size.fixed(call.constant(0, MAX))),
    "list_reverse": lambda call: _allocating(1, call.target_size()),
    **{f"list_{name}_sort": _squared(factor) for name, factor in _SORTED.items()},
    **{f"list_{name}_sortByAssociatedKeys": _squared(factor, keys=True) for name, factor in _SORTED.items()},
    "list_sets_contains_list": _sets(1), "list_sets_intersects_list": _sets(1), "list_sets_equivalent_list": _sets(2),
}


def _to_bytes(call: Call) -> CallEstimate | None:
    length = call.arg_size()
    return CallEstimate(size.scale(length, TRAVERSAL), (length[0], min(length[1] * 4, MAX)))


def _to_string(call: Call) -> CallEstimate | None:
    length = call.arg_size()
    return CallEstimate(size.scale(length, TRAVERSAL), (length[0] // 4, length[1]))


def _quote(call: Call) -> CallEstimate | None:
    length = call.arg_size()
    return CallEstimate(size.scale(length, TRAVERSAL), (length[0] + 2, min(length[1] * 2 + 2, MAX)))


def _own_size(node: AstNode) -> Range:
    return node.size or size.UNKNOWN


def _in_list(call: Call) -> CallEstimate | None:
    return CallEstimate(_own_size(call.args[1]))


def _matches(call: Call) -> CallEstimate | None:
    return None if call.target is None else CallEstimate(_regex_cost(_own_size(call.target), _own_size(call.args[0])))


def _contains(call: Call) -> CallEstimate | None:
    assert call.target is not None
    return CallEstimate(size.multiply(size.scale(_own_size(call.target), TRAVERSAL), size.scale(_own_size(call.args[0]), TRAVERSAL)))


def _smaller(call: Call) -> CallEstimate | None:
    most = min(_own_size(call.args[0])[1], _own_size(call.args[1])[1])
    return CallEstimate(size.scale((int(most > 0), most), TRAVERSAL))


_STANDARD: Final[dict[str, Estimator]] = {
    "string_format": _scan(TRAVERSAL, of_target=True),
    "string_to_bytes": _to_bytes, "bytes_to_string": _to_string, "strings_quote": _quote,
    **dict.fromkeys(("starts_with_string", "ends_with_string"), _scan(TRAVERSAL, of_target=False)),
    "in_list": _in_list, "matches_string": _matches, "contains_string": _contains,
    **{f"{order}_{kind}": _smaller for order in ("less", "less_equals", "greater", "greater_equals") for kind in ("string", "bytes")},
    "equals": _smaller, "not_equals": _smaller,
}
