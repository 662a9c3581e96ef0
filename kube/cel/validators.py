"""What Kubernetes' environment refuses although it type-checks: bad constants in timestamp(), duration(), matches(); bad formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kube.apimachinery.regex import RegexError, compiled
from kube.cel.checker import Checked
from kube.cel.errors import EvaluationError, Issue
from kube.cel.tree import Call, Fold, ListNode, Literal, MapNode, Node, Select, Struct
from kube.cel.types import Type

_PATTERNS: Final = ("find", "findAll")


def validate(checked: Checked, *, homogeneous: bool) -> list[Issue]:
    """`homogeneous`: literal lists and maps must be of one type throughout, except in the arguments of format()."""
    issues: list[Issue] = []
    for node in walk(checked.root):
        if isinstance(node, Call):
            issues += _call_issues(checked, node)
    if homogeneous:
        for node in walk(checked.root, without="format"):
            if isinstance(node, ListNode):
                issues += _mixed(checked, [(item, index in node.optional) for index, item in enumerate(node.items)])
            elif isinstance(node, MapNode):
                issues += _mixed(checked, [(key, False) for key, _, _ in node.entries])
                issues += _mixed(checked, [(value, optional) for _, value, optional in node.entries])
    return issues


def _mixed(checked: Checked, parts: list[tuple[Node, bool]]) -> list[Issue]:
    """The first part whose type is not that of the first one. Of optional parts, what they hold counts."""
    wanted: Type | None = None
    for node, optional in parts:
        found = checked.types[node.id]
        if optional and found.params:
            found = found.params[0]
        if wanted is not None and found != wanted:
            return [Issue(node.offset, f"expected type '{wanted}' but found '{found}'")]
        wanted = found
    return []


def _call_issues(checked: Checked, node: Call) -> Iterator[Issue]:
    function, first = node.function, node.args[0] if node.args else None
    if function in ("duration", "timestamp") and isinstance(first, Literal) and len(node.args) == 1 and first.value is not None:
        overload = checked.overloads[node.id][0]
        try:
            overload.call(first.value)
        except EvaluationError:
            yield Issue(first.offset, f"invalid {function} argument")
    elif function == "matches" and node.target is not None and isinstance(first, Literal) and isinstance(first.value, str):
        if _error(first.value):
            yield Issue(first.offset, "invalid matches argument")
    elif function == "format" and isinstance(node.target, Literal) and isinstance(node.target.value, str) and isinstance(first, ListNode):
        from kube.cel.library.string_format import check
        wrong = check(node.target.value, [checked.types[item.id] for item in first.items])
        if wrong is not None:
            yield Issue(node.offset if wrong[0] < 0 else first.items[wrong[0]].offset, wrong[1])


def pattern_error(checked: Checked) -> str:
    """Why a constant pattern of find() or findAll() cannot be used, or ""."""
    for node in walk(checked.root):
        if isinstance(node, Call) and node.function in _PATTERNS and node.args:
            pattern = node.args[0]
            if isinstance(pattern, Literal) and isinstance(pattern.value, str) and (error := _error(pattern.value)):
                return error
    return ""


def _error(pattern: str) -> str:
    try:
        compiled(pattern)
    except RegexError as error:
        return str(error)
    return ""


def walk(node: Node, *, without: str = "") -> Iterator[Node]:
    """The node and all below it; not what is below calls of the function `without`."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        match node:
            case Select():
                stack.append(node.operand)
            case Call() if node.function != without:
                stack.extend(node.args if node.target is None else [node.target, *node.args])
            case ListNode():
                stack.extend(node.items)
            case MapNode():
                stack.extend(part for key, value, _ in node.entries for part in (key, value))
            case Struct():
                stack.extend(value for _, _, value, _ in node.fields)
            case Fold():
                stack.extend((node.range, node.initial, node.condition, node.step, node.result))
