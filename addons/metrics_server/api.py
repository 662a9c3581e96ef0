"""Paths to answers: who may see what, and what there is to see."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from addons.metrics_server import answers
from addons.metrics_server.access import Access
from addons.metrics_server.storage import Storage
from addons.metrics_server.web import Request
from kube.api.authorization_v1 import NonResourceAttributes, ResourceAttributes
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.errors import BadRequest, MethodNotAllowed, NotFound, not_found
from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError, parse_selector
from kube.apimachinery.scheme import GroupResource

HEALTH = ("/healthz", "/livez", "/readyz")
DISCOVERY = {answers.BASE: answers.RESOURCE_LIST, f"/apis/{answers.GROUP}": answers.API_GROUP, "/apis": answers.API_GROUP_LIST}
KINDS = {"nodes": "NodeMetrics", "pods": "PodMetrics"}
Json = dict[str, Any]


class MetricsApi:
    """`nodes` and `pods` give the metadata of what there is: all nodes, all running Pods."""

    def __init__(
        self, access: Access, storage: Storage, nodes: Callable[[], Sequence[ObjectMeta]], pods: Callable[[], Sequence[ObjectMeta]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._storage = storage
        self._nodes = nodes
        self._pods = pods
        self._now = now

    async def handle(self, request: Request) -> Json | str:
        """Raises ApiError."""
        if request.path in HEALTH:
            return "ok"
        wanted = resource_at(request.path)
        if wanted is None:
            await self._access.check(
                request.certificate, request.headers, NonResourceAttributes(verb=request.method.lower(), path=request.path))
            if (found := DISCOVERY.get(request.path)) is None:
                raise NotFound("the server could not find the requested resource")
            return found
        resource, namespace, name = wanted
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        await self._access.check(request.certificate, request.headers, ResourceAttributes(
            verb="get" if name else "list", group=answers.GROUP, version=answers.VERSION, resource=resource, namespace=namespace,
            name=name,
        ))
        items = [self._one(resource, namespace, name)] if name else self._list(resource, namespace, request)
        if wants_table(request.header("accept")):
            return answers.as_table(items, request.query.get("includeObject", "Metadata"))
        return items[0] if name else answers.as_list(KINDS[resource], items)

    def _one(self, resource: str, namespace: str, name: str) -> Json:
        known = self._nodes() if resource == "nodes" else self._pods()
        metadata = next((each for each in known if (each.namespace, each.name) == (namespace, name)), None)
        if metadata is None:
            raise not_found(GroupResource("", resource), name)
        if (found := self._metrics(resource, metadata)) is None:
            kind = GroupResource(answers.GROUP, KINDS[resource].lower())
            raise not_found(kind, f"{namespace}/{name}" if namespace else name)
        return found

    def _list(self, resource: str, namespace: str, request: Request) -> list[Json]:
        try:
            labels = parse_selector(request.query.get("labelSelector", ""))
            fields = parse_field_selector(request.query.get("fieldSelector", ""))
        except SelectorError as error:
            raise BadRequest(f"unable to parse requirement: {error}") from error
        known = self._nodes() if resource == "nodes" else self._pods()
        chosen = sorted(
            (each for each in known if (not namespace or each.namespace == namespace) and labels.matches(each.labels)
             and fields.matches({"metadata.name": each.name, "metadata.namespace": each.namespace})),
            key=lambda each: (each.namespace, each.name),
        )
        return [found for each in chosen if (found := self._metrics(resource, each)) is not None]

    def _metrics(self, resource: str, metadata: ObjectMeta) -> Json | None:
        if resource == "nodes":
            usage = self._storage.node(metadata.name)
            return answers.node_metrics(metadata.name, metadata.labels, usage, self._now()) if usage else None
        usages = self._storage.pod((metadata.namespace, metadata.name))
        return answers.pod_metrics(metadata.namespace, metadata.name, metadata.labels, usages, self._now()) if usages else None


def wants_table(accept: str) -> bool:
    for media in accept.split(","):
        kind, *parameters = (part.strip() for part in media.split(";"))
        if kind == "application/json":
            return "as=Table" in parameters
    return False


def resource_at(path: str) -> tuple[str, str, str] | None:
    """Resource, namespace, name."""
    if not path.startswith(answers.BASE + "/"):
        return None
    parts = path.removeprefix(answers.BASE + "/").split("/")
    match parts:
        case ["nodes" | "pods" as resource]:
            return resource, "", ""
        case ["nodes", name]:
            return "nodes", "", name
        case ["namespaces", namespace, "pods"]:
            return "pods", namespace, ""
        case ["namespaces", namespace, "pods", name]:
            return "pods", namespace, name
        case _:
            return None
