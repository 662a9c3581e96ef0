"""What is wrong with a CustomResourceDefinition. Follows apiextensions' apis/apiextensions/validation.

Paths are upstream's: what all versions have in common is checked once, and told as if it stood in the spec itself ("spec.validation").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from control_plane.apiserver.custom import naming
from control_plane.apiserver.custom.conversion_rules import conversion_causes
from control_plane.apiserver.custom.formats import children, unrecognised_formats
from control_plane.apiserver.custom.schema_paths import InvalidPath, schema_at
from control_plane.apiserver.custom.schema_rules import SchemaOptions, schema_causes
from control_plane.apiserver.custom.structural import NotStructural, Structural
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns1035_problems,
    dns_subdomain_problems,
    duplicate,
    invalid,
    not_supported,
    required,
    too_many,
)

COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MAX_SELECTABLE_FIELDS: Final = 8
_COMMON: Final = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
_LONGEST_WARNING: Final = 256


def definition_causes(crd: JsonObject, old: JsonObject | None) -> list[Cause]:
    """Of a new definition, or of a changed one."""
    spec, metadata = crd.get("spec") or {}, crd.get("metadata") or {}
    causes: list[Cause] = []
    if old is None and metadata.get("name") != f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}":
        causes.append(invalid("metadata.name", metadata.get("name", ""), 'must be spec.names.plural+"."+spec.group'))
    causes += _spec_causes(spec, old)
    if old is not None:
        causes += _immutable_causes(spec, old)
    causes += status_causes(crd)
    causes += _stored_version_causes((crd.get("status") or {}).get("storedVersions") or [], spec.get("versions") or [])
    causes += _approval_causes(crd, old)
    if spec.get("preserveUnknownFields"):
        causes.append(invalid(
            "spec.preserveUnknownFields", True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
    return causes


def status_causes(crd: JsonObject) -> list[Cause]:
    return _names_causes((crd.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames")


def definition_warnings(crd: JsonObject, old: JsonObject | None) -> list[str]:
    """Unknown formats, and sets of what cannot be compared; on updates only those that are new."""
    said = _warnings(crd)
    before = set(_warnings(old)) if old is not None else set()
    return [warning for warning in said if warning not in before]


def _warnings(crd: JsonObject) -> list[str]:
    schemas = [schema for version in crd["spec"].get("versions") or () if (schema := _schema_of(version)) is not None]
    formats = [f'unrecognized format "{name}"' for schema in schemas for name in unrecognised_formats(schema)]
    return formats + sorted({text for schema in schemas for text in _set_warnings(schema)})


def _set_warnings(raw: JsonObject) -> Iterable[str]:
    items = raw.get("items")
    if raw.get("x-kubernetes-list-type") == "set" and isinstance(items, dict) and items.get("type") in ("object", "array"):
        yield (f'x-kubernetes-list-type: set for items of type "{items["type"]}" is not supported by server-side apply or CEL '
               "validation rules")
    for child in children(raw):
        yield from _set_warnings(child)


def _schema_of(version: JsonObject) -> JsonObject | None:
    return (version.get("schema") or {}).get("openAPIV3Schema")


def _spec_causes(spec: JsonObject, old: JsonObject | None) -> list[Cause]:
    group = spec.get("group") or ""
    causes: list[Cause] = []
    if not group:
        causes.append(required("spec.group"))
    elif problems := dns_subdomain_problems(group):
        causes.append(invalid("spec.group", group, ",".join(problems)))
    elif "." not in group:
        causes.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    scope = spec.get("scope") or ""
    if not scope:
        causes.append(required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        causes.append(not_supported("spec.scope", scope, ("Cluster", "Namespaced")))
    versions = spec.get("versions") or []
    causes += [
        required(f"spec.versions[{index}].schema.openAPIV3Schema")
        for index, version in enumerate(versions) if _schema_of(version) is None
    ]
    causes += _versions_causes(spec, versions, old)
    names = spec.get("names") or {}
    causes += [required(f"spec.names.{key}") for key in ("plural", "singular", "kind", "listKind") if not names.get(key)]
    causes += _names_causes(names, "spec.names")
    causes += _common_causes(versions, old)
    return causes + conversion_causes(spec.get("conversion") or {}, old)


def _versions_causes(spec: JsonObject, versions: list[JsonObject], old: JsonObject | None) -> list[Cause]:
    causes: list[Cause] = []
    common = _common(versions)
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        if problems := dns1035_problems(name):
            causes.append(invalid(f"{path}.name", name, ",".join(problems)))
        causes += _deprecation_causes(version, path)
        own = {key: value for key, value in version.items() if key not in common}
        causes += _content_causes(own, f"{path}.schema", path, version, old)
    if len({version.get("name") for version in versions}) != len(versions):
        causes.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        causes.append(invalid("spec.versions", versions, "must have exactly one version marked as storage version"))
    return causes


def _common(versions: list[JsonObject]) -> set[str]:
    """What all versions say alike."""
    return {key for key in _COMMON if versions and all(version.get(key) == versions[0].get(key) for version in versions)}


def _common_causes(versions: list[JsonObject], old: JsonObject | None) -> list[Cause]:
    if not versions:
        return []
    shared = {key: versions[0][key] for key in _common(versions) if key in versions[0]}
    status = any((version.get("subresources") or {}).get("status") is not None for version in versions)
    whole = {**versions[0], "subresources": {"status": {}} if status else {}}
    return _content_causes(shared, "spec.validation", "spec", whole, old)


def _content_causes(own: JsonObject, schema_path: str, path: str, version: JsonObject, old: JsonObject | None) -> list[Cause]:
    """Of `own`, the part of a version that is looked at here."""
    causes: list[Cause] = []
    schema = _schema_of(own)
    if schema is not None:
        has_status = (version.get("subresources") or {}).get("status") is not None
        unchanged = schema == _old_schema(old, version.get("name", ""))
        causes += schema_causes(schema, f"{schema_path}.openAPIV3Schema", SchemaOptions(status=has_status, unchanged=unchanged))
    causes += _subresource_causes(own.get("subresources"), f"{path}.subresources")
    for index, column in enumerate(own.get("additionalPrinterColumns") or ()):
        causes += _column_causes(column, f"{path}.additionalPrinterColumns[{index}]")
    if fields := own.get("selectableFields"):
        causes += _selectable_causes(fields, _schema_of(version), f"{path}.selectableFields", _old_fields(old, version.get("name", "")))
    return causes


def _old_schema(old: JsonObject | None, name: str) -> JsonObject | None:
    return next((_schema_of(version) for version in _old_versions(old) if version.get("name") == name), None)


def _old_fields(old: JsonObject | None, name: str) -> list[JsonObject]:
    return next((version.get("selectableFields") or [] for version in _old_versions(old) if version.get("name") == name), [])


def _old_versions(old: JsonObject | None) -> list[JsonObject]:
    return [] if old is None else old["spec"].get("versions") or []


def _deprecation_causes(version: JsonObject, path: str) -> list[Cause]:
    text = version.get("deprecationWarning")
    if text is None:
        return []
    if not version.get("deprecated"):
        return [invalid(f"{path}.deprecationWarning", text, "can only be set for deprecated versions")]
    said = []
    if len(text.encode()) > _LONGEST_WARNING:
        said.append("must be <= 256 characters long")
    if not text:
        said.append("must not be an empty string")
    odd = next((index for index, char in enumerate(text) if not char.isprintable()), None)
    if odd is not None:
        at = len(text[:odd].encode())
        said.append(f"must only contain printable UTF-8 characters; non-printable character found at index {at}")
    return [invalid(f"{path}.deprecationWarning", text, one) for one in said]


def _names_causes(names: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in ("plural", "singular"):
        if (name := names.get(key)) and (problems := dns1035_problems(name)):
            causes.append(invalid(f"{path}.{key}", name, ",".join(problems)))
    for key in ("kind", "listKind"):
        if (name := names.get(key)) and (problems := dns1035_problems(name.lower())):
            causes.append(invalid(f"{path}.{key}", name, f"may have mixed case, but should otherwise match: {','.join(problems)}"))
    causes += _list_of_names_causes(names.get("shortNames") or (), f"{path}.shortNames")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(invalid(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same"))
    return causes + _list_of_names_causes(names.get("categories") or (), f"{path}.categories")


def _list_of_names_causes(names: Iterable[str], path: str) -> list[Cause]:
    return [
        invalid(f"{path}[{index}]", name, ",".join(problems))
        for index, name in enumerate(names) if (problems := dns1035_problems(name))
    ]


def _column_causes(column: JsonObject, path: str) -> list[Cause]:
    causes = [] if column.get("name") else [required(f"{path}.name")]
    kind, said = column.get("type") or "", f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        causes.append(required(f"{path}.type", said))
    elif kind not in COLUMN_TYPES:
        causes.append(invalid(f"{path}.type", kind, said))
    if (name := column.get("format")) and name not in COLUMN_FORMATS:
        causes.append(invalid(f"{path}.format", name, f"must be one of {','.join(COLUMN_FORMATS)}"))
    json_path = column.get("jsonPath") or ""
    return causes + ([required(f"{path}.JSONPath")] if not json_path else _simple_path_causes(json_path, f"{path}.JSONPath"))


def _simple_path_causes(text: str, path: str) -> list[Cause]:
    return [] if text.startswith(".") else [invalid(path, text, "must be a simple json path starting with .")]


def _subresource_causes(subresources: JsonObject | None, path: str) -> list[Cause]:
    scale = (subresources or {}).get("scale")
    if scale is None:
        return []
    causes: list[Cause] = []
    for key, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text, at = scale.get(key) or "", f"{path}.scale.{key}"
        if not text:
            causes.append(required(at))
        elif problems := _simple_path_causes(text, at):
            causes += problems
        elif not text.startswith(root):
            causes.append(invalid(at, text, f"should be a json path under {root.rstrip('.')}"))
    if text := scale.get("labelSelectorPath"):
        at = f"{path}.scale.labelSelectorPath"
        if problems := _simple_path_causes(text, at):
            causes += problems
        elif not text.startswith((".spec.", ".status.")):
            causes.append(invalid(at, text, "should be a json path under either .spec or .status"))
    return causes


def _selectable_causes(
    fields: list[JsonObject], schema: JsonObject | None, path: str, before: list[JsonObject]
) -> list[Cause]:
    if schema is None:
        return [invalid(path, "", "may only be set when `version.schema.openAPIV3Schema` is not included")]
    try:
        structural = Structural(schema)
    except NotStructural:
        return []      # told by the schema's own rules
    causes: list[Cause] = []
    seen: set[tuple[str, ...]] = set()
    for index, field in enumerate(fields):
        at, text = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not text:
            causes.append(required(at))
            continue
        try:
            keys, found = schema_at(text, structural, arrays=False)
        except InvalidPath as error:
            causes.append(invalid(at, text, f"is an invalid path: {error}"))
            continue
        if keys[0] == "metadata":
            causes.append(invalid(at, text, "must not point to fields in metadata"))
        if found is None or found.type not in ("string", "boolean", "integer"):
            causes.append(invalid(at, text, "must point to a field of type string, boolean or integer. Enum string fields and strings "
                                            "with formats are allowed."))
        if keys in seen:
            causes.append(duplicate(at, text))
        seen.add(keys)
    if len(seen) > MAX_SELECTABLE_FIELDS and not (len(before) > MAX_SELECTABLE_FIELDS and before == fields):
        causes.append(too_many(path, len(seen), MAX_SELECTABLE_FIELDS))
    return causes


def _immutable_causes(spec: JsonObject, old: JsonObject) -> list[Cause]:
    held, names, held_names = old["spec"], spec.get("names") or {}, old["spec"].get("names") or {}
    changed: list[tuple[str, Any, Any]] = [
        ("spec.group", spec.get("group"), held.get("group")), ("spec.names.plural", names.get("plural"), held_names.get("plural")),
    ]
    if naming.is_true(old, naming.ESTABLISHED):
        changed += [
            ("spec.scope", spec.get("scope"), held.get("scope")), ("spec.names.kind", names.get("kind"), held_names.get("kind")),
        ]
    return [invalid(path, new, FIELD_IMMUTABLE) for path, new, before in changed if new != before]


def _stored_version_causes(stored: list[str], versions: list[JsonObject]) -> list[Cause]:
    path = "status.storedVersions"
    if not stored:
        return [invalid(path, stored, "must have at least one stored version")]
    known = {version.get("name") for version in versions}
    causes = [
        invalid(path, stored, f"must have the storage version {version.get('name')}")
        for version in versions if version.get("storage") and version.get("name") not in stored
    ]
    return causes + [
        invalid(f"{path}[{index}]", name, (
            f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage "
            f"migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"))
        for index, name in enumerate(stored) if name not in known
    ]


def _approval_causes(crd: JsonObject, old: JsonObject | None) -> list[Cause]:
    if not naming.is_protected((crd.get("spec") or {}).get("group") or ""):
        return []
    state, message = naming.approval(crd)
    if old is not None and naming.approval(old)[0] == state:
        return []
    path = f"metadata.annotations[{naming.APPROVED_ANNOTATION}]"
    if state == "missing":
        return [required(path, message)]
    if state == "invalid":
        return [invalid(path, crd["metadata"]["annotations"][naming.APPROVED_ANNOTATION], message)]
    return []
