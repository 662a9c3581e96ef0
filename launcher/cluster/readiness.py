"""What makes a cluster a finished one: labels that only an administrator may set, addons applied, nodes and DNS Pods Ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

import addons
from kube.api.core_v1 import Node as ApiNode
from kube.api.core_v1 import Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind
from kube.client.client import Client
from kube.client.informer import Informer, InformerFactory
from kube.client.transport import PatchKind
from kube.process.config import YAML_LOADER, TlsFiles
from launcher.cluster.access import admin_client, wait_for_api
from launcher.cluster.errors import NotReady, UpFailed
from launcher.cluster.etc_kubernetes import API_PORT
from launcher.cluster.join import cluster_info
from launcher.cluster.layout import Layout, Node
from launcher.cluster.progress import Progress
from launcher.cluster.refusals import unless_refused

V = TypeVar("V", ApiNode, Pod)
CONTROL_PLANE_LABELS = {"node-role.kubernetes.io/control-plane": "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
ADDONS = ("coredns", "pod_network")        # what no cluster goes without
BLOCK_STORAGE = "block-storage"            # where nodes are namespaces of this machine: they have its loop devices
DNS_SELECTOR = "k8s-app=kube-dns"
NAMESPACES, WORKLOADS = ("Namespace",), ("Deployment", "DaemonSet")
API_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 120.0


async def make_ready(layout: Layout, server: str, admin: TlsFiles, nodes: Sequence[Node], progress: Progress) -> None:
    """Until the nodes and the DNS Pods of a cluster whose processes are starting are Ready. Raises UpFailed, NotReady."""
    inside = f"https://{layout.node(1).address}:{API_PORT}"
    objects = [*addon_manifests(layout.dns_ip, (BLOCK_STORAGE, *layout.settings.addons)), *cluster_info(inside, admin.ca_file)]
    with progress.step(f"the API answers at {server}"):
        try:
            await unless_refused(layout.run / "zygote.sock", wait_for_api(server, admin, API_TIMEOUT_S))
        except TimeoutError as error:
            raise UpFailed(f"{error}; see {layout.logs}") from error
    async with admin_client(server, admin) as client, InformerFactory(client) as informers:
        held_nodes = informers.informer(ApiNode)
        dns_pods = informers.informer(Pod, namespace="kube-system", label_selector=DNS_SELECTOR)
        await informers.start()
        labelling = asyncio.create_task(label_nodes(client, held_nodes, _labels(layout, nodes)), name="label nodes")
        try:
            with progress.step("applying the addons"):
                await apply(client, objects)
            with progress.step(f"{len(nodes)} nodes are Ready"):
                ready = until(held_nodes, partial(missing_nodes, {node.name for node in nodes}), READY_TIMEOUT_S)
                await unless_refused(layout.run / "zygote.sock", ready)
                await labelling
            with progress.step("cluster DNS is Ready"):
                await until(dns_pods, missing_dns, READY_TIMEOUT_S)
        finally:
            labelling.cancel()


def _labels(layout: Layout, nodes: Sequence[Node]) -> dict[str, dict[str, str]]:
    labels = {node.name: dict(layout.settings.node_labels.get(node.name, {})) for node in nodes}
    labels["node1"] |= CONTROL_PLANE_LABELS
    return labels


def addon_manifests(dns_ip: str, optional: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The objects of the addons that every cluster has, the DNS Service with this address, and of those that were chosen."""
    objects: list[dict[str, Any]] = []
    root = Path(next(iter(addons.__path__)))
    for file in (file for name in (*ADDONS, *optional) for file in sorted((root / name.replace("-", "_")).glob("manifests/*.yaml"))):
        objects += [document for document in yaml.load_all(file.read_text(), YAML_LOADER) if document]
    for obj in objects:
        if obj["kind"] == "Service" and obj["metadata"]["name"] == "kube-dns":
            obj["spec"].update({"clusterIP": dns_ip, "clusterIPs": [dns_ip]})
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


async def label_nodes(client: Client, nodes: Informer[ApiNode], labels: dict[str, dict[str, str]]) -> None:
    """Sets labels on nodes as soon as they have registered. A kubelet may not give itself a role (NodeRestriction)."""
    for name, wanted in labels.items():
        if wanted:
            await until(nodes, partial(_unregistered, name), READY_TIMEOUT_S)
            await client.patch(ApiNode, NamespacedName("", name), {"metadata": {"labels": wanted}}, kind=PatchKind.MERGE)


def has_condition(obj: ApiNode | Pod, kind: str) -> bool:
    return any(condition.type == kind and condition.status == "True" for condition in obj.status.conditions)


async def until(informer: Informer[V], missing: Callable[[list[V]], str], timeout_s: float) -> None:
    """Until nothing is missing, as `missing` says in words of the objects that there are. Raises NotReady with its last words."""
    changed = asyncio.Event()
    informer.on_change(lambda _: changed.set())
    what = "nothing was heard from the API"
    try:
        async with asyncio.timeout(timeout_s):
            while what := missing(informer.store.list()):
                await changed.wait()
                changed.clear()
    except TimeoutError:
        raise NotReady(f"not ready after {timeout_s:.0f} s: {what}") from None


def missing_nodes(names: set[str], nodes: list[ApiNode]) -> str:
    ready = {node.metadata.name for node in nodes if has_condition(node, "Ready")}
    return ", ".join(f"node {name} is not Ready" for name in sorted(names - ready))


def missing_dns(pods: list[Pod]) -> str:
    alive = [pod for pod in pods if not pod.metadata.deletion_timestamp]
    if not alive:
        return "there is no DNS Pod yet"
    return ", ".join(f"Pod {pod.metadata.name} is {_why(pod)}" for pod in alive if not has_condition(pod, "Ready"))


def _why(pod: Pod) -> str:
    waiting = [s.state.waiting.reason for s in pod.status.container_statuses if s.state and s.state.waiting and s.state.waiting.reason]
    if waiting:
        return waiting[0]
    unscheduled = next((each.message for each in pod.status.conditions if each.type == "PodScheduled" and each.status == "False"), "")
    return f"{pod.status.phase or 'Pending'}, not Ready{f': {unscheduled}' if unscheduled else ''}"


def _unregistered(name: str, nodes: list[ApiNode]) -> str:
    return "" if any(node.metadata.name == name for node in nodes) else f"node {name} has not registered"
