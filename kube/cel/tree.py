"""The expression as a tree. Every node has an `id`, unique within its tree, and the `offset` of the code point that errors point at.

The checker keeps types and overloads by id, beside the tree.
"""

from __future__ import annotations

from typing import Any


class Node:
    """A part of an expression."""

    __slots__ = ("id", "offset")

    def __init__(self, id_: int, offset: int) -> None:
        self.id = id_
        self.offset = offset


class Literal(Node):
    """A constant; `value` is as evaluation has it (values.py)."""

    __slots__ = ("value",)

    def __init__(self, id_: int, offset: int, value: Any) -> None:
        super().__init__(id_, offset)
        self.value = value


class Ident(Node):
    """A name. A leading dot means: not a comprehension's variable."""

    __slots__ = ("name",)

    def __init__(self, id_: int, offset: int, name: str) -> None:
        super().__init__(id_, offset)
        self.name = name


class Select(Node):
    """`operand.field`, or its presence test has(operand.field)."""

    __slots__ = ("field", "operand", "test_only")

    def __init__(self, id_: int, offset: int, operand: Node, field: str, *, test_only: bool = False) -> None:
        super().__init__(id_, offset)
        self.operand = operand
        self.field = field
        self.test_only = test_only


class Call(Node):
    """A function, an operator ("_+_") or, with a target, a method."""

    __slots__ = ("args", "function", "target")

    def __init__(self, id_: int, offset: int, function: str, args: list[Node], target: Node | None = None) -> None:
        super().__init__(id_, offset)
        self.function = function
        self.args = args
        self.target = target


class ListNode(Node):
    """`[a, ?b]`; `optional` holds the indices of the latter kind."""

    __slots__ = ("items", "optional")

    def __init__(self, id_: int, offset: int, items: list[Node], optional: frozenset[int] = frozenset()) -> None:
        super().__init__(id_, offset)
        self.items = items
        self.optional = optional


class MapNode(Node):
    """`{key: value, ?key: value}`: (key, value, optional)."""

    __slots__ = ("entries",)

    def __init__(self, id_: int, offset: int, entries: list[tuple[Node, Node, bool]]) -> None:
        super().__init__(id_, offset)
        self.entries = entries


class Struct(Node):
    """`Name{field: value}`: (offset of the colon, field, value, optional)."""

    __slots__ = ("fields", "name")

    def __init__(self, id_: int, offset: int, name: str, fields: list[tuple[int, str, Node, bool]]) -> None:
        super().__init__(id_, offset)
        self.name = name
        self.fields = fields


class Fold(Node):
    """A comprehension: what the macros all, exists, map, filter ... become.

    For each item, while `condition` is not false: accumulator = step. With `variable2`: index or key, and value.
    A fold over nothing whose condition is false binds a value to a name (`is_bind`).
    """

    __slots__ = ("accumulator", "condition", "initial", "range", "result", "step", "variable", "variable2")

    def __init__(
        self, id_: int, offset: int, *, range_: Node, variable: str, variable2: str, accumulator: str,
        initial: Node, condition: Node, step: Node, result: Node,
    ) -> None:
        super().__init__(id_, offset)
        self.range = range_
        self.variable = variable
        self.variable2 = variable2
        self.accumulator = accumulator
        self.initial = initial
        self.condition = condition
        self.step = step
        self.result = result

    @property
    def is_bind(self) -> bool:
        return (isinstance(self.range, ListNode) and not self.range.items and isinstance(self.condition, Literal)
                and self.condition.value is False and self.accumulator != ACCUMULATOR)


ACCUMULATOR = "@result"
