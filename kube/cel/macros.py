"""Macros: calls that the parser rewrites before anything is checked. has, all, exists, exists_one, map, filter; their forms with two
variables; optMap and optFlatMap; sortBy; cel.bind where that extension is on. The expansions are cel-go's, for their cost is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from kube.cel.tree import ACCUMULATOR, Call, Fold, Ident, ListNode, Literal, MapNode, Node, Select, Struct

UNUSED: Final = "#unused"
_SORTED: Final = "@__sortBy_input__"


class MacroError(Exception):
    """Arguments that no macro can take; at the offset of one of them."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class Ids(Protocol):
    def __call__(self) -> int: ...


class Maker:
    """Makes the nodes of one expansion, all at the offset of the call."""

    def __init__(self, offset: int, next_id: Ids) -> None:
        self.offset = offset
        self.next_id = next_id

    def literal(self, value: object) -> Node:
        return Literal(self.next_id(), self.offset, value)

    def ident(self, name: str) -> Node:
        return Ident(self.next_id(), self.offset, name)

    def accumulator(self) -> Node:
        return self.ident(ACCUMULATOR)

    def call(self, function: str, *args: Node) -> Node:
        return Call(self.next_id(), self.offset, function, list(args))

    def method(self, function: str, target: Node, *args: Node) -> Node:
        return Call(self.next_id(), self.offset, function, list(args), target)

    def list(self, *items: Node) -> Node:
        return ListNode(self.next_id(), self.offset, list(items))

    def map(self) -> Node:
        return MapNode(self.next_id(), self.offset, [])

    def fold(self, range_: Node, names: tuple[str, str], initial: Node, condition: Node, step: Node, result: Node) -> Node:
        return Fold(self.next_id(), self.offset, range_=range_, variable=names[0], variable2=names[1], accumulator=ACCUMULATOR,
                    initial=initial, condition=condition, step=step, result=result)

    def bind(self, name: str, value: Node, body: Node) -> Node:
        return Fold(self.next_id(), self.offset, range_=self.list(), variable=UNUSED, variable2="", accumulator=name,
                    initial=value, condition=self.literal(False), step=self.ident(name), result=body)

    def copy(self, node: Node) -> Node:
        """The same expression again, with ids of its own."""
        new, again = self.next_id(), self.copy
        match node:
            case Literal():
                return Literal(new, node.offset, node.value)
            case Ident():
                return Ident(new, node.offset, node.name)
            case Select():
                return Select(new, node.offset, again(node.operand), node.field, test_only=node.test_only)
            case Call():
                target = None if node.target is None else again(node.target)
                return Call(new, node.offset, node.function, [again(arg) for arg in node.args], target)
            case ListNode():
                return ListNode(new, node.offset, [again(item) for item in node.items], node.optional)
            case MapNode():
                return MapNode(new, node.offset, [(again(key), again(value), optional) for key, value, optional in node.entries])
            case Struct():
                return Struct(new, node.offset, node.name, [(at, name, again(value), opt) for at, name, value, opt in node.fields])
            case Fold():
                return Fold(new, node.offset, range_=again(node.range), variable=node.variable, variable2=node.variable2,
                            accumulator=node.accumulator, initial=again(node.initial), condition=again(node.condition),
                            step=again(node.step), result=again(node.result))
        raise TypeError(node)


Expander = Callable[[Maker, Node, list[Node]], Node]


def _variable(node: Node, message: str) -> str:
    if not isinstance(node, Ident) or node.name.startswith("."):
        raise MacroError(node.offset, message)
    if node.name in (ACCUMULATOR, "__result__"):
        raise MacroError(node.offset, "iteration variable overwrites accumulator variable")
    return node.name


def _variables(args: list[Node], *, two: bool) -> tuple[str, str]:
    first = _variable(args[0], "argument must be a simple name")
    if not two:
        return first, ""
    second = _variable(args[1], "argument must be a simple name")
    if first == second:
        raise MacroError(args[1].offset, f"duplicate variable name: {first}")
    return first, second


def expand_has(make: Maker, args: list[Node]) -> Node:
    found = args[0]
    if not isinstance(found, Select) or found.test_only:
        raise MacroError(found.offset, "invalid argument to has() macro")
    return Select(make.next_id(), make.offset, found.operand, found.field, test_only=True)


def _all(make: Maker, range_: Node, args: list[Node]) -> Node:
    condition = make.call("@not_strictly_false", make.accumulator())
    step = make.call("_&&_", make.accumulator(), args[-1])
    return make.fold(range_, _variables(args, two=len(args) == 3), make.literal(True), condition, step, make.accumulator())


