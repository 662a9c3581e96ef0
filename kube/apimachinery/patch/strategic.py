"""Strategic merge patch: a merge patch that knows the schema, so that lists merge by key.

Per field the schema says the strategy (`merge`, `replace`, `retainKeys`) and the merge key. Directives in the patch:
`$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
Follows apimachinery's strategicpatch, including its error words.
"""

from __future__ import annotations

import copy
from typing import Any, Final, Protocol

from kube.apimachinery.errors import BadRequest, Invalid
from kube.apimachinery.patch.ordering import hashable, order_elements

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"


class SchemaNode(Protocol):
    """What a patch needs to know of a schema; kube.apimachinery.schema.Schema is one."""

    @property
    def properties(self) -> Any: ...
    @property
    def items(self) -> Any: ...
    @property
    def values(self) -> Any: ...
    @property
    def patch_strategy(self) -> Any: ...
    @property
    def patch_merge_key(self) -> Any: ...


def apply_strategic_patch(doc: dict[str, Any], patch: Any, schema: SchemaNode | None) -> dict[str, Any]:
    """A new document; neither argument is changed. Raises BadRequest or Invalid."""
    if not isinstance(patch, dict):
        raise BadRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return _merge_map(copy.deepcopy(doc), copy.deepcopy(patch), schema)


def _merge_map(original: dict[str, Any], patch: dict[str, Any], schema: SchemaNode | None) -> dict[str, Any]:
    if DIRECTIVE in patch:
        return _directed_map(patch)
    _retain_keys(original, patch)
    _merge_ordered_lists(original, patch, schema)
    for key, value in patch.items():
        deleting = key.startswith(DELETE_FROM)
        if deleting:
            key = key.removeprefix(DELETE_FROM)
        if value is None:
            original.pop(key, None)
        elif key not in original or not _same_shape(original[key], value):
            if not deleting:
                _put_new(original, key, value)
        else:
            original[key] = _merge_value(original[key], value, key, schema, deleting)
    return original


