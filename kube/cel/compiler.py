"""A checked tree becomes closures over a frame.

The frame is a list: cost so far, cost limit, then a slot for each variable. What a node costs whatever its values are is summed up while
compiling and added once where a block is entered (the expression, one side of a logical operator, a branch, one turn of a loop); only
costs that depend on values are counted in closures. So `x.a > 3` counts nothing while it runs.

What counts how much follows cel-go's interpreter, which plans names, selections and indices as one "attribute": a name costs 1, every
selection or index 1 more; a branch of `?:` that is an attribute is spared the 1 of its name; constants are folded and free.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

from kube.cel import runtime_cost
from kube.cel.access import dynamic_getter, field_getter, key_getter, optional_getter, presence_test
from kube.cel.calls import applied, costly, foldable, implementation, logic, membership, put
from kube.cel.checker import Checked
from kube.cel.errors import FAILURES, EvaluationError
from kube.cel.fast import fast_binary, fast_text_equality
from kube.cel.parts import COST, FIRST_SLOT, UNSET, Block, Frame, Part, Run, Slot, constant
from kube.cel.tree import Call, Fold, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from kube.cel.types import TYPE_NAMES, Type, is_optional
from kube.cel.values import NO_OVERLOAD, Message, Optional, TypeValue, find, shown, type_name

VARIABLES: Final = "kubernetes.variables"       # the type of admission policies' `variables`
_CONVERSIONS: Final = frozenset({"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"})


class Compiler:
    """Compiles one checked expression. `slots`: the frame's length in the end."""

    def __init__(self, checked: Checked, variables: list[str], *, fold_constants: bool) -> None:
        self.checked = checked
        self.fold_constants = fold_constants
        self.names = {name: Slot(FIRST_SLOT + index) for index, name in enumerate(variables)}
        self.locals: list[tuple[str, Slot]] = []
        self.slots = FIRST_SLOT + len(variables)

    def whole(self) -> tuple[Run, int]:
        """The closure and its fixed cost."""
        block = Block()
        return self.value(self.checked.root, block).run, block.cost

    def new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def type_of(self, node: Node) -> Type:
        return self.checked.types[node.id]

    # -- attributes: names, selections, indices, ?:

    def is_attribute(self, node: Node) -> bool:
        if isinstance(node, Ident):
            return self.slot_of(node) is not None
        if isinstance(node, Select):
            return self.checked.names.get(node.id) not in TYPE_NAMES
        return isinstance(node, Call) and node.function in ("_?_:_", "_[_]", "_[?_]", "_?._")

    def is_conditional(self, node: Node) -> bool:
        """Whether the attribute's root is `?:`, which is free."""
        while True:
            if isinstance(node, Call) and node.function == "_?_:_":
                return True
            if isinstance(node, Select) and node.id not in self.checked.names:
                node = node.operand
            elif isinstance(node, Call) and node.target is None and node.function in ("_[_]", "_[?_]", "_?._"):
                node = node.args[0]
            else:
                return False

    def slot_of(self, node: Ident) -> Slot | None:
        if not node.name.startswith("."):
            for name, slot in reversed(self.locals):
                if name == node.name:
                    return slot
        return self.names.get(node.name.removeprefix("."))

    def attribute(self, node: Node, block: Block) -> Part:
        """Without the 1 for the attribute as such."""
        if isinstance(node, Ident):
            return self.ident(node)
        if isinstance(node, Select):
            return self.select(node, block)
        assert isinstance(node, Call)
        if node.function == "_?_:_":
            return self.conditional(node, block)
        return self.index(node, block)

    def operand(self, node: Node, block: Block) -> Part:
        return self.attribute(node, block) if self.is_attribute(node) else self.value(node, block)

    def ident(self, node: Ident) -> Part:
        slot = self.slot_of(node)
        assert slot is not None
        return self.variable(slot)

    def variable(self, slot: Slot) -> Part:
        index, lazy = slot.index, slot.lazy
        if lazy is None:
            return Part(itemgetter(index))

        def run(frame: Frame) -> Any:
            value = frame[index]
            if value is UNSET:
                value = frame[index] = lazy(frame)
            return value
        return Part(run)

    def select(self, node: Select, block: Block) -> Part:
        name = self.checked.names.get(node.id)
        if name is not None:
            return self.variable(self.names[name])
        operand = self.operand(node.operand, block)
        outer = self.type_of(node.operand)
        inner = outer.params[0] if is_optional(outer) else outer
        key = (inner.fields or {})[node.field].key if inner.kind == "object" else node.field
        if is_optional(outer) and not node.test_only:
            return Part(optional_getter(operand.run, constant(key).run, of_object=inner.kind == "object"))
        block.cost += runtime_cost.IDENT
        if node.test_only:
            return Part(presence_test(operand.run, key, of_object=inner.kind == "object"))
        if inner.kind == "map":
            return Part(key_getter(operand.run, key))
        if inner.kind != "object" or inner.name == VARIABLES:       # a variable may be null
            return Part(dynamic_getter(operand.run, key))
        slot = self.slot_of(node.operand) if isinstance(node.operand, Ident) else None
        return Part(field_getter(operand.run, node.field, key, slot.index if slot is not None and slot.lazy is None else None))

    def index(self, node: Call, block: Block) -> Part:
        container = self.operand(node.args[0], block)
        key_node = node.args[1]
        optional = node.function != "_[_]"
        key = self.operand(key_node, block)
        within = container.run
        if optional or is_optional(self.type_of(node.args[0])):
            outer = self.type_of(node.args[0])
            inner = outer.params[0] if is_optional(outer) else outer
            return Part(optional_getter(within, self.optional_key(node, key, inner).run, of_object=inner.kind == "object"))
        block.cost += runtime_cost.IDENT
        if key.constant:
            wanted = key.value
            if type(wanted) is str and self.type_of(node.args[0]).kind == "map":
                return Part(key_getter(within, wanted))
            return Part(lambda frame: find(within(frame), wanted))
        at = key.run
        return Part(lambda frame: find(within(frame), at(frame)))

    def optional_key(self, node: Call, key: Part, inner: Type) -> Part:
        """Of `.?field`: the field's name in JSON."""
        if node.function == "_?._" and inner.kind == "object":
            return constant((inner.fields or {})[key.value].key)
        return key

    def conditional(self, node: Call, block: Block) -> Part:
        condition = self.value(node.args[0], block).run
        then_block, else_block = Block(), Block()
        then, other = self.operand(node.args[1], then_block).run, self.operand(node.args[2], else_block).run
        then_cost, else_cost = then_block.cost, else_block.cost

        def run(frame: Frame) -> Any:
            chosen = condition(frame)
            if chosen is True:
                frame[COST] += then_cost
                return then(frame)
            if chosen is False:
                frame[COST] += else_cost
                return other(frame)
            raise EvaluationError(NO_OVERLOAD)
        return Part(run)

    # -- values

    def value(self, node: Node, block: Block) -> Part:
        if isinstance(node, Literal):
            return constant(node.value)
        if self.is_attribute(node):
            part = self.attribute(node, block)
            if not (self.is_conditional(node) or (isinstance(node, Select) and node.test_only)):
                block.cost += runtime_cost.IDENT
            return part
        match node:
            case Ident():
                return constant(TypeValue(_type_value(node.name.removeprefix("."))))
            case Select():
                return constant(TypeValue(_type_value(self.checked.names[node.id])))
            case ListNode():
                return self.list_of(node, block)
            case MapNode():
                return self.map_of(node, block)
            case Struct():
                return self.struct(node, block)
            case Fold():
                from kube.cel.folds import compile_fold  # the two modules call each other
                return compile_fold(self, node, block)
            case Call():
                return self.call(node, block)
        raise TypeError(node)

    def list_of(self, node: ListNode, block: Block) -> Part:
        inner = Block()
        items = [self.value(item, inner) for item in node.items]
        if self.fold_constants and all(item.constant for item in items) and not node.optional:
            return constant([item.value for item in items])
        block.cost += inner.cost + runtime_cost.LIST
        runs = [item.run for item in items]
        if not node.optional:
            return Part(lambda frame: [run(frame) for run in runs])
        optional = node.optional

        def run(frame: Frame) -> Any:
            made = []
            for index, item in enumerate(runs):
                value = item(frame)
                if index not in optional:
                    made.append(value)
                elif not isinstance(value, Optional):
                    raise EvaluationError(f"cannot initialize optional list element from non-optional value {shown(value)}")
                elif value.present:
                    made.append(value.value)
            return made
        return Part(run)

    def map_of(self, node: MapNode, block: Block) -> Part:
        inner = Block()
        entries = [(self.value(key, inner), self.value(value, inner), optional) for key, value, optional in node.entries]
        runs = [(key.run, value.run, optional) for key, value, optional in entries]

        def run(frame: Frame) -> Any:
            made: dict[Any, Any] = {}
            for key_of, value_of, optional in runs:
                key, value = key_of(frame), value_of(frame)
                if type_name(key) not in ("string", "int", "uint", "bool", "double"):
                    raise EvaluationError(f"unsupported key type: {type_name(key)}")
                put(made, key, value, optional=optional)
            return made
        if self.fold_constants and all(key.constant and value.constant and not optional for key, value, optional in entries):
            return constant(run([]))
        block.cost += inner.cost + runtime_cost.MAP
        return Part(run)

    def struct(self, node: Struct, block: Block) -> Part:
        type_ = self.type_of(node)
        fields = type_.fields or {}
        runs = [(fields[name].key, self.value(value, block).run, optional) for _, name, value, optional in node.fields]
        block.cost += runtime_cost.STRUCT

        def run(frame: Frame) -> Any:
            made: dict[str, Any] = {}
            for key, value_of, optional in runs:
                put(made, key, value_of(frame), optional=optional)
            return Message(type_.name, made)
        return Part(run)

    def call(self, node: Call, block: Block) -> Part:
        if node.function in ("_&&_", "_||_"):
            return self.logical(node, block)
        nodes = [*([] if node.target is None or node.id in self.checked.functions else [node.target]), *node.args]
        function = self.checked.functions.get(node.id, node.function.removeprefix("."))
        overloads = self.checked.overloads[node.id]
        if function in ("or", "orValue") and overloads[0].id.startswith("optional_or"):
            return self.alternative(nodes, block, whole=function == "or")
        if function == "@not_strictly_false":
            return self.not_strictly_false(nodes[0], block)
        inner = Block()
        args = [self.value(arg, inner) for arg in nodes]
        call = implementation(function, overloads, [self.type_of(arg) for arg in nodes])
        if self.fold_constants and function in _CONVERSIONS and len(args) == 1 and args[0].constant:
            return constant(call(args[0].value))
        if self.fold_constants and overloads[0].id == "in_list" and len(overloads) == 1 and args[1].constant and foldable(args[1].value):
            block.cost += inner.cost
            return membership(args[0].run, args[1].value)
        types = tuple(self.type_of(arg) for arg in nodes)
        cost = runtime_cost.call_cost(function, overloads[0].id if len(overloads) == 1 else "", types)
        block.cost += inner.cost
        arguments = [(arg.run, arg.constant, arg.value) for arg in args]
        if isinstance(cost, int):
            block.cost += cost
            return Part(fast_binary(function, types, arguments) or applied(call, args))
        return Part(fast_text_equality(function, types, arguments) or costly(call, cost, args))

    def logical(self, node: Call, block: Block) -> Part:
        left = self.value(node.args[0], block).run
        inner = Block()
        right = self.value(node.args[1], inner).run
        return Part(logic(left, right, inner.cost, decisive=node.function == "_||_"))

    def not_strictly_false(self, node: Node, block: Block) -> Part:
        inner = self.value(node, block).run
        block.cost += 1

        def run(frame: Frame) -> Any:
            try:
                return inner(frame) is not False
            except FAILURES:
                return True
        return Part(run)

    def alternative(self, nodes: list[Node], block: Block, *, whole: bool) -> Part:
        """`a.or(b)`, `a.orValue(b)`: b only where a is missing."""
        first = self.value(nodes[0], block).run
        inner = Block()
        second, cost = self.value(nodes[1], inner).run, inner.cost

        def run(frame: Frame) -> Any:
            held = first(frame)
            if not isinstance(held, Optional):
                raise EvaluationError(NO_OVERLOAD)
            if held.present:
                return held if whole else held.value
            frame[COST] += cost
            return second(frame)
        return Part(run)


def _type_value(name: str) -> str:
    type_ = TYPE_NAMES.get(name)
    return name if type_ is None or type_.kind not in ("list", "map") else type_.kind
