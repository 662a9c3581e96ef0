"""A compiled expression: `compile` makes it, `Program` runs it and tells what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kube.cel.checker import Checked, check
from kube.cel.compiler import Compiler
from kube.cel.errors import FAILURES, CompileError, CostExceeded, EvaluationError, InstantiationError, Issue, ResultTypeError
from kube.cel.functions import EXTENSIONS, table_of
from kube.cel.parser import parse
from kube.cel.parts import COST, Run
from kube.cel.types import BOOL, Type, is_dyn, is_optional
from kube.cel.validators import pattern_error, validate
from kube.cel.values import NO_OVERLOAD

PER_CALL_LIMIT: Final = 1_000_000                   # what one evaluation may cost
RUNTIME_COST_BUDGET: Final = 10_000_000             # all rules of an object, or a policy's binding
MATCH_CONDITIONS_BUDGET: Final = 2_500_000          # all match conditions of a webhook
MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024
CostRange = tuple[int, int]
SizeOf = Callable[[tuple[str, ...]], CostRange | None]


class Program:
    """One expression, checked and compiled. Holds no state of an evaluation: it can run many at once."""

    __slots__ = ("_checked", "_convert", "_fixed_cost", "_locals", "_names", "_run", "_types", "result_type", "source", "variables")

    def __init__(self, source: str, checked: Checked, variables: Mapping[str, Type], *, fold_constants: bool) -> None:
        self.source = source
        self.result_type = checked.types[checked.root.id]
        self.variables = frozenset(checked.variables)       # those that the expression uses
        self._checked = checked
        self._types = dict(variables)
        self._names = sorted(name for name in checked.variables if name in variables)
        compiler = Compiler(checked, self._names, fold_constants=fold_constants)
        self._run: Run
        self._run, self._fixed_cost = compiler.whole()
        self._locals = [None] * (compiler.slots - 2 - len(self._names))
        self._convert = {name: variables[name] for name in self._names if needs_conversion(variables[name])}

    def evaluate(self, bindings: Mapping[str, Any], *, budget: int | None = None) -> Any:
        """The value (values.py tells the types). `budget`: what it may cost, by default Kubernetes' limit for one expression.

        Raises EvaluationError, CostExceeded.
        """
        return self.evaluate_with_cost(bindings, budget=budget)[0]

    def evaluate_with_cost(self, bindings: Mapping[str, Any], *, budget: int | None = None) -> tuple[Any, int]:
        """As `evaluate`, with what it cost."""
        limit = PER_CALL_LIMIT if budget is None else budget
        frame: list[Any] = [self._fixed_cost, limit]
        try:
            for name in self._names:
                frame.append(bindings[name])
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None
        for name, type_ in self._convert.items():
            place = 2 + self._names.index(name)
            frame[place] = _converted(type_, frame[place])
        frame += self._locals
        try:
            value = self._run(frame)
        except EvaluationError:
            if frame[COST] > limit:
                raise CostExceeded from None
            raise
        except FAILURES as error:           # a value that is not of its declared type
            raise EvaluationError(NO_OVERLOAD) from error
        except RecursionError:
            raise EvaluationError("expression is nested too deeply") from None
        if frame[COST] > limit:
            raise CostExceeded
        return value, frame[COST]

    def estimated_cost(self, size_of: SizeOf | None = None) -> CostRange:
        """(least, most) that an evaluation costs. `size_of`: the bounds of the size of what a path leads to; a path is a variable, then
        names of fields, "@items", "@keys", "@values". By default the sizes are those of the variables' types.
        """
        from kube.cel.estimate import estimate, type_sizer
        if size_of is None:
            return estimate(self._checked, type_sizer(self._types))
        sizes = size_of
        return estimate(self._checked, lambda path, _: sizes(path) if path else None)


def compile(  # noqa: A001
    source: str, variables: Mapping[str, Type], *, result: Type | None = BOOL, types: Mapping[str, Type] | None = None,
    extensions: frozenset[str] = frozenset(), fold_constants: bool = True, homogeneous: bool = True,
) -> Program:
    """Raises CompileError, worded as cel-go does; its kinds InstantiationError and ResultTypeError have the bare reason as text.

    `result`: what the expression must give (None: anything). `types`: objects that it may make (`Object{...}`), by name.
    `extensions`: libraries beyond Kubernetes' common ones, of functions.EXTENSIONS. `fold_constants`, `homogeneous`: as Kubernetes has
    them; off, the costs and checks are those of plain CEL.
    """
    if unknown := extensions - EXTENSIONS.keys():
        raise ValueError(f"no such extensions: {sorted(unknown)}")
    checked = _checked(source, variables, types or {}, extensions, homogeneous=homogeneous)
    found = checked.types[checked.root.id]
    if result is not None and not is_dyn(result) and found != result:
        raise ResultTypeError(f"must evaluate to {result} but got {found}", source)
    if problem := pattern_error(checked):
        raise InstantiationError(problem, source)
    try:
        return Program(source, checked, variables, fold_constants=fold_constants)
    except EvaluationError as error:             # a constant that cannot be converted
        raise InstantiationError(str(error), source) from error
    except RecursionError:
        raise CompileError([Issue(-1, "expression recursion limit exceeded")], source) from None


def type_of_expression(source: str, variables: Mapping[str, Type]) -> Type:
    """What an expression gives that is not to be run. Raises CompileError."""
    checked = _checked(source, variables, {}, frozenset(), homogeneous=True)
    return checked.types[checked.root.id]


def _checked(
    source: str, variables: Mapping[str, Type], types: Mapping[str, Type], extensions: frozenset[str], *, homogeneous: bool,
) -> Checked:
    tree, _ = parse(source, bindings="bindings" in extensions)
    checked = check(tree, source, variables, table_of(extensions), types)
    if issues := validate(checked, homogeneous=homogeneous):
        raise CompileError(issues, source)
    return checked


def needs_conversion(type_: Type) -> bool:
    """Whether JSON must be converted for this type: kube.cel.schema knows how, and is needed for types of schemas only."""
    if not (type_.params[0] if is_optional(type_) else type_).declared:
        return False
    from kube.cel.schema import converts
    return converts(type_)


def _converted(type_: Type, value: Any) -> Any:
    from kube.cel.schema import convert
    return convert(type_, value)
