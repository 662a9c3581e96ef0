from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from kube.apimachinery.openapi import definition, source_digest
from kube.apimachinery.openapi_gnostic_v3 import document_bytes
from kube.apimachinery.openapi_gnostic_v3 import schema as schema_bytes
from kube.apimachinery.openapi_v2 import openapi_v2_json, openapi_v2_protobuf
from kube.apimachinery.openapi_v3 import openapi_v3_document, openapi_v3_hash, openapi_v3_index
from kube.apimachinery.resources import RESOURCES, SCHEME
from kube.apimachinery.scheme import GroupVersion

DEPLOYMENT = {"group": "apps", "version": "v1", "kind": "Deployment"}


def document(group: str, version: str) -> dict[str, Any]:
    text = openapi_v3_document(group, version)
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


def fields(message: bytes) -> list[tuple[int, Any]]:
    """A foreign reader: protobuf's own parser, which keeps what Empty does not declare."""
    empty = Empty()
    empty.ParseFromString(message)
    return [(field.field_number, field.data) for field in UnknownFieldSet(empty)]  # type: ignore[attr-defined]


def named(pairs: list[tuple[int, Any]], number: int) -> dict[str, bytes]:
    found = {}
    for field, data in pairs:
        if field == number:
            inner = dict(fields(data))
            found[inner[1].decode()] = inner.get(2, b"")
    return found


def dangling(text: str, prefix: str, names: set[str]) -> set[str]:
    parts = text.split(f'"$ref":"{prefix}')[1:]
    return {part.partition('"')[0] for part in parts} - names


@pytest.mark.req("ARC-02")
def test_patch_operation_carries_what_kubectl_looks_for_before_it_applies() -> None:
    operation = document("apps", "v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]

    assert operation["x-kubernetes-group-version-kind"] == DEPLOYMENT
    assert operation["x-kubernetes-action"] == "patch"
    assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in operation["parameters"]}
    assert "application/strategic-merge-patch+json" in operation["requestBody"]["content"]


def test_schemas_keep_merge_keys_descriptions_and_kinds() -> None:
    schemas = document("apps", "v1")["components"]["schemas"]

    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert (containers["x-kubernetes-patch-merge-key"], containers["x-kubernetes-patch-strategy"]) == ("name", "merge")
    assert containers["type"] == "array"
    assert "containers" in containers["description"]
    assert schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"] == [DEPLOYMENT]
    metadata = schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["metadata"]
    assert metadata["allOf"] == [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}]
    assert "enum" not in schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["kind"]


@pytest.mark.parametrize("group_version", SCHEME.group_versions(), ids=str)
def test_every_v3_document_is_whole(group_version: GroupVersion) -> None:
    text = openapi_v3_document(*group_version)
    assert text is not None
    doc = json.loads(text)

    assert not dangling(text.decode(), "#/components/schemas/", set(doc["components"]["schemas"]))
    for row in RESOURCES:
        if row.group_version == group_version:
            assert any(path.endswith("/" + row.plural) for path in doc["paths"]), row
    ids = [operation["operationId"] for path in doc["paths"].values() for key, operation in path.items() if key != "parameters"]
    assert len(ids) == len(set(ids))


def test_index_names_a_document_per_group_and_version_with_a_stable_hash() -> None:
    index = json.loads(openapi_v3_index())["paths"]

    assert index["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")
    assert set(index) == {f"apis/{gv}" if gv.group else f"api/{gv.version}" for gv in SCHEME.group_versions()}
    assert openapi_v3_index() == openapi_v3_index()
    apps = GroupVersion("apps", "v1")
    assert openapi_v3_hash(apps) != openapi_v3_hash(apps, [row for row in RESOURCES if row.plural != "deployments"])
    assert len(source_digest()) == 32
    assert openapi_v3_document("example.com", "v1") is None


