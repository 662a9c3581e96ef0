"""What an expression may cost, told from its types and the bounds of the sizes of its variables. cel-go's checker/cost.go.

Each node's cost is a range; on the way sizes are told of what nodes give: of constants exactly, of variables by their path, of calls from
their arguments. Two things differ from evaluation by design: nothing is folded, and both branches count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kube.cel import size
from kube.cel.call_estimate import AstNode, CallEstimate, call_estimate
from kube.cel.checker import Checked
from kube.cel.size import Range, Sizer
from kube.cel.tree import ACCUMULATOR, Call, Fold, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from kube.cel.types import SCALARS, Type, is_optional

_LIST, _MAP, _STRUCT = size.fixed(10), size.fixed(30), size.fixed(40)
_NOTHING: Final = (size.MAX, 0)          # the neutral element of union


@dataclass(frozen=True, slots=True)
class Entries:
    """Sizes of a container's keys (or indices) and values."""

    kind: str
    key: Range
    value: Range


@dataclass(frozen=True, slots=True)
class Local:
    path: tuple[str, ...]
    size: Range | None
    entries: Entries | None


def type_sizer(variables: Mapping[str, Type]) -> Sizer:
    """Sizes from the variables' types, where those come from a schema (kube.cel.schema).

    What starts at no variable (a type's name, the items of a computed list) has the size of `self`, as upstream has it.
    """
    def sizer(path: tuple[str, ...], _: Type) -> Range | None:
        found = variables.get(path[0], variables.get("self")) if path else None
        if found is None:
            return None
        if is_optional(found):
            found = found.params[0]
        if not found.declared:
            return None
        for name in path[1:]:
            if name in ("@items", "@values") and found.kind in ("list", "map"):
                found = found.element
            elif name == "@keys" and found.kind == "map":
                found = found.params[0]
            else:
                field = (found.fields or {}).get(name)
                if field is None:
                    return None
                found = field.type
        return 0, found.max_elements
    return sizer


def estimate(checked: Checked, sizer: Sizer) -> Range:
    """(least, most)."""
    return _Coster(checked, sizer).cost(checked.root)


