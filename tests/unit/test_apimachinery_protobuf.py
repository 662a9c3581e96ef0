from __future__ import annotations

import base64
import copy
import struct
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from kube.apimachinery.codec.protobuf import decode_protobuf, encode_protobuf, encode_watch_event, supports
from kube.apimachinery.codec.protobuf_special import SPECIAL
from kube.apimachinery.codec.protobuf_table import table
from kube.apimachinery.decode import check_structure
from kube.apimachinery.errors import BadRequest, NotAcceptable
from kube.apimachinery.resources import RESOURCES, SUBRESOURCES
from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import GroupVersionKind

KINDS = sorted({row.gvk for row in RESOURCES} | {
    sub.kind for sub in SUBRESOURCES.values() if sub.kind and not sub.kind.kind.endswith("Options")
} | {GroupVersionKind("", "v1", "DeleteOptions"), GroupVersionKind("", "v1", "Status")})
CRD = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
SCALARS: dict[str, Any] = {
    "integer": 7, "number": 1.5, "boolean": True, "quantity": "500m", "int-or-string": "50%", "string": "text",
    "any": {"free": ["form", 1]},
}
FORMATS = {"date-time": "2026-01-02T03:04:05Z", "micro-time": "2026-01-02T03:04:05.000006Z", "byte": base64.b64encode(b"\0bytes").decode()}


def filled(schema: Schema, depth: int = 0) -> Any:
    """A value with every field set, down to where types begin to contain themselves."""
    if schema.type == "object":
        if depth > 12:
            return {}
        return {key: filled(child, depth + 1) for key, child in schema.properties.items()}
    if schema.items is not None:
        return [filled(schema.items, depth + 1)] if depth <= 12 else []
    if schema.values is not None:
        return {"key": filled(schema.values, depth + 1)} if depth <= 12 else {}
    return FORMATS.get(schema.format, copy.deepcopy(SCALARS[schema.type]))


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, item in value.items() if (kept := without_empty(item)) not in ({}, [], None)}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def wire_fields(message: bytes) -> dict[int, Any]:
    """A foreign reader: protobuf's own parser, which keeps what Empty does not declare."""
    empty = Empty()
    empty.ParseFromString(message)
    return {field.field_number: field.data for field in UnknownFieldSet(empty)}  # type: ignore[attr-defined]


def round_trip(obj: dict[str, Any]) -> dict[str, Any]:
    return decode_protobuf(encode_protobuf(obj))


@pytest.mark.parametrize("gvk", [kind for kind in KINDS if kind != CRD], ids=lambda kind: f"{kind.api_version}.{kind.kind}")
def test_every_kind_keeps_every_field(gvk: GroupVersionKind) -> None:
    schema = schemas().for_kind(gvk)
    assert schema is not None
    obj = filled(schema) | {"apiVersion": gvk.api_version, "kind": gvk.kind}

    decoded = round_trip(obj)

    # An object inside an object has no apiVersion and kind on the wire, nor have the types behind alpha fields any JSON of their own.
    for inner in [obj.get("deleteOptions", {}), *obj.get("spec", {}).get("volumeClaimTemplates", [])]:
        inner.pop("apiVersion", None)
        inner.pop("kind", None)
    for job in (decoded, obj):
        spec = job.get("spec", {})
        spec.get("jobTemplate", {}).get("spec", spec).pop("scheduling", None)
    assert without_empty(decoded) == without_empty(obj)
    assert not check_structure(decoded, schema)


def test_the_table_knows_every_field_of_the_schemas() -> None:
    def names(message: str) -> set[str]:
        return set().union(*(names(field.type) if field.inline else {field.name} for field in table().fields(message)))

    for name in schemas().names():
        version = name.split(".")[-2]
        if not version[1:].isdigit() or name in SPECIAL or "JSONSchemaPropsOr" in name:
            continue
        assert names(name) - {"apiVersion", "kind"} == schemas().definition(name).properties.keys() - {"apiVersion", "kind"}, name


def test_the_bytes_are_what_a_foreign_parser_expects() -> None:
    data = encode_protobuf({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}})

    assert data[:4] == b"k8s\0"
    envelope = wire_fields(data[4:])
    assert wire_fields(envelope[1]) == {1: b"v1", 2: b"ConfigMap"}
    assert envelope[3] == envelope[4] == b""
    config_map = wire_fields(envelope[2])
    assert wire_fields(config_map[1]) == {1: b"a"}
    assert wire_fields(config_map[2]) == {1: b"k", 2: b"v"}