def test_v2_is_one_whole_document() -> None:
    text = openapi_v2_json()
    doc = json.loads(text)

    assert doc["swagger"] == "2.0"
    assert not dangling(text.decode(), "#/definitions/", set(doc["definitions"]))
    quantity = doc["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity["type"] == "string"
    assert doc["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"


def test_gnostic_protobuf_says_the_same_as_the_json() -> None:
    doc = json.loads(openapi_v2_json())

    top = fields(openapi_v2_protobuf())

    paths = dict(top)[8]
    definitions = named(fields(dict(top)[9]), 1)
    assert dict(top)[1] == b"2.0"
    assert set(named(fields(paths), 2)) == set(doc["paths"])
    assert set(definitions) == set(doc["definitions"])
    deployment = definitions["io.k8s.api.apps.v1.Deployment"]
    extensions = named(fields(deployment), 31)
    assert json.loads(dict(fields(extensions["x-kubernetes-group-version-kind"]))[2]) == [DEPLOYMENT]
    properties = dict(fields(deployment))[25]
    assert set(named(fields(properties), 1)) == {"apiVersion", "kind", "metadata", "spec", "status"}
    patch = dict(fields(named(fields(paths), 2)["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]))[8]
    assert b"fieldValidation" in patch
    assert json.loads(dict(fields(named(fields(patch), 13)["x-kubernetes-group-version-kind"]))[2]) == DEPLOYMENT


def test_gnostic_protobuf_of_v3_says_the_same_as_the_json() -> None:
    doc = document("apps", "v1")

    top = dict(fields(document_bytes(doc)))

    paths, schemas = named(fields(top[4]), 1), named(fields(dict(fields(top[5]))[1]), 1)
    assert (top[1], set(paths), set(schemas)) == (b"3.0.0", set(doc["paths"]), set(doc["components"]["schemas"]))
    properties = named(fields(dict(fields(dict(fields(schemas["io.k8s.api.apps.v1.Deployment"]))[1]))[31]), 1)
    assert set(properties) == {"apiVersion", "kind", "metadata", "spec", "status"}
    patch = dict(fields(paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]))[10]
    assert json.loads(dict(fields(named(fields(patch), 13)["x-kubernetes-group-version-kind"]))[2]) == DEPLOYMENT
    assert set(named(fields(dict(fields(dict(fields(dict(fields(patch))[7]))[1]))[2]), 1)) == set(
        doc["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]["requestBody"]["content"])


@pytest.mark.parametrize("group_version", SCHEME.group_versions(), ids=str)
def test_every_v3_document_has_a_protobuf_form(group_version: GroupVersion) -> None:
    assert fields(document_bytes(document(*group_version)))


def test_schemas_of_custom_kinds_have_a_protobuf_form() -> None:
    schema = {
        "type": "object", "nullable": True, "default": {}, "additionalProperties": False, "minProperties": 1,
        "properties": {
            "a": {"type": "string", "default": "x", "enum": ["x", "y"], "example": {"b": 1}}, "n": {"type": "number", "default": 1.5},
            "b": {"type": "boolean", "default": False, "description": "one"}, "open": {"additionalProperties": {"type": "integer"}},
        },
        "oneOf": [{"required": ["a"]}], "anyOf": [{"not": {"maximum": 3.0}}],
        "x-kubernetes-validations": [{"rule": "self.a == 'x'"}],
    }

    found = dict(fields(schema_bytes(schema)))

    assert (found[1], 33 in found, found[22]) == (1, False, 1)
    properties = named(fields(found[31]), 1)
    assert dict(fields(dict(fields(dict(fields(properties["a"]))[1]))[33])) == {3: b"x"}
    assert dict(fields(dict(fields(dict(fields(properties["b"]))[1]))[33])) == {2: 0}
    assert json.loads(dict(fields(named(fields(schema_bytes(schema)), 36)["x-kubernetes-validations"]))[2]) == [{"rule": "self.a == 'x'"}]


@pytest.mark.parametrize("version", [2, 3])
def test_fields_show_their_enumerations_and_default_values(version: int) -> None:
    container = definition("io.k8s.api.core.v1.Container", "#/", version=version)["properties"]
    port = definition("io.k8s.api.core.v1.ContainerPort", "#/", version=version)["properties"]
    volume = definition("io.k8s.api.core.v1.PersistentVolumeSpec", "#/", version=version)["properties"]

    assert container["imagePullPolicy"]["enum"] == ["Always", "IfNotPresent", "Never"]
    assert (port["protocol"]["default"], port["containerPort"]["default"]) == ("TCP", 0)
    assert "ReadWriteOnce" in volume["accessModes"]["items"]["enum"]
    assert "default" not in container["imagePullPolicy"]
