"""The rules of a kind that knows none of its own, and the seams where a kind adds its own.

A strategy is pure: it takes objects as the server handles them (dicts), changes the one it is given in place, and returns causes. The order
in which the registry asks: `default` after decoding, `prepare_for_*` after mutating admission, then `validate*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from control_plane.apiserver.strategies import metadata as meta
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType
from kube.apimachinery.validation import FIELD_IMMUTABLE, NameRule, dns_subdomain_problems, invalid

ENVELOPE: Final = ("apiVersion", "kind", "metadata", "status")
OPEN_METADATA: Final[tuple[str, ...]] = ("labels", "annotations", "finalizers")     # what the older kinds let a status write change
BACKGROUND: Final = "background"
ORPHAN: Final = "orphan"


class Strategy:
    """Generic behaviour; a kind's module overrides the methods whose names start with `default_`, `validate_` or `status_`."""

    counts_generations: ClassVar[bool] = False      # metadata.generation: 1 at creation, +1 with every change of the desired state
    generation_follows_annotations: ClassVar[bool] = False
    status_metadata: ClassVar[tuple[str, ...]] = ()         # metadata that a write to /status may change; see OPEN_METADATA
    allows_create_on_update: ClassVar[bool] = False # PUT of a name that does not exist creates it
    allows_update_without_version: ClassVar[bool] = True    # a PUT may leave resourceVersion out and overwrite
    garbage_collected: ClassVar[bool] = True        # False: dependents are nobody's business (Events)
    default_dependents: ClassVar[str] = BACKGROUND  # what becomes of dependents when a delete request says nothing
    qualified_finalizers: ClassVar[bool] = True     # finalizers of built-in kinds have a domain or are Kubernetes' own
    validates_slowly: bool = False                  # whatever the size of the object (registry/checking.py)
    field_words: ClassVar[str] = "field label not supported: {}"    # of kinds with fields of their own, for any other
    looks_at_names_again: ClassVar[bool] = True     # updates go through the rules of new objects, those of names too
    immutable: ClassVar[tuple[str, ...]] = ()       # top-level keys that never change

    def __init__(self, resource: ResourceType) -> None:
        self.resource = resource
        self.has_status = "status" in resource.subresources

    # Defaulting and preparation

    def default(self, obj: JsonObject) -> None:
        """Fills in what upstream fills in after decoding."""

    def initial_status(self, obj: JsonObject) -> JsonObject | None:
        """The status of a new object; None leaves it out."""
        return {} if self.has_status else None

    def prepare_for_create(self, obj: JsonObject) -> None:
        """Drops what a client may not decide: status, deletion marks, generation."""
        metadata = obj.setdefault("metadata", {})
        metadata.pop("deletionTimestamp", None)
        metadata.pop("deletionGracePeriodSeconds", None)
        metadata.pop("generation", None)
        metadata.pop("selfLink", None)
        if self.counts_generations:
            metadata["generation"] = 1
        if self.has_status:
            obj.pop("status", None)
        if (status := self.initial_status(obj)) is not None:
            obj["status"] = status

    def prepare_for_update(self, obj: JsonObject, old: JsonObject) -> None:
        """Keeps the status and the system's metadata; counts a new generation when the desired state changed."""
        meta.keep_system_metadata(obj, old)
        if self.has_status:
            _keep(obj, old, "status")
        self.align_with_old(obj, old)
        if self.counts_generations:
            generation = int(old["metadata"].get("generation") or 0)
            obj["metadata"]["generation"] = generation + 1 if self._desired_state_changed(obj, old) else generation
            if not obj["metadata"]["generation"]:
                del obj["metadata"]["generation"]

    def prepare_for_subresource_update(self, obj: JsonObject, old: JsonObject) -> None:
        """For updates of a part of the object, which the registry has put into a copy of the stored one."""
        meta.keep_system_metadata(obj, old)
        if self.counts_generations and obj["metadata"].get("generation") and self._desired_state_changed(obj, old):
            obj["metadata"]["generation"] += 1

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        """What an update carries over from the stored object before it is validated."""

    def prepare_for_status_update(self, obj: JsonObject, old: JsonObject) -> None:
        """Takes nothing but the status (and, for the older kinds, some metadata) from the request."""
        new_metadata = obj.get("metadata") or {}
        for key in [key for key in obj if key not in ENVELOPE]:
            del obj[key]
        for key, value in old.items():
            if key != "status":
                obj[key] = value
        kept = dict(old["metadata"])
        for key in (*self.status_metadata, "resourceVersion", "managedFields"):
            if key in new_metadata:
                kept[key] = new_metadata[key]
            elif key in self.status_metadata:
                kept.pop(key, None)
        obj["metadata"] = kept
        self.align_status_with_old(obj, old)

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        """What a status update carries over beyond the rule."""

    def _desired_state_changed(self, obj: JsonObject, old: JsonObject) -> bool:
        if desired_state(obj) != desired_state(old):
            return True
        return self.generation_follows_annotations and _annotations(obj) != _annotations(old)

    # Validation

    def name_problems(self, name: str) -> list[str]:
        """What is wrong with a name of this kind; most kinds take DNS subdomains."""
        return dns_subdomain_problems(name)

    def name_rule(self, obj: JsonObject) -> NameRule:
        """The rule for this object's name, where it depends on more than the name."""
        return self.name_problems

    def validate(self, obj: JsonObject) -> list[Cause]:
        """Everything that is wrong with a new object; it has its name already."""
        return [
            *meta.validate_object_meta(obj, namespaced=self.resource.namespaced, name_rule=self.name_rule(obj)),
            *self._finalizers(obj),
            *self.validate_object(obj, None),
        ]

    def validate_update(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """Everything that is wrong with the new state of an object."""
        causes = [*meta.validate_object_meta_update(obj, old), *self._finalizers(obj), *self._generate_name(obj),
                  *self.validate_object(obj, old), *self.validate_change(obj, old)]
        for key in self.immutable:
            if obj.get(key) != old.get(key):
                causes.append(invalid(key, obj.get(key), FIELD_IMMUTABLE))
        return causes

    def _generate_name(self, obj: JsonObject) -> list[Cause]:
        prefix = obj["metadata"].get("generateName")
        return meta.validate_generate_name(prefix, self.name_rule(obj)) if prefix and self.looks_at_names_again else []

    def _finalizers(self, obj: JsonObject) -> list[Cause]:
        finalizers = (obj.get("metadata") or {}).get("finalizers")
        return meta.validate_qualified_finalizers(finalizers) if finalizers and self.qualified_finalizers else []

    def validate_status_update(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [*meta.validate_object_meta_update(obj, old), *self.validate_status(obj, old)]

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        """What the answer warns of although it is allowed; `old` is there on updates only."""
        return []

    def validate_subresource_update(self, obj: JsonObject, old: JsonObject, subresource: str) -> list[Cause]:
        """Of what a subresource other than status made of the object."""
        return self.validate_update(obj, old)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        """The rules of the kind for its content; `old` is there on updates only."""
        return []

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """The rules of the kind for the way from one state to the next."""
        return []

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return []

    # Selection and deletion

    def fields(self, obj: JsonObject) -> dict[str, str]:
        """The values a field selector can ask for; every field the kind supports is a key, whatever the object holds."""
        metadata = obj.get("metadata") or {}
        values = {"metadata.name": metadata.get("name", "")}
        if self.resource.namespaced:
            values["metadata.namespace"] = metadata.get("namespace", "")
        values.update(self.own_fields(obj))
        return values

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {}

    @property
    def supported_fields(self) -> frozenset[str]:
        return frozenset(self.fields({"metadata": {}}))

    def unsupported_field(self, key: str) -> str:
        """The message for a field selector that asks for an unknown field; "" when the field is known."""
        if key in self.supported_fields:
            return ""
        if self.own_fields({"metadata": {}}):
            return self.field_words.format(key)
        if key == "metadata.namespace":             # of what has none too
            return ""
        return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'

    def grace_period(self, obj: JsonObject, options: Mapping[str, Any]) -> int | None:
        """Seconds an object lives on after a delete request; None: it is removed at once."""
        return None

    def before_deletion(self, obj: JsonObject) -> None:
        """What the first delete request adds to an object: a finalizer for what must happen before it goes."""

    def mark_deleted(self, obj: JsonObject) -> None:
        """What else changes in an object that is now being deleted."""

    def may_be_removed(self, obj: JsonObject) -> bool:
        """Whether nothing but finalizers in metadata holds an object that is being deleted."""
        return True


def desired_state(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj.items() if key not in ENVELOPE}


def _annotations(obj: JsonObject) -> JsonObject:
    return (obj.get("metadata") or {}).get("annotations") or {}


def _keep(obj: JsonObject, old: JsonObject, key: str) -> None:
    if key in old:
        obj[key] = old[key]
    else:
        obj.pop(key, None)