class _Coster:
    def __init__(self, checked: Checked, sizer: Sizer) -> None:
        self.checked = checked
        self.sizer = sizer
        self.paths: dict[int, tuple[str, ...]] = {}
        self.locals: dict[str, list[Local]] = {}
        self.sizes: dict[int, Range] = {}
        self.entries: dict[int, Entries] = {}

    # -- sizes

    def local(self, node: Node) -> Local | None:
        stack = self.locals.get(node.name) if isinstance(node, Ident) else None
        return stack[-1] if stack else None

    def path(self, node: Node) -> tuple[str, ...]:
        found = self.local(node)
        return self.paths.get(node.id, ()) if found is None else found.path

    def size(self, node: Node) -> Range | None:
        if node.id in self.sizes:
            return self.sizes[node.id]
        known = _literal_size(node)
        if known is not None:
            return known
        type_ = self.checked.types[node.id]
        known = self.sizer(self.path(node), type_)
        if known is not None:
            self.sizes[node.id] = known
            return known
        if _is_scalar(type_):
            return size.ONE
        found = self.local(node)
        return None if found is None else found.size

    def size_or_unknown(self, node: Node) -> Range:
        return self.size(node) or size.UNKNOWN

    def entries_of(self, node: Node) -> Entries | None:
        if node.id in self.entries:
            return self.entries[node.id]
        found = self.local(node)
        return None if found is None else found.entries

    def remember(self, node: Node, found: Range | None, entries: Entries | None) -> None:
        if found is not None:
            self.sizes[node.id] = found
        if entries is not None:
            self.entries[node.id] = entries

    def ast_node(self, node: Node) -> AstNode:
        path = self.path(node)
        if path and path[0] in (ACCUMULATOR, "__result__"):
            path = ()
        return AstNode(path, self.checked.types[node.id], node, self.size(node))

    def push(self, name: str, local: Local) -> None:
        self.locals.setdefault(name, []).append(local)

    def pop(self, name: str) -> None:
        self.locals[name].pop()

    # -- costs

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return size.ZERO
            case Ident():
                return self.ident(node)
            case Select():
                return self.select(node)
            case Call():
                return self.call(node)
            case ListNode():
                return self.list(node)
            case MapNode():
                return self.map(node)
            case Struct():
                return size.add(_STRUCT, *(self.cost(value) for _, _, value, _ in node.fields))
            case Fold():
                return self.bind(node) if node.is_bind else self.fold(node)
        raise TypeError(node)

    def ident(self, node: Ident) -> Range:
        found = self.local(node)
        self.paths[node.id] = (node.name,) if found is None else found.path
        return size.ONE

    def select(self, node: Select) -> Range:
        name = self.checked.names.get(node.id)
        if name is not None:
            self.paths[node.id] = (name,)
            return size.ONE
        total = self.cost(node.operand)
        if node.test_only:
            return total                     # a presence test is free, as it was before cel-go 0.17.7
        if self.checked.types[node.operand.id].kind in ("map", "object", "param"):
            total = size.add(total, size.ONE)
        self.paths[node.id] = (*self.path(node.operand), node.field)
        return total

    def call(self, node: Call) -> Range:
        function = self.checked.functions.get(node.id, node.function.removeprefix("."))
        if function == "dyn":
            total = size.add(size.ONE, self.cost(node.args[0]))
            self.remember(node, self.size(node.args[0]), self.entries_of(node.args[0]))
            return total
        costs, args = [], []
        for arg in node.args:
            costs.append(self.cost(arg))
            args.append(self.ast_node(arg))
        if function == "_?._":
            return size.add(size.ONE, *costs)
        target, total = None, size.ZERO
        if node.target is not None and node.id not in self.checked.functions:
            total = self.cost(node.target)
            target = self.ast_node(node.target)
        cost, result = _NOTHING, None
        for overload in self.checked.overloads[node.id]:
            found = self.overload(node, function, overload.id, target, args, costs)
            cost = size.union(cost, found.cost)
            if found.size is not None:
                result = found.size if result is None else size.union(result, found.size)
            if overload.id in ("index_list", "index_map"):
                entries = self.entries_of(node.args[0])
                result = None if entries is None else entries.value
                self.paths[node.id] = (*self.path(node.args[0]), "@items" if overload.id == "index_list" else "@values")
            if result is None:
                result = self.size(node)
        self.remember(node, result, None)
        return size.add(total, cost)

    def overload(
        self, node: Call, function: str, id_: str, target: AstNode | None, args: list[AstNode], costs: list[Range],
    ) -> CallEstimate:
        found = call_estimate(function, id_, target, args, self.sizer)
        if found is not None:
            return CallEstimate(size.add(found.cost, *costs), found.size)
        if function in ("_||_", "_&&_"):
            return CallEstimate((costs[0][0], size.add(*costs)[1]))
        if function == "_?_:_":
            then, other = self.entries_of(node.args[1]), self.entries_of(node.args[2])
            self.remember(node, None, _joined(then, other))
            both = size.union(self.size_or_unknown(node.args[1]), self.size_or_unknown(node.args[2]))
            return CallEstimate(size.add(costs[0], size.union(costs[1], costs[2])), both)
        if id_ in ("add_string", "add_bytes", "add_list"):
            result = size.add(self.size_or_unknown(node.args[0]), self.size_or_unknown(node.args[1]))
            self.remember(node, None, _joined(self.entries_of(node.args[0]), self.entries_of(node.args[1])))
            own = size.ONE if id_ == "add_list" else size.scale(result, 0.1)
            return CallEstimate(size.add(own, *costs), result)
        return CallEstimate(size.add(size.ONE, *costs))

    def list(self, node: ListNode) -> Range:
        item: Range = _NOTHING if node.items else size.ZERO
        total = _LIST
        for element in node.items:
            total = size.add(total, self.cost(element))
            item = size.union(item, self.size_or_unknown(element))
        self.entries[node.id] = Entries("list", size.ONE, item)
        return total

    def map(self, node: MapNode) -> Range:
        keys: Range = _NOTHING if node.entries else size.ZERO
        values, total = keys, _MAP
        for key, value, _ in node.entries:
            total = size.add(total, self.cost(key), self.cost(value))
            keys, values = size.union(keys, self.size_or_unknown(key)), size.union(values, self.size_or_unknown(value))
        self.entries[node.id] = Entries("map", keys, values)
        return total

    def bind(self, node: Fold) -> Range:
        total = size.add(self.cost(node.range), self.cost(node.initial))
        self.push(node.accumulator, Local(self.path(node.initial), self.size(node.initial), self.entries_of(node.initial)))
        total = size.add(total, self.cost(node.result))
        self.pop(node.accumulator)
        self.remember(node, self.size(node.result), self.entries_of(node.result))
        return total

    def fold(self, node: Fold) -> Range:
        total = size.add(self.cost(node.range), self.cost(node.initial))
        self.push(node.accumulator, Local(self.path(node.initial), self.size(node.initial), self.entries_of(node.initial)))
        self.push_items(node)
        turn = size.add(self.cost(node.condition), self.cost(node.step))
        self.pop(node.variable)
        if node.variable2:
            self.pop(node.variable2)
        total = size.add(total, self.cost(node.result))
        self.pop(node.accumulator)
        count = self.size_or_unknown(node.range)
        total = size.add(total, size.multiply(count, turn))
        if isinstance(node.initial, Literal):
            self.remember(node, self.size(node.initial), None)
        elif isinstance(node.initial, ListNode | MapNode):
            self.remember(node, count, self.entries_of(node.step))
        return total

    def push_items(self, node: Fold) -> None:
        entries, path = self.entries_of(node.range), self.path(node.range)
        kind = self.checked.types[node.range.id].kind if entries is None else entries.kind
        key, value = (None, None) if entries is None else (entries.key, entries.value)
        if node.variable2:
            self.push(node.variable, Local((*path, "@indices" if kind == "list" else "@keys"), key, None))
            self.push(node.variable2, Local((*path, "@items" if kind == "list" else "@values"), value, None))
        elif kind == "list":
            self.push(node.variable, Local((*path, "@items"), value, None))
        else:
            self.push(node.variable, Local((*path, "@keys"), key, None))


def _literal_size(node: Node) -> Range | None:
    if isinstance(node, Literal):
        return size.fixed(len(node.value)) if isinstance(node.value, str | bytes) else size.ONE
    if isinstance(node, ListNode):
        return size.fixed(len(node.items))
    return size.fixed(len(node.entries)) if isinstance(node, MapNode) else None


def _is_scalar(type_: Type) -> bool:
    return type_.kind in SCALARS or (is_optional(type_) and _is_scalar(type_.params[0]))


def _joined(left: Entries | None, right: Entries | None) -> Entries | None:
    if left is None or right is None:
        return None
    return Entries(left.kind, size.union(left.key, right.key), size.union(left.value, right.value))
