"""Server-side apply of custom kinds, which are merged by the schema of their definition."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, Json, new_namespace
from tests.support.managed_fields import apply, owners

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

ITEMS = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "protocol"], "items": {
    "type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "protocol": {"type": "string", "default": "TCP"}, "value": {"type": "integer"},
    },
}}
SPEC = {"type": "object", "properties": {
    "replicas": {"type": "integer"}, "items": ITEMS,
    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "plain": {"type": "array", "items": {"type": "string"}}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "point": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}},
}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "frogs.example.com"},
    "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "frogs", "kind": "Frog"}, "versions": [{
        "name": "v1", "served": True, "storage": True,
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": SPEC, "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        }}},
    }]},
}
FROGS = "/apis/example.com/v1/namespaces/pond/frogs"


def frog(**spec: Any) -> Json:
    return {"apiVersion": "example.com/v1", "kind": "Frog", "metadata": {"name": "f"}, "spec": spec}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pond(api: Api) -> str:
    await new_namespace(api, "pond")
    code, _ = await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    assert code == 201
    async with asyncio.timeout(60):
        while (await api.get(FROGS))[0] != 200:  # noqa: ASYNC110 (another process makes it so)
            await asyncio.sleep(0.05)
    return f"{FROGS}/f"


async def test_custom_kinds_are_applied_by_their_schema(api: Api, pond: str) -> None:
    both = frog(items=[{"name": "a", "value": 1}, {"name": "b"}], tags=["x"], plain=["p"], free={"k": {"l": 1}}, point={"x": 1})
    code, created = await apply(api, pond, both, "one")

    second = frog(items=[{"name": "b", "protocol": "TCP", "value": 2}], tags=["y"], free={"k": {"m": 1}})
    shared, merged = await apply(api, pond, second, "two")
    _, left = await apply(api, pond, frog(items=[{"name": "a", "value": 1}]), "one")

    assert (code, shared) == (201, 200)
    assert owners(created) == {"one Apply": {"f:spec": {
        "f:free": {"f:k": {".": {}, "f:l": {}}}, "f:items": {
            'k:{"name":"a","protocol":"TCP"}': {".": {}, "f:name": {}, "f:value": {}},
            'k:{"name":"b","protocol":"TCP"}': {".": {}, "f:name": {}},
        }, "f:plain": {}, "f:point": {}, "f:tags": {'v:"x"': {}},
    }}}
    assert merged["spec"]["free"] == {"k": {"l": 1, "m": 1}}
    assert merged["spec"]["tags"] == ["x", "y"]
    assert left["spec"] == {
        "items": [{"name": "a", "protocol": "TCP", "value": 1}, {"name": "b", "protocol": "TCP", "value": 2}], "tags": ["y"],
        "free": {"k": {"m": 1}},
    }
    await api.delete(pond)


async def test_custom_kinds_have_conflicts_and_subresources(api: Api, pond: str) -> None:
    await api.post(FROGS, frog(replicas=1, plain=["p"], point={"x": 1}))

    _, refused = await apply(api, pond, frog(plain=["q"], point={"x": 1, "y": 1}, replicas=1))
    _, unknown = await apply(api, pond, frog(croaks=True))
    _, twice = await apply(api, pond, frog(items=[{"name": "a"}, {"name": "a", "protocol": "TCP"}]))
    _, status = await api.patch(f"{pond}/status", {"spec": {"replicas": 9}, "status": {"replicas": 1}}, fieldManager="controller")

    assert refused["message"] == (
        'Apply failed with 2 conflicts: conflicts with "tests" using example.com/v1:\n- .spec.plain\n- .spec.point'
    )
    assert unknown["message"].endswith("Kind=Frog): .spec.croaks: field not declared in schema")
    assert twice["message"].endswith('Kind=Frog): .spec.items: duplicate entries for key [name="a",protocol="TCP"]')
    assert owners(status)["controller Update status"] == {"f:status": {".": {}, "f:replicas": {}}}
    await api.delete(pond)
