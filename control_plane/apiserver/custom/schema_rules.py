"""What is wrong with a version's schema. Follows apiextensions' validation (ValidateCustomResourceDefinitionOpenAPISchema).

    structural_rules.py  is it structural?  ->  default_rules.py  do its defaults hold?  ->  here: every keyword, in every node
    ->  rule_checks.py  x-kubernetes-validations, of a schema that is right in all else
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from control_plane.apiserver.custom.default_rules import default_causes
from control_plane.apiserver.custom.list_rules import list_type_causes
from control_plane.apiserver.custom.pruning import META_FIELDS
from control_plane.apiserver.custom.schema_paths import InvalidPath, schema_at
from control_plane.apiserver.custom.structural import NotStructural, Structural
from control_plane.apiserver.custom.structural_rules import structural_causes
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import forbidden, invalid, not_supported, required

TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
# Where a status is validated by itself: keywords at the root that it could not be without, as Go names the fields.
_AT_ROOT: Final = (
    "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum", "MaxLength", "MinLength",
    "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items", "Properties", "ExternalDocs", "Example",
    "XPreserveUnknownFields", "XValidations",
)
_KEYWORDS_AT_ROOT: Final = frozenset(
    {name[0].lower() + name[1:] for name in _AT_ROOT} | {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"})
_UNSUPPORTED: Final = (
    ("id", "id is not supported"), ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"), ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"), ("$ref", "$ref is not supported"),
)
_NEWLINES: Final = re.compile(r"[\n\r]+")


@dataclass(frozen=True, slots=True)
class SchemaOptions:
    """`status`: the version has the subresource. `unchanged`: the same schema was accepted before, so that its cost no longer counts."""

    status: bool = False
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Where:
    """What holds for all nodes below some node."""

    no_default: str | None = None            # why a default must not be set here
    in_meta: bool = False


def schema_causes(raw: JsonObject, path: str, options: SchemaOptions) -> list[Cause]:
    causes = _root_causes(raw, path) if options.status else []
    if raw.get("nullable"):
        causes.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    sound, late = False, None
    try:
        structural = Structural(raw)
    except NotStructural as error:
        late = invalid(path, "", str(error))
    else:
        problems = structural_causes(structural, path) or default_causes(structural, path)
        causes += problems
        sound = not problems
    nodes = _node_causes(raw, path, _Where(), is_root=True)
    causes += nodes
    if not causes and late is not None:
        causes.append(late)
    if sound and not nodes and b"x-kubernetes-validations" in msgspec.json.encode(raw):
        from control_plane.apiserver.custom.rule_checks import rule_causes  # brings a compiler along

        causes += rule_causes(structural, path, unchanged=options.unchanged)
    return causes


def _root_causes(raw: JsonObject, path: str) -> list[Cause]:
    for key, value in raw.items():
        if value in (None, "", False) or value == [] or value == {}:
            continue
        if key == "type":
            if value != "object":
                said = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
                return [invalid(f"{path}.type", value, said)]
        elif key not in _KEYWORDS_AT_ROOT:
            said = f"only [{' '.join(_AT_ROOT)}] fields are allowed at the root of the schema if the status subresource is enabled"
            return [invalid(path, raw, said)]
    return []


def _node_causes(raw: JsonObject, path: str, where: _Where, *, is_root: bool = False) -> list[Cause]:
    causes = _keyword_causes(raw, path, where)
    if raw.get("uniqueItems"):
        causes.append(forbidden(f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"))
    causes += _child_causes(raw, path, where, is_root=is_root)
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        causes.append(invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    causes += list_type_causes(raw, path)
    for index, rule in enumerate(raw.get("x-kubernetes-validations") or ()):
        causes += _rule_form_causes(raw, rule, f"{path}.x-kubernetes-validations[{index}]")
    return causes


def _child_causes(raw: JsonObject, path: str, where: _Where, *, is_root: bool) -> list[Cause]:
    causes: list[Cause] = []
    additional, properties = raw.get("additionalProperties"), raw.get("properties") or {}
    if additional is not None:
        if properties and additional is not True:
            causes.append(forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"))
        if isinstance(additional, dict):
            below = replace(where, no_default="inside additionalProperties applying to object metadata") if where.in_meta else where
            causes += _node_causes(additional, f"{path}.additionalProperties", below)
    for key, child in properties.items():
        below = where
        if (is_root or raw.get("x-kubernetes-embedded-resource")) and key in META_FIELDS:
            below = replace(below, in_meta=True, no_default=f"in top-level {key}" if is_root else below.no_default)
        causes += _node_causes(child or {}, f"{path}.properties[{key}]", below)
    if isinstance(raw.get("not"), dict):
        causes += _node_causes(raw["not"], f"{path}.not", where)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for index, child in enumerate(raw.get(keyword) or ()):
            causes += _node_causes(child or {}, f"{path}.{keyword}[{index}]", where)
    for key, child in (raw.get("definitions") or {}).items():
        causes += _node_causes(child or {}, f"{path}.definitions[{key}]", where)
    items = raw.get("items")
    if isinstance(items, dict):
        causes += _node_causes(items, f"{path}.items", where)
    elif isinstance(items, list):
        for index, child in enumerate(items):
            causes += _node_causes(child or {}, f"{path}.items[{index}]", where)
    return causes


def _keyword_causes(raw: JsonObject, path: str, where: _Where) -> list[Cause]:
    causes: list[Cause] = []
    kind = raw.get("type") or ""
    if kind and kind not in TYPES:
        causes.append(not_supported(f"{path}.type", kind, TYPES))
    if raw.get("default") is not None and where.no_default is not None:
        causes.append(forbidden(f"{path}.default", f"must not be set {where.no_default}".rstrip()))
    causes += [forbidden(f"{path}.{key}", said) for key, said in _UNSUPPORTED if raw.get(key)]
    if kind == "null":
        causes.append(forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative"))
    if isinstance(raw.get("items"), list) and raw["items"]:
        causes.append(forbidden(f"{path}.items", "items must be a schema object and not an array"))
    if where.in_meta and raw.get("x-kubernetes-embedded-resource"):
        causes.append(forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"))
    return causes


def _rule_form_causes(raw: JsonObject, rule: JsonObject, path: str) -> list[Cause]:
    """Of a rule's fields, whatever its expression says."""
    causes: list[Cause] = []
    expression, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not expression:
        causes.append(required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        causes.append(invalid(f"{path}.message", message, "must be non-empty if specified"))
    elif _NEWLINES.search(message.strip()):
        causes.append(invalid(f"{path}.message", message, "must not contain line breaks"))
    elif _NEWLINES.search(expression) and not message.strip():
        causes.append(required(f"{path}.message", "message must be specified if rule contains line breaks"))
    if (text := rule.get("messageExpression")) and not text.strip():
        causes.append(required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    if (reason := rule.get("reason")) is not None and reason not in REASONS:
        causes.append(not_supported(f"{path}.reason", reason, REASONS))
    return causes + _field_path_causes(raw, rule.get("fieldPath") or "", f"{path}.fieldPath")


def _field_path_causes(raw: JsonObject, text: str, path: str) -> list[Cause]:
    if not text:
        return []
    causes = [] if text.strip() else [invalid(path, text, "must be non-empty if specified")]
    if _NEWLINES.search(text):
        causes.append(invalid(path, text, "must not contain line breaks"))
    try:
        schema_at(text, Structural(raw))
    except InvalidPath:
        causes.append(invalid(path, text, "must be a valid path"))
    except NotStructural:
        pass      # told elsewhere
    return causes