def test_zero_of_a_plain_field_is_absence_and_of_a_pointer_is_a_value() -> None:
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "template": {"spec": {
        "containers": [{"name": "", "image": "", "securityContext": {"privileged": False}}], "hostNetwork": False,
        "automountServiceAccountToken": False}}}

    decoded = round_trip({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"creationTimestamp": None}, "spec": spec})

    assert decoded["spec"]["replicas"] == 0
    assert not {"minReadySeconds", "paused"} & decoded["spec"].keys()
    pod_spec = decoded["spec"]["template"]["spec"]
    assert pod_spec["automountServiceAccountToken"] is False
    assert "hostNetwork" not in pod_spec
    assert pod_spec["containers"] == [{"name": "", "securityContext": {"privileged": False}}]


@pytest.mark.parametrize("value", [80, "http", -1, "50%"])
def test_int_or_string(value: int | str) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": value}]}}

    assert round_trip(service) == service


def test_custom_resource_definition_keeps_its_alternatives() -> None:
    schema = {
        "type": "object", "default": {"a": [1, None]}, "additionalProperties": False, "enum": ["x", 1, None],
        "properties": {
            "list": {"type": "array", "items": {"type": "string"}},
            "lists": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "additionalItems": True},
            "map": {"type": "object", "additionalProperties": {"type": "number", "maximum": 1.5}},
            "deps": {"dependencies": {"a": ["b", "c"], "d": {"type": "null"}}},
            "free": {"x-kubernetes-preserve-unknown-fields": True, "$ref": "#/x"},
        },
    }
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "xs", "kind": "X"}, "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}]}}

    decoded = round_trip(crd)

    version = decoded["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    assert version["schema"]["openAPIV3Schema"] == schema


def test_review_extra_is_a_plain_list_in_json() -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}, "status": {
        "authenticated": True, "user": {"username": "u", "extra": {"scopes": ["a", "b"]}}}}

    assert round_trip(review)["status"] == review["status"]


def test_times_keep_their_precision_and_zero_time_is_absent() -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"creationTimestamp": "2026-11-20T00:00:01Z"},
             "spec": {"renewTime": "2026-11-20T00:00:00.000123Z", "acquireTime": "1969-12-31T23:59:59.500000Z"}}

    assert round_trip(lease) == lease
    assert round_trip({"apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": None}}) ["metadata"] == {}


@pytest.mark.parametrize(("data", "message"), [
    pytest.param(b'{"kind":"Pod"}', "does not appear to be a protobuf message", id="json"),
    pytest.param(b"k8s\0\x0a\xff", "unexpected EOF", id="cut in a length"),
    pytest.param(b"k8s\0\x0a\x7f\x01", "unexpected EOF", id="cut in a payload"),
    pytest.param(b"k8s\0\x0b", "illegal wireType 3", id="group"),
    pytest.param(b"k8s\0\x0a\x05\x0a\x03abc", 'no kind "" is registered for version "abc"', id="unknown kind"),
    pytest.param(b"k8s\0\x08\x01", "protobuf: ", id="number for a message"),
])
def test_bad_bytes_are_a_bad_request(data: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        decode_protobuf(data)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    data = encode_protobuf({"apiVersion": "v1", "kind": "Binding"})
    newer = data[:4] + data[4:].replace(b"\x12\x00", b"\x12\x04\xa2\x06\x01x", 1)

    assert decode_protobuf(newer) == {"apiVersion": "v1", "kind": "Binding"}


def test_custom_resources_have_no_protobuf_form() -> None:
    assert supports(GroupVersionKind("meta.k8s.io", "v1", "PartialObjectMetadataList"))
    assert not supports(GroupVersionKind("example.com", "v1", "X"))
    with pytest.raises(NotAcceptable):
        encode_protobuf({"apiVersion": "example.com/v1", "kind": "X"})


def test_a_watch_event_is_a_frame_with_the_object_inside() -> None:
    obj = encode_protobuf({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})

    frame = encode_watch_event("ADDED", obj)

    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    event = wire_fields(frame[4:])
    assert (event[1], wire_fields(event[2])[1]) == (b"ADDED", obj)


def test_partial_lists_of_the_beta_have_their_fields_the_other_way_round() -> None:
    item = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1beta1", "metadata": {"name": "a"}}
    listed = {"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"}, "items": [item]}

    beta = encode_protobuf({"apiVersion": "meta.k8s.io/v1beta1", **listed})
    plain = encode_protobuf({"apiVersion": "meta.k8s.io/v1", **listed})

    assert beta != plain.replace(b"meta.k8s.io/v1", b"meta.k8s.io/v1beta1")
    assert b"\x0a\x03\x12\x017" in plain and b"\x12\x03\x12\x017" in beta
    assert decode_protobuf(beta)["metadata"]["resourceVersion"] == "7"
