"""Validation of values against a schema, compiled once: each `Node` holds what its checks need, and nothing is looked up per value.

Follows kube-openapi's validation/validate, quirks and messages included, and apiextensions' ratcheting: what an update leaves as it was is
not held against it. `old` is the value that stood there before, ABSENT where none can be correlated (creation; items of atomic lists).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from control_plane.apiserver.custom import failures as f
from control_plane.apiserver.custom.failures import Failure, Result
from control_plane.apiserver.custom.formats import FORMATS, recognised
from control_plane.apiserver.custom.scalars import NumberChecks, StringChecks
from control_plane.apiserver.custom.structural import Structural

ABSENT: Final = object()
_TYPE_META: Final = frozenset({"apiVersion", "kind"})
_KINDS: Final[dict[type, tuple[str, str]]] = {      # -> JSON type, the format that Go's type implies
    str: ("string", ""), bool: ("boolean", ""), int: ("integer", "int64"), float: ("number", "float64"), list: ("array", ""),
    dict: ("object", ""), type(None): ("null", ""),
}


class Node:
    """One schema. `check` adds to a Result; what is nested in allOf, anyOf, oneOf and not are nodes of their own."""

    __slots__ = (
        "additional", "all_of", "any_of", "closed", "enum", "format", "format_check", "items", "list_map_keys",
        "max_items", "max_properties", "min_items", "min_properties", "not_", "nullable", "number", "one_of", "plain", "properties",
        "required", "string", "types",
    )

    def __init__(self, schema: Structural) -> None:
        raw = schema.raw
        self.types: tuple[str, ...] = ("integer", "string") if schema.int_or_string else (schema.type,) if schema.type else ()
        single = self.types[0] if len(self.types) == 1 else ""
        self.format = schema.format if schema.format and recognised(single, schema.format) else ""
        self.format_check: Callable[[str], bool] | None = FORMATS.get(self.format.replace("-", ""))
        self.nullable = schema.nullable
        self.enum = schema.enum
        self.required = schema.required
        self.properties = {key: Node(child) for key, child in schema.properties.items()}
        self.additional = Node(schema.additional) if schema.additional is not None else None
        self.closed = schema.declares_additional and not schema.allows_additional
        self.items = Node(schema.items) if schema.items is not None else None
        self.list_map_keys = schema.list_map_keys if schema.list_type == "map" else ()
        self.min_items, self.max_items = raw.get("minItems"), raw.get("maxItems")
        self.min_properties, self.max_properties = raw.get("minProperties"), raw.get("maxProperties")
        self.string = StringChecks.of(raw)
        self.number = NumberChecks(raw, self.types[0] if self.types else "", self.format)
        self.all_of = [Node(child) for child in schema.all_of]
        self.any_of = [Node(child) for child in schema.any_of]
        self.one_of = [Node(child) for child in schema.one_of]
        self.not_ = Node(schema.not_) if schema.not_ is not None else None
        self.plain = not (self.all_of or self.any_of or self.one_of or self.not_ or self.enum)

    def validate(self, value: Any, old: Any = ABSENT) -> list[Failure]:
        """Of a whole value, whose path is the empty one."""
        result = Result()
        self.check_ratcheted(value, old, "", result)
        return result.failures

    def check_ratcheted(self, value: Any, old: Any, path: str, result: Result) -> None:
        """As `check`, but an unchanged value is taken as it is."""
        if old is ABSENT:
            self.check(value, ABSENT, path, result)
            return
        own = Result()
        self.check(value, old, path, own)
        if own.failures and value == old and type(value) is type(old):
            own.clear()
        result.merge(own)

    def check(self, value: Any, old: Any, path: str, result: Result) -> None:
        kind, implied = _KINDS[type(value)]
        if kind == "null":
            if self.types and not self.nullable:
                result.add(_wrong_type(path, ",".join(self.types), "null"))
            else:
                result.matches += 1
            self._check_enum(value, path, result)
            return
        if self.types or self.format:
            self._check_type(value, kind, implied, path, result)
        if self.plain:
            result.matches += 2
        else:
            self._check_junctors(value, old, path, result)
        if kind == "string":
            result.matches += 1
            if self.string is not None and (failure := self.string.check(value, path)):
                result.add(failure)
            if self.format_check is not None:
                result.matches += 1
                if not self.format_check(value):
                    result.add(_wrong_type(path, self.format, value))
        elif kind == "object":
            self._check_object(value, old, path, result)
        elif kind == "array":
            self._check_array(value, old, path, result)
        elif kind != "boolean":
            result.matches += 2
            self.number.check(value, path, result)
        if self.enum is not None:
            self._check_enum(value, path, result)
        result.matches += 2

    def _check_type(self, value: Any, kind: str, implied: str, path: str, result: Result) -> None:
        result.matches += 1
        types = self.types
        if kind in types:
            result.matches += 1
            return
        integral = kind == "number" and "integer" in types and float(value).is_integer()
        widened = kind == "integer" and "number" in types
        if integral or widened:
            result.matches += 1
            return
        numeric = "number" in types or "integer" in types
        if self.format and kind not in ("string", "array"):
            if implied != self.format:
                result.add(_wrong_type(path, self.format, implied))
            else:
                result.add(_wrong_type(path, ",".join(types), kind))
        elif self.format and not numeric:
            result.matches += 1      # whatever its type: upstream leaves strings and arrays to the format
        else:
            result.add(_wrong_type(path, ",".join(types), kind))

    def _check_enum(self, value: Any, path: str, result: Result) -> None:
        if not self.enum:
            return
        for allowed in self.enum:
            if allowed is not None and value is not None and _equal(value, allowed):
                return
        shown = "null" if value is None else value
        words = f"{path} in body should be one of {f.go_list(self.enum)}"
        result.add(Failure(f.ENUM, path, words, shown, allowed=self.enum))

    def _check_object(self, value: dict[str, Any], old: Any, path: str, result: Result) -> None:
        size, properties = len(value), self.properties
        if self.min_properties is not None and size < self.min_properties:
            words = f"{path} in body should have at least {self.min_properties} properties"
            result.add(Failure(f.OTHER, path, words, size))
        if self.max_properties is not None and size > self.max_properties:
            words = f"{path} in body should have at most {self.max_properties} properties"
            result.add(Failure(f.MAX_PROPERTIES, path, words, size, self.max_properties))
        olds = old if type(old) is dict else None
        if self.closed:
            for key in value:
                if key not in properties:
                    result.add(Failure(f.OTHER, path, f"{path}.{key} in body is a forbidden property", key))
        elif self.additional is not None:
            for key, child in value.items():
                if key not in properties:
                    before = olds.get(key, ABSENT) if olds is not None else ABSENT
                    self.additional.check_ratcheted(child, before, f"{path}.{key}", result)
        for key, node in properties.items():
            if key in value:
                before = ABSENT
                if olds is not None and (path or key not in _TYPE_META):
                    before = olds.get(key, ABSENT)
                node.check_ratcheted(value[key], before, f"{path}.{key}" if path else key, result)
        for key in self.required:
            if key not in value:
                result.add(Failure(f.REQUIRED, f"{path}.{key}", f"{path}.{key} in body is required"))

    def _check_array(self, value: list[Any], old: Any, path: str, result: Result) -> None:
        result.matches += 2
        items = self.items
        if items is not None:
            befores = _by_keys(old, self.list_map_keys) if type(old) is list and self.list_map_keys else None
            for index, item in enumerate(value):
                before = ABSENT if befores is None else befores.get(_keys_of(item, self.list_map_keys), ABSENT)
                items.check_ratcheted(item, before, f"{path}[{index}]", result)
        size = len(value)
        if self.min_items is not None and size < self.min_items:
            result.add(Failure(f.OTHER, path, f"{path} in body should have at least {self.min_items} items", size))
        if self.max_items is not None and size > self.max_items:
            words = f"{path} in body should have at most {self.max_items} items"
            result.add(Failure(f.MAX_ITEMS, path, words, size, self.max_items))

    def _check_junctors(self, value: Any, old: Any, path: str, result: Result) -> None:
        if self.any_of:
            self._check_any_of(value, old, path, result)
        if self.one_of:
            self._check_one_of(value, old, path, result)
        if self.all_of:
            self._check_all_of(value, old, path, result)
        if self.not_ is not None:
            tried = Result()
            self.not_.check(value, old, path, tried)
            if not tried.failures:
                result.add(Failure(f.COMPOSITE, path, f'"{path}" must not validate the schema (not)'))
        result.matches += 2

    def _check_any_of(self, value: Any, old: Any, path: str, result: Result) -> None:
        best: Result | None = None
        for node in self.any_of:
            tried = Result()
            node.check(value, old, path, tried)
            if not tried.failures:
                result.merge(tried)
                return
            if best is None or tried.matches > best.matches:
                best = tried
        result.add(Failure(f.COMPOSITE, path, f'"{path}" must validate at least one schema (anyOf)'))
        if best is not None:
            result.merge(best)

    def _check_one_of(self, value: Any, old: Any, path: str, result: Result) -> None:
        best: Result | None = None
        first: Result | None = None
        valid = 0
        for node in self.one_of:
            tried = Result()
            node.check(value, old, path, tried)
            if not tried.failures:
                valid += 1
                best, first = None, first or tried
            elif not valid and (best is None or tried.matches > best.matches):
                best = tried
        if valid == 1:
            assert first is not None
            result.merge(first)
            return
        said = f"Found {valid} valid alternatives" if valid else "Found none valid"
        result.add(Failure(f.COMPOSITE, path, f'"{path}" must validate one and only one schema (oneOf). {said}'))
        if best is not None:
            result.merge(best)

    def _check_all_of(self, value: Any, old: Any, path: str, result: Result) -> None:
        valid = 0
        for node in self.all_of:
            tried = Result()
            node.check(value, old, path, tried)
            valid += not tried.failures
            result.merge(tried)
        if valid != len(self.all_of):
            said = "" if valid else ". None validated"
            result.add(Failure(f.COMPOSITE, path, f'"{path}" must validate all the schemas (allOf){said}'))


def _wrong_type(path: str, wanted: str, found: str) -> Failure:
    """`found` is what upstream shows as the value: the name of the type that was found, or the text that has not the format."""
    return Failure(f.TYPE, path, f"{path} in body must be of type {wanted}: {f.quoted(found)}", found)


def _equal(value: Any, allowed: Any) -> bool:
    """As Go compares them: true is no 1, yet 1.0 is."""
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


def _keys_of(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...] | None:
    if not isinstance(item, dict):
        return None
    found = tuple(item.get(key) for key in keys)
    return found if all(not isinstance(one, dict | list) for one in found) else None


def _by_keys(items: list[Any], keys: tuple[str, ...]) -> dict[tuple[Any, ...] | None, Any]:
    return {found: item for item in items if (found := _keys_of(item, keys)) is not None}