def _exists(make: Maker, range_: Node, args: list[Node]) -> Node:
    condition = make.call("@not_strictly_false", make.call("!_", make.accumulator()))
    step = make.call("_||_", make.accumulator(), args[-1])
    return make.fold(range_, _variables(args, two=len(args) == 3), make.literal(False), condition, step, make.accumulator())


def _exists_one(make: Maker, range_: Node, args: list[Node]) -> Node:
    one_more = make.call("_+_", make.accumulator(), make.literal(1))
    step = make.call("_?_:_", args[-1], one_more, make.accumulator())
    result = make.call("_==_", make.accumulator(), make.literal(1))
    return make.fold(range_, _variables(args, two=len(args) == 3), make.literal(0), make.literal(True), step, result)


def _collect(make: Maker, range_: Node, names: tuple[str, str], initial: Node, step: Node, chosen: Node | None) -> Node:
    if chosen is not None:
        step = make.call("_?_:_", chosen, step, make.accumulator())
    return make.fold(range_, names, initial, make.literal(True), step, make.accumulator())


def _map(make: Maker, range_: Node, args: list[Node]) -> Node:
    name = _variable(args[0], "argument is not an identifier")
    step = make.call("_+_", make.accumulator(), make.list(args[-1]))
    return _collect(make, range_, (name, ""), make.list(), step, args[1] if len(args) == 3 else None)


def _filter(make: Maker, range_: Node, args: list[Node]) -> Node:
    name = _variable(args[0], "argument is not an identifier")
    step = make.call("_+_", make.accumulator(), make.list(args[0]))
    return _collect(make, range_, (name, ""), make.list(), step, args[1])


def _transform_list(make: Maker, range_: Node, args: list[Node]) -> Node:
    names = _variables(args, two=True)
    step = make.call("_+_", make.accumulator(), make.list(args[-1]))
    return _collect(make, range_, names, make.list(), step, args[2] if len(args) == 4 else None)


def _transform_map(make: Maker, range_: Node, args: list[Node]) -> Node:
    names = _variables(args, two=True)
    step = make.call("cel.@mapInsert", make.accumulator(), make.ident(names[0]), args[-1])
    return _collect(make, range_, names, make.map(), step, args[2] if len(args) == 4 else None)


def _transform_map_entry(make: Maker, range_: Node, args: list[Node]) -> Node:
    names = _variables(args, two=True)
    step = make.call("cel.@mapInsert", make.accumulator(), args[-1])
    return _collect(make, range_, names, make.map(), step, args[2] if len(args) == 4 else None)


def _opt_flat_map(make: Maker, target: Node, args: list[Node]) -> Node:
    if not isinstance(args[0], Ident):
        raise MacroError(args[0].offset, "optFlatMap() variable name must be a simple identifier")
    bound = make.bind(args[0].name, make.method("value", make.copy(target)), args[1])
    return make.call("_?_:_", make.method("hasValue", target), bound, make.call("optional.none"))


def _opt_map(make: Maker, target: Node, args: list[Node]) -> Node:
    if not isinstance(args[0], Ident):
        raise MacroError(args[0].offset, "optMap() variable name must be a simple identifier")
    bound = make.bind(args[0].name, make.method("value", make.copy(target)), args[1])
    return make.call("_?_:_", make.method("hasValue", target), make.call("optional.of", bound), make.call("optional.none"))


def _sort_by(make: Maker, target: Node, args: list[Node]) -> Node:
    if not isinstance(target, ListNode | Select | Ident | Fold | Call):
        raise MacroError(target.offset, "sortBy can only be applied to a list, identifier, comprehension, call or select expression")
    keys = _map(make, make.ident(_SORTED), args)
    return make.bind(_SORTED, target, make.method("@sortByAssociatedKeys", make.ident(_SORTED), keys))


def _bind(make: Maker, target: Node, args: list[Node]) -> Node:
    if not isinstance(args[0], Ident):
        raise MacroError(args[0].offset, "cel.bind() variable names must be simple identifiers")
    return make.bind(args[0].name, args[1], args[2])


METHODS: Final[dict[tuple[str, int], Expander]] = {
    ("all", 2): _all, ("all", 3): _all, ("exists", 2): _exists, ("exists", 3): _exists,
    ("exists_one", 2): _exists_one, ("existsOne", 2): _exists_one, ("exists_one", 3): _exists_one, ("existsOne", 3): _exists_one,
    ("map", 2): _map, ("map", 3): _map, ("filter", 2): _filter,
    ("transformList", 3): _transform_list, ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map, ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_map_entry, ("transformMapEntry", 4): _transform_map_entry,
    ("optMap", 2): _opt_map, ("optFlatMap", 2): _opt_flat_map, ("sortBy", 2): _sort_by,
}
BINDINGS: Final[dict[tuple[str, int], Expander]] = {("bind", 3): _bind}      # on the target `cel` only
