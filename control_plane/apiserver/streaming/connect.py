"""Which stream is asked for, and of which container. Follows registry/core/pod's log, exec and port-forward locations."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from control_plane.apiserver.object_api import not_served
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import is_true
from control_plane.apiserver.registry.reader import Reader
from control_plane.apiserver.streaming.console import serve_console
from control_plane.apiserver.streaming.logs import logs_request, serve_logs
from control_plane.apiserver.streaming.nodes import NodeConnections
from control_plane.apiserver.streaming.port_forward import serve_port_forward
from control_plane.apiserver.streaming.proxy.connector import ProxyConnector
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.rpc.v1.node_pb2 import ContainerRef, LogsRequest, StreamStart

_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


class Connector:
    def __init__(
        self, reader: Reader, admission: AdmissionChain, authorizer: Authorizer, nodes: NodeConnections, proxy: ProxyConnector,
    ) -> None:
        self._reader = reader
        self._authorizer = authorizer
        self._admission = admission
        self._nodes = nodes
        self._proxy = proxy

    async def serve(self, request: web.BaseRequest, call: Call, path: str) -> web.StreamResponse:
        """`path`: what follows the subresource in the request's path, for `proxy`."""
        if call.subresource == "proxy":
            await self._admit(call, self._proxy.options(call, path))
            return await self._proxy.serve(request, call, path)
        if call.resource.plural != "pods" or call.subresource not in ("log", "exec", "attach", "portforward"):
            raise not_served()
        logs = logs_request(request.query, call.namespace, call.name) if call.subresource == "log" else None
        pod = (await self._reader.get(call)).obj
        if logs is not None:
            return await self._log(request, call, pod, logs)
        if call.subresource == "portforward":
            return await self._port_forward(request, call, pod)
        return await self._console(request, call, pod)

    async def _port_forward(self, request: web.BaseRequest, call: Call, pod: JsonObject) -> web.StreamResponse:
        node_name = pod.get("spec", {}).get("nodeName", "")
        if not node_name:
            raise BadRequest(f"pod {call.name} does not have a host assigned")
        if call.verb == "get":
            await self._require_create(call)
        await self._admit(call, {"kind": "PodPortForwardOptions", "apiVersion": "v1"})
        return await serve_port_forward(request, self._nodes, node_name, call.namespace, call.name, pod["metadata"]["uid"])

    async def _log(self, request: web.BaseRequest, call: Call, pod: JsonObject, asked: LogsRequest) -> web.StreamResponse:
        asked.container.container = _container(pod, request.query.get("container", ""))
        node_name = pod.get("spec", {}).get("nodeName", "")
        if not node_name:      # not scheduled yet: nothing was written so far
            return web.Response(body=b"", headers={"Content-Type": "text/plain"})
        return await serve_logs(request, self._nodes, node_name, asked)

    async def _console(self, request: web.BaseRequest, call: Call, pod: JsonObject) -> web.StreamResponse:
        query = request.query
        container = _container(pod, query.get("container", ""))
        node_name = pod.get("spec", {}).get("nodeName", "")
        if not node_name:
            raise BadRequest(f"pod {call.name} does not have a host assigned")
        command = query.getall("command", [])
        if call.subresource == "exec" and not command:
            raise BadRequest("you must specify at least one command for the container")
        tty = is_true(query.get("tty", ""))
        start = StreamStart(
            container=ContainerRef(namespace=call.namespace, pod=call.name, container=container), command=command,
            stdin=is_true(query.get("stdin", "")), stdout=is_true(query.get("stdout", "")),
            stderr=is_true(query.get("stderr", "")) and not tty, tty=tty,
        )
        if not (start.stdin or start.stdout or start.stderr):
            raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
        if call.verb == "get":
            await self._require_create(call)
        await self._admit(call, _options(call, start))
        return await serve_console(request, self._nodes, node_name, call.subresource, start)

    async def _require_create(self, call: Call) -> None:
        """A WebSocket begins with GET; yet to run something takes the right to create (upstream since 1.35)."""
        attributes = Attributes(
            user=call.user, verb="create", group=call.resource.group, version=call.resource.version, resource=call.resource.plural,
            subresource=call.subresource, namespace=call.namespace, name=call.name,
        )
        decision = await self._authorizer.decide(attributes)
        if not decision.allowed:
            raise forbidden_error(attributes, decision.reason)

    async def _admit(self, call: Call, options: JsonObject) -> None:
        request = AdmissionRequest(
            user=call.user, operation=Operation.CONNECT, resource=call.resource, subresource=call.subresource,
            namespace=call.namespace, name=call.name, obj=options, warnings=call.warnings, annotations=call.annotations,
        )
        await self._admission.admit(request)
        await self._admission.validate(request)


def _options(call: Call, start: StreamStart) -> JsonObject:
    """PodExecOptions or PodAttachOptions, as admission plugins see them."""
    options: JsonObject = {
        "kind": "PodExecOptions" if call.subresource == "exec" else "PodAttachOptions", "apiVersion": "v1",
        "container": start.container.container, "stdin": start.stdin, "stdout": start.stdout, "stderr": start.stderr, "tty": start.tty,
    }
    if start.command:
        options["command"] = list(start.command)
    return options


def _container(pod: JsonObject, wanted: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    everyone = [one for group in _CONTAINER_LISTS for one in _names(spec, group)]
    if wanted:
        if wanted not in everyone:
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    containers = _names(spec, "containers")
    if len(containers) == 1:
        return containers[0]
    raise BadRequest(f"a container name must be specified for pod {name}, choose one of: [{' '.join(everyone)}]")


def _names(spec: dict[str, Any], group: str) -> list[str]:
    return [one["name"] for one in spec.get(group) or []]
