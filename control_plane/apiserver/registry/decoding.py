"""Request bodies -> objects: read in the client's media type, checked against the kind's schema.

What is wrong with the form is a BadRequest in the words of upstream's decoder; fields nobody knows are dropped and, as
`fieldValidation` wants, warned of or refused.
"""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.negotiation import JSON, PROTOBUF, YAML
from control_plane.apiserver.registry.call import Call
from kube.apimachinery.codec.depth import TOO_DEEP, is_too_deep
from kube.apimachinery.codec.json import decode_json, duplicate_fields, keys_as_written
from kube.apimachinery.decode import Problems, cannot_be_handled, check_structure, json_kind
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind

_SHOWN: Final = 30
_SMALL: Final = 16 * 1024       # some 0.6 ms
_TYPE: Final = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
# An older version of the same form that upstream takes as well: kubectl before 1.22 drains with it.
ALSO_TAKEN: Final = {GroupVersionKind("policy", "v1", "Eviction"): "policy/v1beta1"}


def parse_body(data: bytes, media_type: str) -> JsonObject:
    """The body as an object, not yet checked. Raises BadRequest."""
    obj: Any
    if media_type == PROTOBUF:
        from kube.apimachinery.codec.protobuf import decode_protobuf  # heavy, and most clients speak JSON

        obj = decode_protobuf(data)
        if is_too_deep(obj):
            raise BadRequest(TOO_DEEP)
    elif media_type == YAML:
        from kube.apimachinery.codec.yaml import decode_yaml  # likewise

        obj = decode_yaml(data)
    else:
        obj = decode_json(data)
    if obj is None:      # upstream's decoder leaves an empty object as it is
        return {}
    if not isinstance(obj, dict):
        problem = f"json: cannot unmarshal {json_kind(obj)} into Go value of type {_TYPE}"
        raise BadRequest(f"couldn't get version/kind; json parse error: {problem}")
    return obj


def summarized(data: bytes) -> str:
    """The beginning of a body that nobody could read, as an error shows it."""
    if not data:
        return "<empty>"
    start = data[:_SHOWN]
    text = start.decode(errors="replace") if data.startswith(b"{") else start.hex()
    return f"{text} ..." if len(data) > _SHOWN else text


def expect_kind(obj: JsonObject, expected: GroupVersionKind) -> None:
    """Fills in apiVersion and kind where they are missing; refuses others than the endpoint's."""
    api_version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    if not isinstance(api_version, str) or not isinstance(kind, str):
        raise BadRequest("couldn't get version/kind; json parse error: apiVersion and kind must be strings")
    if api_version and api_version not in (expected.api_version, ALSO_TAKEN.get(expected)):
        if kind and SCHEME.for_kind(GroupVersionKind.of(api_version, kind)) is None and SCHEME.for_kind(expected) is not None:
            raise BadRequest(
                f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {expected.kind}: '
                f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/runtime/scheme.go:111"'
            )
        raise BadRequest(
            f"the API version in the data ({api_version}) does not match the expected API version ({expected.api_version})"
        )
    if kind and kind != expected.kind:
        group, version = expected.group.partition(".")[0] or "core", expected.version
        raise BadRequest(
            f'{kind} in version "{version}" cannot be handled as a {expected.kind}: '
            f"converting ({version}.{kind}) to ({group}.{expected.kind}): unknown conversion"
        )
    obj["apiVersion"], obj["kind"] = expected.api_version, expected.kind


def check_object(
    obj: JsonObject, gvk: GroupVersionKind, field_validation: str, warnings: list[str], document: bytes = b""
) -> JsonObject:
    """The object in the form of its schema: wrong types raise, unknown fields are pruned. "" validates like Warn.

    `document`: the JSON it came as, which is then looked through for doubled keys.
    """
    row = SCHEME.for_kind(gvk)
    schema = schemas().for_kind(gvk) if row is None or row.custom is None else None
    try:
        if row is not None and row.custom is not None:
            problems = row.custom.decode(obj)
        elif schema is None:
            return obj
        else:
            problems = check_structure(obj, schema)
        problems = Problems(problems.unknown, [*problems.duplicate, *(duplicate_fields(document) if document else ())])
        keys = keys_as_written(document) if schema is not None and problems.unknown and problems.duplicate and document else ()
        if problems and field_validation == "Strict":
            raise problems.error(keys)
    except BadRequest as error:
        raise cannot_be_handled(gvk, error) from error
    if problems and field_validation != "Ignore":
        warnings.extend(problems.messages(keys))
    return obj


def decode_object(call: Call, data: bytes, media_type: str, gvk: GroupVersionKind, field_validation: str) -> JsonObject:
    """A body that must be a `gvk`. Doubled keys cost a second parse: in large bodies they are looked for only where the client asks."""
    try:
        obj = parse_body(data, media_type)
    except BadRequest as error:
        raise BadRequest(f"the object provided is unrecognized (must be of type {gvk.kind}): {error} ({summarized(data)})") from error
    expect_kind(obj, gvk)
    looked_through = field_validation in ("Strict", "Warn") or (not field_validation and len(data) <= _SMALL)
    document = data if looked_through and media_type == JSON else b""
    return check_object(obj, gvk, field_validation, call.warnings, document)
