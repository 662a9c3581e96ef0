"""What makes a cluster a finished one: labels that only an administrator may set, addons applied, nodes and DNS Pods Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
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
from kube.process.config import YAML_LOADER, TlsFiles
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import NotReady, UpFailed
from launcher.cluster.layout import Layout, Node
from launcher.cluster.progress import Progress

DNS_SELECTOR = "k8s-app=kube-dns"
NAMESPACES, WORKLOADS = ("Namespace",), ("Deployment", "DaemonSet")
POLL_S = 0.03
API_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 120.0


async def make_ready(layout: Layout, server: str, admin: TlsFiles, nodes: Sequence[Node], progress: Progress) -> None:
    """Until the nodes and the DNS Pods of a cluster whose processes are starting are Ready. Raises UpFailed, NotReady."""
    objects = addon_manifests(layout)
    with progress.step(f"the API answers at {server}"):
        try:
            await wait_for_api(server, admin, API_TIMEOUT_S)
        except TimeoutError as error:
            raise UpFailed(f"{error}; see {layout.logs}") from error
    async with admin_client(server, admin) as client:
        labelling = asyncio.create_task(label_nodes(client, _labels(layout, nodes)), name="label nodes")
        try:
            with progress.step("applying the addons"):
                await apply(client, objects)
            with progress.step(f"{len(nodes)} nodes are Ready"):
                await wait_for_nodes(client, {node.name for node in nodes}, READY_TIMEOUT_S)
                await labelling
            with progress.step("cluster DNS is Ready"):
                await wait_for_dns(client, READY_TIMEOUT_S)
        finally:
            labelling.cancel()


def _labels(layout: Layout, nodes: Sequence[Node]) -> dict[str, dict[str, str]]:
    labels = {node.name: dict(layout.settings.node_labels.get(node.name, {})) for node in nodes}
    labels["node1"] |= {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
    return labels


def addon_manifests(layout: Layout) -> list[dict[str, Any]]:
    """The objects of every addon, with this cluster's addresses."""
    objects: list[dict[str, Any]] = []
    for file in sorted(Path(next(iter(addons.__path__))).glob("*/manifests/*.yaml")):
        objects += [document for document in yaml.load_all(file.read_text(), YAML_LOADER) if document]
    for obj in objects:
        if obj["kind"] == "Service" and obj["metadata"]["name"] == "kube-dns":
            obj["spec"].update({"clusterIP": layout.dns_ip, "clusterIPs": [layout.dns_ip]})
    return objects


async def apply(client: Client, objects: Sequence[dict[str, Any]]) -> None:
    """Namespaces first, workloads last: what their Pods need (accounts, rights, configuration) is there by then."""
    for stage in (NAMESPACES, None, WORKLOADS):
        of_stage = [obj for obj in objects if (obj["kind"] in stage if stage else obj["kind"] not in NAMESPACES + WORKLOADS)]
        await asyncio.gather(*(_apply(client, obj) for obj in of_stage))


async def _apply(client: Client, obj: dict[str, Any]) -> None:
    """Creates it; an object that is there is brought to what the manifest says (a merge patch), so that `up` repairs it."""
    resource = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
    assert resource is not None, obj["kind"]
    try:
        await client.dynamic.create(resource, obj)
    except (errors.AlreadyExists, errors.Invalid):      # Invalid: a Service whose fixed address is its own already
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
