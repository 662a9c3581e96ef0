"""The rules of a write to a custom object. Follows apiextensions' registry/customresource."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.custom import embedded, failures
from control_plane.apiserver.custom.kind import Version
from control_plane.apiserver.custom.list_types import list_causes
from control_plane.apiserver.custom.paths import MISSING, WrongType, nested, simple_path
from control_plane.apiserver.custom.values import ABSENT
from control_plane.apiserver.strategies import metadata as meta
from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause, forbidden
from kube.apimachinery.jsonpath import JsonPath
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType
from kube.apimachinery.validation import INT32_MAX, invalid, qualified_name_problems

_BLOCKING: Final = frozenset({
    "FieldValueTypeInvalid", "FieldValueRequired", "FieldValueNotSupported", "FieldValueTooLong", "FieldValueTooMany",
})
_STANDARD_FINALIZERS: Final = frozenset({"orphan", "foregroundDeletion", "kubernetes"})
_NOT_CHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation")


class CustomResourceStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True
    qualified_finalizers = False
    looks_at_names_again = False

    def __init__(self, resource: ResourceType, version: Version) -> None:
        super().__init__(resource)
        self._version = version
        self._selectable = {
            path.removeprefix("."): JsonPath(f"{{{path}}}")
            for path in (field.get("jsonPath") or "" for field in version.spec.get("selectableFields") or ())
        }

    @property
    def validates_slowly(self) -> bool:  # type: ignore[override]
        return not self._version.is_compiled

    def default(self, obj: JsonObject) -> None:
        self._version.coerce(obj)      # a mutating webhook may have added what nobody knows
        self._version.default(obj)

    def prepare_for_create(self, obj: JsonObject) -> None:
        """Raises Forbidden when the kind is about to go."""
        if self._version.definition.terminating:
            name = (obj.get("metadata") or {}).get("name", "")
            raise forbidden(
                self.resource.group_resource, name, "create not allowed while custom resource definition is terminating")
        super().prepare_for_create(obj)

    def initial_status(self, obj: JsonObject) -> JsonObject | None:
        return None

    def _desired_state_changed(self, obj: JsonObject, old: JsonObject) -> bool:
        return _without_metadata(obj) != _without_metadata(old)

    def validate(self, obj: JsonObject) -> list[Cause]:
        causes = meta.validate_object_meta(obj, namespaced=self.resource.namespaced, name_rule=self.name_problems)
        causes += [failures.cause_of(failure) for failure in self._version.validator.validate(obj)]
        causes += self._scale_causes(obj)
        if self._version.has_embedded:
            causes += embedded.embedded_causes(obj, self._version.schema)
        if self._version.has_list_types:
            causes += list_causes(obj, self._version.schema)
        return causes + self._rule_causes(obj, None, causes)

    def validate_update(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes = meta.validate_object_meta_update(obj, old)
        causes += [failures.cause_of(failure) for failure in self._version.validator.validate(obj, old)]
        causes += self._scale_causes(obj)
        if self._version.has_embedded:
            causes += embedded.embedded_causes(obj, self._version.schema)
        causes += self._new_list_causes(obj, old)
        return causes + self._rule_causes(obj, old, causes)

    def validate_status_update(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes = meta.validate_object_meta_update(obj, old)
        validator = self._version.status_validator
        if "status" in obj and validator is not None:
            held = old.get("status", ABSENT)
            causes += [failures.cause_of(failure, "status") for failure in validator.validate(obj["status"], held)]
        causes += self._scale_causes(obj, status_only=True)
        causes += self._new_list_causes(obj, old)
        return causes + self._rule_causes(obj, old, causes)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        held = set((old or {"metadata": {}})["metadata"].get("finalizers") or ())
        new = sorted(set(obj["metadata"].get("finalizers") or ()) - held)
        return [warning for name in new for warning in _finalizer_warnings(name)]

    def _new_list_causes(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """Objects that had doubled items before may keep them."""
        if not self._version.has_list_types:
            return []
        schema = self._version.schema
        found = list_causes(obj, schema)
        return [] if found and list_causes(old, schema) else found

    def _rule_causes(self, obj: JsonObject, old: JsonObject | None, found: list[Cause]) -> list[Cause]:
        rules = self._version.rules
        if rules is None:
            return []
        if any(cause.reason in _BLOCKING for cause in found):
            return [Cause("FieldValueInvalid", failures.NO_PATH, f'Invalid value: "null": {_NOT_CHECKED}')]
        causes: list[Cause] = rules.validate(obj, old)
        return causes

    def _scale_causes(self, obj: JsonObject, *, status_only: bool = False) -> list[Cause]:
        scale = self._version.scale
        if scale is None:
            return []
        causes = [] if status_only else _replica_causes(obj, scale["specReplicasPath"])
        causes += _replica_causes(obj, scale["statusReplicasPath"])
        if path := scale.get("labelSelectorPath"):
            try:
                nested(obj, simple_path(path), str)
            except WrongType as error:
                causes.append(invalid(path, "", str(error)))
        return causes

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {name: _text(path.find(obj)) for name, path in self._selectable.items()}

    def unsupported_field(self, key: str) -> str:
        return "" if key in self.supported_fields else f"field label not supported: {key}"


def _finalizer_warnings(name: str) -> list[str]:
    at = f'metadata.finalizers: {failures.quoted(name)}:'
    said = [f"{at} {problem}" for problem in qualified_name_problems(name)]
    if "/" in name or name in _STANDARD_FINALIZERS:
        return said
    path = " including a path (/)" if "." in name else ""
    return [*said, f"{at} prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"]


def _replica_causes(obj: JsonObject, path: str) -> list[Cause]:
    try:
        replicas = nested(obj, simple_path(path), int)
    except WrongType as error:
        return [invalid(path, 0, str(error))]
    if replicas is MISSING:
        return []
    if replicas < 0:
        return [invalid(path, replicas, "should be a non-negative integer")]
    if replicas > INT32_MAX:
        return [invalid(path, replicas, f"should be less than or equal to {INT32_MAX}")]
    return []


def _without_metadata(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj.items() if key != "metadata"}


def _text(found: list[Any]) -> str:
    """A field's value as a selector compares it: as Go's fmt.Sprint prints it."""
    value = found[0] if found else None
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
