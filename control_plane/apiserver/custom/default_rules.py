"""Defaults must be what the schema asks for: pruned, of the right type, within the limits. Follows apiextensions' schema/defaulting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from control_plane.apiserver.custom import embedded, failures
from control_plane.apiserver.custom.defaulting import copied
from control_plane.apiserver.custom.pruning import META_FIELDS, prune, prune_value
from control_plane.apiserver.custom.structural import Structural
from control_plane.apiserver.custom.values import Node
from kube.apimachinery.errors import BadRequest, Cause
from kube.apimachinery.validation import invalid

Surround = Callable[[Any], Any]      # a value -> the object it would stand in
_ENVELOPE: Final = {"apiVersion": "validation/v1", "kind": "Validation"}


def default_causes(schema: Structural, path: str) -> list[Cause]:
    """Of every default below the root."""
    return _Walk(schema).causes(schema, path, lambda value: {**_ENVELOPE, **value}, inside_meta=False, is_root=True)


class _Walk:
    """`root` is the resource that the node stands in: the whole object, or one embedded in it."""

    def __init__(self, root: Structural) -> None:
        self.root = root

    def causes(
        self, schema: Structural, path: str, surround: Surround, *, inside_meta: bool, is_root: bool = False
    ) -> list[Cause]:
        if schema.embedded and not is_root:
            return _Walk(schema).causes(schema, path, lambda value: {**_ENVELOPE, **value}, inside_meta=False, is_root=True)
        found: list[Cause] = []
        if schema.has_default:
            check = self._inside_meta if inside_meta else self._outside
            found += check(schema, f"{path}.default", surround)
        # Below additionalProperties there are none: nobody could say for which key.
        if schema.items is not None:
            found += self.causes(schema.items, f"{path}.items", lambda value: surround([value]), inside_meta=inside_meta)
        for key, child in schema.properties.items():
            in_meta = inside_meta or (is_root and key in META_FIELDS)
            found += self.causes(
                child, f"{path}.properties[{key}]", lambda value, key=key: surround({key: value}), inside_meta=in_meta)  # type: ignore[misc]
        return found

    def _outside(self, schema: Structural, path: str, surround: Surround) -> list[Cause]:
        value, causes = schema.default, []
        pruned = copied(value)
        if schema.embedded and isinstance(pruned, dict):
            prune(pruned, schema)
        else:
            prune_value(pruned, schema)
        if pruned != value:
            causes.append(invalid(path, value, "must not have unknown fields"))
        if cause := embedded.coerce(copied(value), schema, [], path):
            return [*causes, cause]
        if problems := embedded.embedded_causes(value, schema, path):
            return [*causes, *problems]
        return causes + _value_causes(schema, path)

    def _inside_meta(self, schema: Structural, path: str, surround: Surround) -> list[Cause]:
        obj = surround(copied(schema.default))
        try:
            embedded.coerce_metadata(obj, [])
        except BadRequest as error:
            return [invalid(path, schema.default, f"must result in valid metadata: metadata: Invalid value: {error}")]
        if problems := embedded.embedded_causes(obj, self.root, is_resource=True):
            said = ", ".join(f"{cause.field}: {cause.message}" for cause in problems)
            return [invalid(path, schema.default, f"must result in valid metadata: {said}")]
        return _value_causes(schema, path)


def _value_causes(schema: Structural, path: str) -> list[Cause]:
    """Types and limits; if those hold, the rules: for a default that stays, and for one that is new."""
    causes = [failures.cause_of(failure, path) for failure in Node(schema).validate(schema.default)]
    if causes or b"x-kubernetes-validations" not in msgspec.json.encode(schema.raw):
        return causes
    from control_plane.apiserver.custom.rules import Rules  # brings a compiler along

    rules = Rules.of(schema, is_resource=False)
    if rules is None:
        return []
    return rules.validate(schema.default, schema.default, path=path, ratchet=False) or rules.validate(schema.default, path=path)
