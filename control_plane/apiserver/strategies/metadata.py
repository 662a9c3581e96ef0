"""ObjectMeta: what every object carries. Follows apimachinery's api/validation and the registry's rest package."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersion
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    NameRule,
    dns_label_problems,
    each,
    forbidden,
    invalid,
    label_value_problems,
    not_negative,
    not_supported,
    qualified_name_problems,
    required,
    too_long,
)

ANNOTATIONS_LIMIT: Final = 256 * 1024
FOREGROUND_FINALIZER: Final = "foregroundDeletion"
ORPHAN_FINALIZER: Final = "orphan"
STANDARD_FINALIZERS: Final = frozenset({"kubernetes", ORPHAN_FINALIZER, FOREGROUND_FINALIZER})
GENERATED_SUFFIX_LENGTH: Final = 5
_NAME_LIMIT: Final = 63
_SAFE_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"     # no vowels, so that no words appear; upstream's alphabet
_IMMUTABLE: Final = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def generated_name(prefix: str) -> str:
    """A name for an object created with generateName: the prefix, cut to fit, and five random letters."""
    return prefix[: _NAME_LIMIT - GENERATED_SUFFIX_LENGTH] + "".join(secrets.choice(_SAFE_LETTERS) for _ in range(GENERATED_SUFFIX_LENGTH))


def keep_system_metadata(obj: JsonObject, old: JsonObject) -> None:
    """What an update cannot change is carried over: generation, timestamps, and a uid that was left out."""
    metadata, held = obj.setdefault("metadata", {}), old["metadata"]
    metadata.pop("selfLink", None)
    if not metadata.get("uid") and "uid" in held:
        metadata["uid"] = held["uid"]
    for key in ("generation", "creationTimestamp"):
        if key in held:
            metadata[key] = held[key]
        else:
            metadata.pop(key, None)
    if held.get("deletionTimestamp"):
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            if key in held:
                metadata[key] = held[key]


def validate_object_meta(obj: JsonObject, *, namespaced: bool, name_rule: NameRule, path: str = "metadata") -> list[Cause]:
    """Everything that is wrong with the metadata of a new object."""
    metadata = obj.get("metadata") or {}
    causes: list[Cause] = []
    if prefix := metadata.get("generateName"):
        causes += validate_generate_name(prefix, name_rule, path)
    name = metadata.get("name") or ""
    if not name:
        causes.append(required(f"{path}.name", "name or generateName is required"))
    else:
        causes += each(f"{path}.name", name, name_rule(name))
    namespace = metadata.get("namespace") or ""
    if namespaced and not namespace:
        causes.append(required(f"{path}.namespace"))
    elif namespaced:
        causes += each(f"{path}.namespace", namespace, dns_label_problems(namespace))
    elif namespace:
        causes.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    causes += not_negative(f"{path}.generation", metadata.get("generation"))
    return causes + _validate_common(metadata, path) + _validate_finalizers(metadata.get("finalizers") or (), f"{path}.finalizers")


def validate_generate_name(prefix: str, name_rule: NameRule, path: str = "metadata") -> list[Cause]:
    return each(f"{path}.generateName", prefix, name_rule(masked_prefix(prefix)))


def validate_object_meta_update(obj: JsonObject, old: JsonObject, path: str = "metadata") -> list[Cause]:
    """Everything that is wrong with how metadata changes."""
    new, held = obj["metadata"], old["metadata"]
    causes: list[Cause] = []
    if held.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(held.get("finalizers") or ()))
        if extra:
            listed = ", ".join(json.dumps(item) for item in extra)
            causes.append(forbidden(f"{path}.finalizers", "no new finalizers can be added if the object is being deleted, "
                                                          f"found new finalizers []string{{{listed}}}"))
    for key in _IMMUTABLE:
        if (new.get(key) or None) != (held.get(key) or None):
            causes.append(invalid(f"{path}.{key}", new.get(key), FIELD_IMMUTABLE))
    return causes + _validate_common(new, path)


def validate_labels(labels: Mapping[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in sorted(labels.items()):
        causes += each(path, key, qualified_name_problems(key))
        causes += each(path, value, label_value_problems(value))
    return causes


def validate_annotations(annotations: Mapping[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    size = 0
    for key, value in sorted(annotations.items()):
        causes += each(path, key, qualified_name_problems(key.lower()))
        size += len(key.encode()) + len(value.encode())
    return [*causes, too_long(path, ANNOTATIONS_LIMIT)] if size > ANNOTATIONS_LIMIT else causes


def _validate_common(metadata: Mapping[str, Any], path: str) -> list[Cause]:
    return [
        *validate_labels(metadata.get("labels") or {}, f"{path}.labels"),
        *validate_annotations(metadata.get("annotations") or {}, f"{path}.annotations"),
        *_validate_owners(metadata.get("ownerReferences") or (), f"{path}.ownerReferences"),
        *_validate_managed_fields(metadata.get("managedFields") or (), f"{path}.managedFields"),
    ]


def _validate_owners(owners: Sequence[Mapping[str, Any]], path: str) -> list[Cause]:
    causes: list[Cause] = []
    controller = ""
    for index, owner in enumerate(owners):
        at = f"{path}[{index}]"
        api_version = owner.get("apiVersion") or ""
        if not api_version:
            causes.append(required(f"{at}.apiVersion", "must not be empty"))
        elif not GroupVersion.parse(api_version).version or api_version.count("/") > 1:
            causes.append(invalid(f"{at}.apiVersion", api_version, "must be <group>/<version> or <version>"))
        causes += [required(f"{at}.{key}", "must not be empty") for key in ("kind", "name", "uid") if not owner.get(key)]
        if api_version == "v1" and owner.get("kind") == "Event":
            causes.append(invalid(at, dict(owner), "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                causes.append(invalid(path, list(owners), "Only one reference can have Controller set to true. "
                                                          f'Found "true" in references for {controller} and {this}'))
            controller = controller or this
    return causes


def _validate_finalizers(finalizers: Sequence[str], path: str) -> list[Cause]:
    causes = [cause for name in finalizers for cause in each(path, name, qualified_name_problems(name))]
    if FOREGROUND_FINALIZER in finalizers and ORPHAN_FINALIZER in finalizers:
        causes.append(invalid(path, list(finalizers), f"finalizer {ORPHAN_FINALIZER} and {FOREGROUND_FINALIZER} cannot be both set"))
    return causes


def validate_qualified_finalizers(finalizers: Sequence[str], path: str = "metadata.finalizers") -> list[Cause]:
    """The rule of the built-in kinds, beyond the one for all: a domain, or a name of Kubernetes' own."""
    return [invalid(f"{path}[{index}]", name, "name is neither a standard finalizer name nor is it fully qualified")
            for index, name in enumerate(finalizers) if "/" not in name and name not in STANDARD_FINALIZERS]


def _validate_managed_fields(entries: Sequence[Mapping[str, Any]], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, entry in enumerate(entries):
        operation = entry.get("operation") or ""
        if not operation:
            causes.append(required(f"{path}[{index}].operation", "must not be empty"))
        elif operation not in {"Apply", "Update"}:
            causes.append(not_supported(f"{path}[{index}].operation", operation, ("Apply", "Update")))
        if entry.get("fieldsType") not in {None, "", "FieldsV1"}:
            causes.append(invalid(f"{path}[{index}].fieldsType", entry["fieldsType"], "must be `FieldsV1`"))
        if len(entry.get("manager") or "") > 128:
            causes.append(too_long(f"{path}[{index}].manager", 128))
    return causes


def masked_prefix(prefix: str) -> str:
    """A trailing dash is fine in a prefix: something will follow it."""
    return prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
