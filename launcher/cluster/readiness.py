"""What makes a cluster a finished one: labels that only an administrator may set, addons applied, nodes and DNS Pods Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

import addons
from kube.api.core_v1 import Node as ApiNode
from kube.api.core_v1 import Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind
from kube.client.client import Client
from kube.client.transport import PatchKind
from launcher.cluster.errors import NotReady
from launcher.cluster.layout import Layout

DNS_SELECTOR = "k8s-app=kube-dns"
POLL_S = 0.03


def addon_manifests(layout: Layout) -> list[dict[str, Any]]:
    """The objects of every addon, with this cluster's addresses."""
    objects: list[dict[str, Any]] = []
    for file in sorted(Path(next(iter(addons.__path__))).glob("*/manifests/*.yaml")):
        objects += [document for document in yaml.safe_load_all(file.read_text()) if document]
    for obj in objects:
        if obj["kind"] == "Service" and obj["metadata"]["name"] == "kube-dns":
            obj["spec"].update({"clusterIP": layout.dns_ip, "clusterIPs": [layout.dns_ip]})
    return objects


async def apply(client: Client, objects: Iterable[dict[str, Any]]) -> None:
    """Creates each object; one that is there is brought to what the manifest says (a merge patch), so that `up` repairs it."""
    for obj in objects:
        resource = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
        assert resource is not None, obj["kind"]
        try:
            await client.dynamic.create(resource, obj)
        except errors.AlreadyExists:
            await client.dynamic.patch(resource, NamespacedName.of(obj), obj, kind=PatchKind.MERGE)
        except errors.Invalid:      # a Service whose fixed address is its own already
            await client.dynamic.patch(resource, NamespacedName.of(obj), obj, kind=PatchKind.MERGE)


async def label_nodes(client: Client, labels: dict[str, dict[str, str]]) -> None:
    """Sets labels on nodes as soon as they have registered. A kubelet may not give itself a role (NodeRestriction)."""
    waiting = {name: wanted for name, wanted in labels.items() if wanted}
    while waiting:
        for name, wanted in list(waiting.items()):
            try:
                await client.patch(ApiNode, NamespacedName("", name), {"metadata": {"labels": wanted}}, kind=PatchKind.MERGE)
            except errors.NotFound:
                continue
            del waiting[name]
        if waiting:
            await asyncio.sleep(POLL_S)


def has_condition(obj: ApiNode | Pod, kind: str) -> bool:
    return any(condition.type == kind and condition.status == "True" for condition in obj.status.conditions)


async def wait_for_nodes(client: Client, names: set[str], timeout_s: float) -> None:
    def missing(nodes: list[ApiNode]) -> str:
        ready = {node.metadata.name for node in nodes if has_condition(node, "Ready")}
        return ", ".join(f"node {name} is not Ready" for name in sorted(names - ready))

    await _until(lambda: _all(client, ApiNode), missing, timeout_s)


async def wait_for_dns(client: Client, timeout_s: float) -> None:
    def missing(pods: list[Pod]) -> str:
        alive = [pod for pod in pods if not pod.metadata.deletion_timestamp]
        if not alive:
            return "there is no DNS Pod yet"
        return ", ".join(f"Pod {pod.metadata.name} is {_why(pod)}" for pod in alive if not has_condition(pod, "Ready"))

    async def dns_pods() -> list[Pod]:
        return list((await client.list(Pod, "kube-system", label_selector=DNS_SELECTOR)).items)

    await _until(dns_pods, missing, timeout_s)


def _why(pod: Pod) -> str:
    waiting = [s.state.waiting.reason for s in pod.status.container_statuses if s.state and s.state.waiting and s.state.waiting.reason]
    return waiting[0] if waiting else f"{pod.status.phase or 'Pending'}, not Ready"


async def _all(client: Client, kind: type[ApiNode]) -> list[ApiNode]:
    return list((await client.list(kind)).items)


async def _until(fetch: Callable[[], Any], missing: Callable[[list[Any]], str], timeout_s: float) -> None:
    what = "nothing was heard from the API"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    what = missing(await fetch())
                except errors.ApiError as error:
                    what = str(error)
                if not what:
                    return
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise NotReady(f"not ready after {timeout_s:.0f} s: {what}") from None
