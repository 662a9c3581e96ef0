"""The type checker: gives every node a type and every call its overloads, or says what does not fit. cel-go's rules and words.

A literal list of several types is a list of dyn; that Kubernetes refuses those is the business of validators.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kube.cel.errors import CompileError, Issue
from kube.cel.functions import Overload, Table
from kube.cel.tree import Call, Fold, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from kube.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    ERROR,
    INT,
    NULL,
    STRING,
    TYPE_NAMES,
    UINT,
    Type,
    is_dyn,
    is_optional,
    list_of,
    map_of,
    optional_of,
    type_of_type,
)
from kube.cel.unify import Bound, assignable, assignable_all, most_general, substitute
from kube.cel.values import UInt

_LITERALS: Final = {bool: BOOL, int: INT, UInt: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL}


class Checked:
    """A tree with what the checker found: types and overloads by node id, qualified names that turned out to be one variable."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self.types: dict[int, Type] = {}
        self.overloads: dict[int, list[Overload]] = {}
        self.functions: dict[int, str] = {}       # calls whose function is not what the node says: namespaced ones
        self.names: dict[int, str] = {}           # selections that are a variable's or type's qualified name
        self.variables: set[str] = set()          # of the environment, that the expression uses

    def type_of(self, node: Node) -> Type:
        return self.types[node.id]


def check(
    root: Node, source: str, variables: Mapping[str, Type], functions: Table, types: Mapping[str, Type],
) -> Checked:
    """Raises CompileError. `types`: those of objects that the expression may make."""
    checker = _Checker(root, variables, functions, types)
    try:
        checker.check(root)
    except RecursionError:
        raise CompileError([Issue(-1, "expression recursion limit exceeded")], source) from None
    if checker.issues:
        raise CompileError(checker.issues, source)
    found = checker.found
    for id_, type_ in found.types.items():
        found.types[id_] = substitute(checker.bound, type_, free_as_dyn=True)
    return found


