"""Loops: the comprehensions that macros become. all, exists, map and filter have loops of their own; all else runs as written.

Costs are those of the loop as written: condition and step of each turn, and the condition once more where a turn was left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from kube.cel.errors import FAILURES, CostExceeded, EvaluationError
from kube.cel.parts import COST, LIMIT, UNSET, Block, Frame, Part, Run, Slot
from kube.cel.tree import Call, Fold, Ident, ListNode, MapNode, Node
from kube.cel.values import NO_OVERLOAD, type_name

if TYPE_CHECKING:
    from kube.cel.compiler import Compiler

_END: Final = object()
Items = Callable[[Any], Iterable[Any]]


def compile_fold(compiler: Compiler, node: Fold, block: Block) -> Part:
    if node.is_bind:
        return _bind(compiler, node, block)
    range_ = compiler.value(node.range, block).run
    first = Slot(compiler.new_slot())
    second = Slot(compiler.new_slot()) if node.variable2 else None
    accumulated = Slot(compiler.new_slot())
    initial_block = Block()
    initial = compiler.value(node.initial, initial_block)
    block.cost += initial_block.cost
    compiler.locals.append((node.accumulator, accumulated))
    compiler.locals.append((node.variable, first))
    if second is not None:
        compiler.locals.append((node.variable2, second))
    items = _pairs if second is not None else _singles
    loop = _Loop(compiler, node, range_, items, first.index, None if second is None else second.index)
    run = loop.quantifier() or loop.collector() or loop.general(initial.run, accumulated.index)
    if second is not None:
        compiler.locals.pop()
    compiler.locals.pop()
    result_block = Block()
    result = compiler.value(node.result, result_block).run
    compiler.locals.pop()
    block.cost += result_block.cost
    if isinstance(node.result, Ident):
        return Part(run)

    def with_result(frame: Frame) -> Any:
        frame[accumulated.index] = run(frame)
        return result(frame)
    return Part(with_result)


def _bind(compiler: Compiler, node: Fold, block: Block) -> Part:
    """A name for a value, computed when it is first asked for."""
    compiler.value(node.range, block)
    inner = Block()
    value = compiler.value(node.initial, inner).run

    def lazy(frame: Frame) -> Any:
        frame[COST] += inner.cost
        return value(frame)
    slot = Slot(compiler.new_slot(), lazy)
    compiler.locals.append((node.accumulator, slot))
    body = compiler.value(node.result, block).run
    compiler.locals.pop()

    def run(frame: Frame) -> Any:
        frame[slot.index] = UNSET
        return body(frame)
    return Part(run)


def _singles(value: Any) -> Iterable[Any]:
    if isinstance(value, list | dict):
        return value
    raise EvaluationError(f"got '{type_name(value)}', expected iterable type")


def _pairs(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, dict):
        return value.items()
    raise EvaluationError(f"unsupported comprehension range type: {type_name(value)}")


class _Loop:
    """One fold, while it is compiled."""

    def __init__(self, compiler: Compiler, node: Fold, range_: Run, items: Items, first: int, second: int | None) -> None:
        self.compiler = compiler
        self.node = node
        self.range = range_
        self.items = items
        self.first = first
        self.second = second

    def part(self, node: Node) -> tuple[Run, int]:
        block = Block()
        return self.compiler.value(node, block).run, block.cost

    def operand(self, node: Node) -> tuple[Run, int]:
        """As a branch of `?:` is compiled."""
        block = Block()
        return self.compiler.operand(node, block).run, block.cost

    def is_accumulator(self, node: Node) -> bool:
        return isinstance(node, Ident) and node.name == self.node.accumulator

    def quantifier(self) -> Run | None:
        """all and exists."""
        step, condition = self.node.step, self.node.condition
        if not (isinstance(step, Call) and step.function in ("_&&_", "_||_") and self.is_accumulator(step.args[0])
                and isinstance(condition, Call) and condition.function == "@not_strictly_false"):
            return None
        decisive = step.function == "_||_"
        condition_cost = 3 if decisive else 2           # @not_strictly_false(@result), with a ! in between for exists
        test, test_cost = self.part(step.args[1])
        make = _quantifier if self.second is None else _quantifier_of_pairs
        return make(self, test, condition_cost, condition_cost + 1 + test_cost, decisive)

    def collector(self) -> Run | None:
        """map, filter and transformList: appends to a list of its own."""
        step, chosen = self.node.step, None
        if not isinstance(self.node.initial, ListNode) or self.node.initial.items or not isinstance(step, Call):
            return None
        if step.function == "_?_:_" and self.is_accumulator(step.args[2]):
            chosen, step = step.args[0], step.args[1]
        if not (isinstance(step, Call) and step.function == "_+_" and self.is_accumulator(step.args[0])
                and isinstance(step.args[1], ListNode) and len(step.args[1].items) == 1 and not step.args[1].optional):
            return None
        block = Block()
        self.compiler.value(step.args[1], block)           # the list of one, for its cost
        element, _ = self.part(step.args[1].items[0])
        step_cost = block.cost + 2                         # the accumulator's name and the sum
        return _collect(self, element, step_cost, None if chosen is None else self.part(chosen))

    def general(self, initial: Run, accumulated: int) -> Run:
        """Condition and step as they are written."""
        condition, condition_cost = self.part(self.node.condition)
        step, step_cost = self.part(self.node.step)
        fresh = isinstance(self.node.initial, MapNode) and not self.node.initial.entries
        bind, items_of, range_ = self.binder(), self.items, self.range

        def run(frame: Frame) -> Any:
            items = items_of(range_(frame))
            frame[accumulated] = {} if fresh else initial(frame)
            for item in items:
                bind(frame, item)
                frame[COST] += condition_cost
                if condition(frame) is False:
                    break
                frame[COST] += step_cost
                if frame[COST] > frame[LIMIT]:
                    raise CostExceeded
                frame[accumulated] = step(frame)
            return frame[accumulated]
        return run

    def binder(self) -> Callable[[Frame, Any], None]:
        first, second = self.first, self.second

        def single(frame: Frame, item: Any) -> None:
            frame[first] = item

        def pair(frame: Frame, item: Any) -> None:
            assert second is not None
            frame[first], frame[second] = item
        return single if second is None else pair


def _quantifier(loop: _Loop, test: Run, condition_cost: int, turn_cost: int, decisive: bool) -> Run:
    slot, items_of, range_ = loop.first, loop.items, loop.range
    ordinary = not decisive

    def run(frame: Frame) -> Any:
        failure: Exception | None = None
        items: Iterator[Any] = iter(items_of(range_(frame)))
        limit = frame[LIMIT]
        for item in items:
            frame[COST] += turn_cost
            if frame[COST] > limit:
                raise CostExceeded
            frame[slot] = item
            try:
                held = test(frame)
            except FAILURES as error:
                failure = failure or error
                continue
            if held is ordinary:
                continue
            if held is decisive:
                if next(items, _END) is not _END:
                    frame[COST] += condition_cost
                return decisive
            failure = failure or EvaluationError(NO_OVERLOAD)
        if failure is not None:
            raise failure
        return ordinary
    return run


def _quantifier_of_pairs(loop: _Loop, test: Run, condition_cost: int, turn_cost: int, decisive: bool) -> Run:
    first, second = loop.first, loop.second
    assert second is not None

    def both(frame: Frame) -> Any:
        frame[first], frame[second] = frame[first]
        return test(frame)
    return _quantifier(loop, both, condition_cost, turn_cost, decisive)


def _collect(loop: _Loop, element: Run, step_cost: int, chosen: tuple[Run, int] | None) -> Run:
    bind, items_of, range_ = loop.binder(), loop.items, loop.range
    choose, choose_cost = chosen or (None, 0)

    def run(frame: Frame) -> list[Any]:
        made: list[Any] = []
        limit = frame[LIMIT]
        for item in items_of(range_(frame)):
            bind(frame, item)
            frame[COST] += choose_cost
            if choose is not None:
                held = choose(frame)
                if held is False:
                    continue
                if held is not True:
                    raise EvaluationError(NO_OVERLOAD)
            frame[COST] += step_cost
            if frame[COST] > limit:
                raise CostExceeded
            made.append(element(frame))
        return made
    return run