def _directed_map(patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch.pop(DIRECTIVE)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    raise BadRequest(f"unknown patch type: {directive} in map: {patch}")


def _merge_value(old: Any, new: Any, key: str, schema: SchemaNode | None, deleting: bool) -> Any:
    field = _field(schema, key)
    if isinstance(new, dict):
        return new if _strategy(field) == "replace" else _merge_map(old, new, field)
    if isinstance(new, list):
        if deleting:
            gone = {hashable(item) for item in new}
            return [item for item in old if hashable(item) not in gone]
        return _merge_list(old, new, key, field) if _strategy(field) == "merge" else new
    return new


def _put_new(original: dict[str, Any], key: str, value: Any) -> None:
    kept, cleaned = _without_directives(_without_nulls(value))
    if kept:
        original[key] = cleaned
    else:
        original.pop(key, None)


def _same_shape(old: Any, new: Any) -> bool:
    return all(isinstance(old, kind) is isinstance(new, kind) for kind in (dict, list))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _without_directives(value: Any) -> tuple[bool, Any]:
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return False, None
        pairs = [(key, _without_directives(item)) for key, item in value.items()
                 if key != RETAIN_KEYS and not key.startswith((SET_ORDER, DELETE_FROM))]
        return True, {key: item for key, (kept, item) in pairs if kept}
    if isinstance(value, list):
        return True, [item for kept, item in map(_without_directives, value) if kept]
    return True, value


def _retain_keys(original: dict[str, Any], patch: dict[str, Any]) -> None:
    if RETAIN_KEYS not in patch:
        return
    retained = patch.pop(RETAIN_KEYS)
    if not isinstance(retained, list):
        raise BadRequest("invalid patch format of retainKeys")
    for key, value in patch.items():
        if value is not None and key not in retained and not key.startswith((DELETE_FROM, SET_ORDER)):
            raise BadRequest("invalid patch format of retainKeys")
    for key in [key for key in original if key not in retained]:
        del original[key]


def _merge_ordered_lists(original: dict[str, Any], patch: dict[str, Any], schema: SchemaNode | None) -> None:
    """Lists named by $setElementOrder: merged, then ordered by the directive, then by the live list."""
    for directive in [key for key in patch if key.startswith(SET_ORDER)]:
        order, key = patch.pop(directive), directive.removeprefix(SET_ORDER)
        live, given = original.get(key), patch.get(key)
        if not isinstance(order, list) or any(part is not None and not isinstance(part, list) for part in (live, given)):
            raise BadRequest("invalid patch format of setElementOrder list")
        if live is None and given is None:
            continue
        field = _field(schema, key)
        merge_key = _merge_key(field, [*order, *(live or ()), *(given or ())])
        _check_order(given or [], order, merge_key)
        if live is None:
            merged = _without_directives(given)[1]
        elif given is None:
            merged = live
        else:
            merged = _merge_list(list(live), given, key, field) if _strategy(field) == "merge" else given
        original[key] = order_elements(merged, order, live or [], merge_key)
        patch.pop(key, None)


def _check_order(given: list[Any], order: list[Any], merge_key: str) -> None:
    wanted = [_identity(item, merge_key) for item in given if not (isinstance(item, dict) and DIRECTIVE in item)]
    remaining = iter([_identity(item, merge_key) for item in order])
    if order and not all(item in remaining for item in wanted):
        raise Invalid(f"The order in patch list:\n{given}\n doesn't match $setElementOrder list:\n{order}\n")


def _merge_list(old: list[Any], new: list[Any], key: str, field: SchemaNode | None) -> list[Any]:
    if not old and not new:
        return old
    elements = [*old, *new]
    if any(isinstance(item, list) for item in elements):
        raise Invalid("lists of lists are not supported")
    if len({isinstance(item, dict) for item in elements}) > 1:
        raise Invalid("list element types are not identical")
    if not isinstance(elements[0], dict):
        merged = list(dict.fromkeys(elements))
        return order_elements(merged, new, old, "")
    merge_key = _merge_key(field, elements)
    if not merge_key:
        raise Invalid(f"cannot merge lists without merge key for {key}")
    live, plain = _special_elements(old, new, merge_key)
    before = list(live)
    items = field.items if field is not None else None
    places = _places(live, merge_key)
    for item in plain:
        wanted = hashable(_identity(item, merge_key))
        at = places.get(wanted)
        if at is None:
            live.append(_without_directives(_without_nulls(item))[1])
            places[wanted] = len(live) - 1
        else:
            live[at] = _merge_map(live[at], item, items)
    return order_elements(live, plain, before, merge_key)


def _special_elements(old: list[Any], new: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """The live list after $patch elements took effect, and the patch's plain elements."""
    plain, gone, replace = [], set(), False
    for item in new:
        if not isinstance(item, dict):
            raise Invalid(f"value for key {merge_key} is not a map")
        directive = item.get(DIRECTIVE)
        if directive is None:
            plain.append(item)
        elif directive == "delete":
            gone.add(hashable(_identity(item, merge_key)))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise Invalid("merging lists cannot yet be specified in the patch")
        else:
            raise BadRequest(f"unknown patch type: {directive} in map: {item}")
    if replace:
        return plain, []
    return [held for held in old if hashable(held.get(merge_key)) not in gone], plain


def _places(items: list[Any], merge_key: str) -> dict[Any, int]:
    """Of elements by their key, the first of each."""
    places: dict[Any, int] = {}
    for at, item in enumerate(items):
        if merge_key in item:
            places.setdefault(hashable(item[merge_key]), at)
    return places


def _identity(item: Any, merge_key: str) -> Any:
    if not merge_key:
        return item
    if not isinstance(item, dict) or merge_key not in item:
        raise Invalid(f"map: {item} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _field(schema: SchemaNode | None, key: str) -> Any:
    if schema is None:
        return None
    return (schema.properties or {}).get(key) or schema.values


def _strategy(field: SchemaNode | None) -> str:
    """`merge`, `replace` or "" (retainKeys says nothing about how to merge)."""
    names = str(field.patch_strategy or "").split(",") if field is not None else []
    return next((name for name in names if name != "retainKeys"), "")


def _merge_key(field: SchemaNode | None, elements: list[Any]) -> str:
    """The declared merge key; none for lists of primitives."""
    if field is None or not any(isinstance(item, dict) for item in elements):
        return ""
    return str(field.patch_merge_key or "")