class _Checker:
    def __init__(self, root: Node, variables: Mapping[str, Type], functions: Table, types: Mapping[str, Type]) -> None:
        self.found = Checked(root)
        self.variables = variables
        self.functions = functions
        self.struct_types = types
        self.bound: Bound = {}
        self.free = 0
        self.scopes: list[dict[str, Type]] = []
        self.issues: list[Issue] = []

    # -- small things

    def report(self, node: Node, message: str) -> None:
        self.issues.append(Issue(node.offset, message))

    def set(self, node: Node, type_: Type) -> Type:
        self.found.types[node.id] = type_
        return type_

    def fits(self, left: Type, right: Type) -> bool:
        bound = assignable(self.bound, left, right)
        if bound is None:
            return False
        self.bound = bound
        return True

    def fresh(self) -> Type:
        self.free += 1
        return Type("param", f"_var{self.free - 1}")

    def undeclared(self, node: Node, name: str) -> Type:
        self.report(node, f"undeclared reference to '{name}' (in container '')")
        return self.set(node, ERROR)

    def local(self, name: str) -> Type | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def declared(self, name: str) -> Type | None:
        """The type of a variable of the environment, or of a type's name."""
        if name in self.variables:
            self.found.variables.add(name)
            return self.variables[name]
        found = TYPE_NAMES.get(name) or self.struct_types.get(name)
        return None if found is None else type_of_type(found)

    # -- nodes

    def check(self, node: Node) -> Type:
        match node:
            case Literal():
                return self.set(node, _LITERALS[type(node.value)])
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
                return self.struct(node)
            case Fold():
                return self.fold(node)
        raise TypeError(node)

    def ident(self, node: Ident) -> Type:
        found = None if node.name.startswith(".") else self.local(node.name)
        found = found or self.declared(node.name.removeprefix("."))
        return self.undeclared(node, node.name) if found is None else self.set(node, found)

    def select(self, node: Select) -> Type:
        name = None if node.test_only else qualified_name(node)
        if name is not None and self.local(name.partition(".")[0]) is None:
            found = self.declared(name.removeprefix("."))
            if found is not None:
                self.found.names[node.id] = name.removeprefix(".")
                return self.set(node, found)
        result = self.field(node, node.operand, node.field, optional=False)
        return self.set(node, BOOL if node.test_only else substitute(self.bound, result))

    def field(self, node: Node, operand: Node, field: str, *, optional: bool) -> Type:
        """The type of operand.field."""
        outer = substitute(self.bound, self.check(operand))
        inner = outer.params[0] if is_optional(outer) else outer
        result = ERROR
        if inner.kind == "map":
            result = inner.element
        elif inner.kind == "object":
            known = (inner.fields or {}).get(field)
            if inner.fields is None:        # a library's type
                self.report(node, f"unexpected failed resolution of '{inner.name}'")
            elif known is None:
                self.report(node, f"undefined field '{field}'")
            else:
                result = known.type
        elif inner.kind == "param":
            self.fits(DYN, inner)
            result = DYN
        else:
            if not is_dyn(inner):
                self.report(node, f"type '{inner}' does not support field selection")
            result = DYN
        return optional_of(result) if optional or inner is not outer else result

    def call(self, node: Call) -> Type:
        if node.function == "_?._":
            field = node.args[1]
            assert isinstance(field, Literal)
            self.set(field, STRING)
            return self.set(node, substitute(self.bound, self.field(node, node.args[0], str(field.value), optional=True)))
        args = [self.check(arg) for arg in node.args]
        function = node.function
        if node.target is not None:
            prefix = qualified_name(node.target)
            full = f"{prefix.removeprefix('.')}.{function}" if prefix else ""
            if full in self.functions:
                self.found.functions[node.id] = full
                return self.resolve(node, full, args, member=False)
            args.insert(0, self.check(node.target))
        function = function.removeprefix(".")
        if function not in self.functions:
            return self.undeclared(node, node.function)
        return self.resolve(node, function, args, member=node.target is not None)

    def resolve(self, node: Call, function: str, args: list[Type], *, member: bool) -> Type:
        if function in ("_&&_", "_||_"):
            return self.logic(node, function, args)
        result: Type | None = None
        chosen = []
        for overload in self.functions[function]:
            if overload.member is not member or len(overload.args) != len(args):
                continue
            wanted, gives = overload.args, overload.result
            if overload.generic:
                fresh = {name: self.fresh() for name in overload.generic}
                wanted, gives = tuple(substitute(fresh, arg) for arg in wanted), substitute(fresh, gives)
            bound = assignable_all(self.bound, args, wanted)
            if bound is None:
                continue
            self.bound = bound
            chosen.append(overload)
            gives = substitute(bound, gives)
            if result is None:
                result = gives
            elif not is_dyn(result) and gives != result:
                result = DYN
        if result is None:
            self.no_overload(node, function, args, member=member)
            return self.set(node, ERROR)
        self.found.overloads[node.id] = chosen
        return self.set(node, result)

    def logic(self, node: Call, function: str, args: list[Type]) -> Type:
        self.found.overloads[node.id] = self.functions[function]
        result = BOOL
        for arg, type_ in zip(node.args, args, strict=True):
            if not self.fits(type_, BOOL):
                self.report(arg, f"expected type 'bool' but found '{substitute(self.bound, type_)}'")
                result = ERROR
        return self.set(node, result)

    def no_overload(self, node: Call, function: str, args: list[Type], *, member: bool) -> None:
        shown = [str(substitute(self.bound, arg, free_as_dyn=True)) for arg in args]
        signature = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
        self.report(node, f"found no matching overload for '{function}' applied to '{signature}'")

    def join(self, before: Type | None, current: Type) -> Type:
        if before is None:
            return current
        if self.fits(before, current):
            return most_general(before, current)
        return DYN

    def mismatch(self, node: Node, wanted: Type, found: Type) -> None:
        self.report(node, f"expected type '{wanted}' but found '{found}'")

    def unwrapped(self, node: Node, type_: Type) -> Type:
        """What an optional element holds."""
        if is_optional(type_):
            return type_.params[0]
        if not is_dyn(type_):
            self.mismatch(node, optional_of(type_), type_)
        return type_

    def list(self, node: ListNode) -> Type:
        element: Type | None = None
        for index, item in enumerate(node.items):
            type_ = self.check(item)
            element = self.join(element, self.unwrapped(item, type_) if index in node.optional else type_)
        return self.set(node, list_of(element or self.fresh()))

    def map(self, node: MapNode) -> Type:
        keys: Type | None = None
        values: Type | None = None
        for key, value, optional in node.entries:
            keys = self.join(keys, self.check(key))
            type_ = self.check(value)
            values = self.join(values, self.unwrapped(value, type_) if optional else type_)
        return self.set(node, map_of(keys or self.fresh(), values or self.fresh()))

    def struct(self, node: Struct) -> Type:
        found = self.struct_types.get(node.name.removeprefix("."))
        if found is None:
            return self.no_message(node)
        self.set(node, found)
        for offset, name, value, optional in node.fields:
            type_ = self.check(value)
            field = (found.fields or {}).get(name)
            if field is None:
                self.issues.append(Issue(offset, f"undefined field '{name}'"))
                continue
            given = self.unwrapped(value, type_) if optional else type_
            if not self.fits(field.type, given):
                self.issues.append(Issue(offset, f"expected type of field '{name}' is '{field.type}' but provided type is '{given}'"))
        return found

    def no_message(self, node: Struct) -> Type:
        name = node.name.removeprefix(".")
        if name in self.variables or self.local(name) is not None:
            self.report(node, f"'{self.variables.get(name) or self.local(name)}' is not a type")
        elif name in TYPE_NAMES:
            self.report(node, f"'{name}' is not a message type")
        else:
            return self.undeclared(node, node.name)
        return self.set(node, ERROR)

    def fold(self, node: Fold) -> Type:
        self.check(node.range)
        accumulated = self.check(node.initial)
        range_ = substitute(self.bound, self.found.types[node.range.id])
        first, second = self.items_of(node, range_)
        self.scopes.append({node.accumulator: accumulated})
        self.scopes.append({node.variable: first} | ({node.variable2: second} if node.variable2 else {}))
        self.check(node.condition)
        self.wants(node.condition, BOOL)
        self.check(node.step)
        self.wants(node.step, accumulated)
        self.scopes.pop()
        result = self.check(node.result)
        self.scopes.pop()
        return self.set(node, substitute(self.bound, result))

    def items_of(self, node: Fold, range_: Type) -> tuple[Type, Type]:
        if range_.kind == "list":
            return (INT, range_.element) if node.variable2 else (range_.element, ERROR)
        if range_.kind == "map":
            return range_.params[0], range_.element
        if range_.kind in ("dyn", "error", "param"):
            self.fits(DYN, range_)
            return DYN, DYN
        self.report(node.range, f"expression of type '{range_}' cannot be range of a comprehension (must be list, map, or dynamic)")
        return ERROR, ERROR

    def wants(self, node: Node, type_: Type) -> None:
        found = self.found.types[node.id]
        if not self.fits(type_, found):
            self.mismatch(node, type_, found)


def qualified_name(node: Any) -> str | None:
    """ "a.b.c" of selections on a name, else None."""
    parts = []
    while isinstance(node, Select) and not node.test_only:
        parts.append(node.field)
        node = node.operand
    if not isinstance(node, Ident):
        return None
    parts.append(node.name)
    return ".".join(reversed(parts))
