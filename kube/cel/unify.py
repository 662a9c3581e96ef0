"""Assignability of types, with type parameters bound on the way. The rules are cel-go's checker's.

A `Mapping` is what the parameters of one expression are bound to; a trial works on a copy and is kept only when it held.
"""

from __future__ import annotations

from kube.cel.types import DYN, Type, is_dyn

Bound = dict[str, Type]

_NULLABLE = frozenset({"opaque", "object", "duration", "timestamp", "null"})


def assignable(bound: Bound, left: Type, right: Type) -> Bound | None:
    """The bindings under which `left` fits `right`, or None."""
    if left is right and not left.params and left.kind != "param":
        return bound
    trial = dict(bound)
    return trial if _fits(trial, left, right) else None


def assignable_all(bound: Bound, left: list[Type], right: tuple[Type, ...]) -> Bound | None:
    """As `assignable`, for arguments one by one."""
    if len(left) != len(right):
        return None
    trial = dict(bound)
    for one, other in zip(left, right, strict=True):
        if one is other and one.kind != "param":
            continue
        if not _fits(trial, one, other):
            return None
    return trial


def substitute(bound: Bound, type_: Type, *, free_as_dyn: bool = False) -> Type:
    """The type with its parameters replaced by what they are bound to."""
    kind = type_.kind
    if kind == "param":
        found = bound.get(type_.name)
        if found is not None:
            return substitute(bound, found, free_as_dyn=free_as_dyn)
        return DYN if free_as_dyn else type_
    if not type_.params:
        return type_
    params = tuple(substitute(bound, inner, free_as_dyn=free_as_dyn) for inner in type_.params)
    if all(new is old for new, old in zip(params, type_.params, strict=True)):
        return type_
    return Type(kind, type_.name, params)


def most_general(left: Type, right: Type) -> Type:
    """The wider of two types known to unify."""
    return left if _less_specific(left, right) else right


def _less_specific(left: Type, right: Type) -> bool:
    if left.kind in ("dyn", "param"):
        return True
    if right.kind in ("dyn", "param") or left.kind != right.kind:
        return False
    if left.kind == "type":
        return True
    if left.kind in ("opaque", "list", "map"):
        return (left.name == right.name and len(left.params) == len(right.params)
                and all(_less_specific(one, other) for one, other in zip(left.params, right.params, strict=True)))
    return left == right


def _fits(bound: Bound, left: Type, right: Type) -> bool:
    if right.kind == "param":
        valid, had = _binds(bound, left, right)
        if valid or had:
            return valid
    if left.kind == "param":
        return _binds(bound, right, left)[0]
    if is_dyn(left) or is_dyn(right):
        return True
    if left.kind == "null":
        return right.kind in _NULLABLE
    if right.kind == "null":
        return left.kind in _NULLABLE
    if left.kind != right.kind:
        return False
    if left.kind == "type":
        return True
    if left.kind in ("opaque", "list", "map"):
        return (left.name == right.name and len(left.params) == len(right.params)
                and all(_fits(bound, one, other) for one, other in zip(left.params, right.params, strict=True)))
    return left.name == right.name


def _binds(bound: Bound, type_: Type, parameter: Type) -> tuple[bool, bool]:
    """Whether the type can stand for the parameter, and whether something already did."""
    if type_ == parameter:
        return True, True
    held = bound.get(parameter.name)
    if held is not None:
        if type_ == held:
            return True, True
        if _fits(bound, type_, held):
            wider = most_general(type_, held)
            if _absent(bound, parameter, wider):
                bound[parameter.name] = wider
            return True, True
        return False, True
    if _absent(bound, parameter, type_):
        bound[parameter.name] = type_
        return True, False
    return False, False


def _absent(bound: Bound, parameter: Type, within: Type) -> bool:
    """The occurs check: a parameter must not be bound to a type that holds it."""
    if parameter == within:
        return False
    if within.kind == "param":
        held = bound.get(within.name)
        return held is None or _absent(bound, parameter, held)
    return all(_absent(bound, parameter, inner) for inner in within.params)
