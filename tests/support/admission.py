"""One admission plugin at a time, asked about one request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from control_plane.apiserver.admission.chain import ADMISSION_CHAIN, AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Later, Operation
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.memory_store import memory_cache, resource_of

BOB = UserInfo("bob")
NAMESPACE: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}, "status": {"phase": "Active"}}
ACCOUNT: JsonObject = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "default", "name": "default"}}


def new(kind: str, name: str = "x", *, api_version: str = "v1", namespace: str = "default", **fields: Any) -> JsonObject:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | fields.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def pod(name: str = "x", *containers: JsonObject, metadata: JsonObject | None = None, **spec: Any) -> JsonObject:
    return new("Pod", name, metadata=metadata or {}, spec={"containers": list(containers or ({"name": "c", "image": "i"},)), **spec})


def request(
    obj: JsonObject, operation: Operation = Operation.CREATE, *, user: UserInfo = BOB, old: JsonObject | None = None, **more: Any
) -> AdmissionRequest:
    return AdmissionRequest(
        user=user, operation=operation, resource=resource_of(obj), namespace=obj["metadata"].get("namespace", ""),
        name=obj["metadata"].get("name", ""), obj=None if operation is Operation.DELETE else copy.deepcopy(obj), old=old, **more,
    )


def chain(
    cache: WatchCache, plugin: str, configuration: Mapping[str, JsonObject] | None = None, *, authorizer: Authorizer | None = None,
    later: Later | None = None, registry: CollectorRegistry | None = None,
) -> AdmissionChain:
    """Of that plugin alone."""
    others = [row.name for row in ADMISSION_CHAIN if row.name != plugin]
    context = AdmissionContext(
        cache, SCHEME, authorizer or Authorizer(cache), configuration=configuration or {}, later=later or Later(),
        registry=registry,
    )
    return AdmissionChain(context, enable=[plugin], disable=others)


async def admit(
    asked: AdmissionRequest, plugin: str, *objects: JsonObject, configuration: Mapping[str, JsonObject] | None = None
) -> JsonObject:
    """The object as the plugin leaves it, where these objects (and namespace default, with its account) are stored."""
    async with memory_cache(NAMESPACE, ACCOUNT, *objects) as (_, cache):
        plugins = chain(cache, plugin, configuration)
        await plugins.admit(asked)
        await plugins.validate(asked)
    return asked.obj or {}


async def refusal(
    asked: AdmissionRequest, plugin: str, *objects: JsonObject, configuration: Mapping[str, JsonObject] | None = None
) -> str:
    with pytest.raises(ApiError) as refused:
        await admit(asked, plugin, *objects, configuration=configuration)
    return str(refused.value)
