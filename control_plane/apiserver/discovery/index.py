"""Which path answers with which discovery document, in the form the client wants."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control_plane.apiserver.aggregation.documents import group_document, merged_groups, with_aggregated, with_groups
from control_plane.apiserver.aggregation.targets import Targets
from control_plane.apiserver.discovery.documents import (
    AGGREGATED_KIND,
    Document,
    aggregated,
    api_group,
    api_group_list,
    api_resource_list,
    api_versions,
)
from control_plane.apiserver.negotiation import (
    JSON,
    MEDIA_TYPES,
    PROTOBUF,
    check_route_produces,
    not_acceptable,
    parse_accept,
    serves,
)
from control_plane.apiserver.object_api import not_served, page_not_found
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersion, Scheme

_AGGREGATED_VERSIONS: Final = ("v2", "v2beta1")


class DiscoveryIndex:
    """Documents are made when first asked for, and kept until another kind is served, here or by another server (`targets`)."""

    def __init__(self, scheme: Scheme, server_address: str, targets: Targets) -> None:
        self._scheme = scheme
        self._targets = targets
        self._server_address = server_address
        self._documents: dict[tuple[str, str, str], Document] = {}
        self._generation = (scheme.generation, targets.generation)

    def paths(self) -> list[str]:
        """For the list of all paths."""
        paths = ["/api", "/apis"]
        for one in [*self._scheme.group_versions(), *(target.group_version for target in self._targets)]:
            paths += [f"/apis/{one.group}", f"/apis/{one}"] if one.group else [f"/api/{one.version}"]
        return paths

    def serve(self, request: web.BaseRequest, path: str) -> web.Response:
        """Raises NotFound for a path that is not served."""
        media_type, version = self._negotiated(request.headers.get("Accept", ""), path)
        key = (path, version, media_type)
        if self._generation != (generation := (self._scheme.generation, self._targets.generation)):
            self._generation = generation
            self._documents.clear()
        document = self._documents.get(key)
        if document is None:
            document = self._documents[key] = Document.of(self._make(path, version), media_type)
        if not version:
            return web.Response(body=document.body, headers={"Content-Type": media_type, "Cache-Control": "no-cache, private"})
        form = f"{media_type};g=apidiscovery.k8s.io;v={version};as={AGGREGATED_KIND}"
        headers = {"Content-Type": form, "ETag": document.etag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == document.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=document.body, headers=headers)

    def _negotiated(self, accept: str, path: str) -> tuple[str, str]:
        if not accept:
            return JSON, ""
        parts = path.strip("/").split("/")
        if parts[0] == "api" or (len(parts) == 3 and self._scheme.is_built_in(parts[1])):
            check_route_produces(accept, streams=False)
        return _wanted(accept, aggregates=path in ("/api", "/apis"))

    def _make(self, path: str, version: str) -> JsonObject:
        parts = path.strip("/").split("/")
        if self._targets and parts[0] == "apis" and len(parts) < 3 and (merged := self._merged(parts, version)):
            return merged
        if version:
            return aggregated(self._scheme, version, legacy=path == "/api")
        made: JsonObject | None = None
        if parts == ["api"]:
            made = api_versions(self._server_address)
        elif parts == ["apis"]:
            made = api_group_list(self._scheme)
        elif parts[0] == "apis" and len(parts) == 2 and parts[1]:
            group = api_group(self._scheme, parts[1])
            made = {"kind": "APIGroup", "apiVersion": "v1", **group} if group else None
        elif (parts[0] == "apis" and len(parts) == 3) or (parts[0] == "api" and len(parts) == 2):
            group_name = parts[1] if parts[0] == "apis" else ""
            made = api_resource_list(self._scheme, GroupVersion(group_name, parts[-1])) if group_name or parts[0] == "api" else None
        if made is None:
            asked = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
            raise not_served() if parts[0] in ("api", "apis") and self._scheme.is_built_in(asked) else page_not_found()
        return made

    def _merged(self, parts: list[str], version: str) -> JsonObject | None:
        """/apis and /apis/GROUP with other servers' groups in them."""
        groups = merged_groups(self._scheme.group_versions(), self._targets)
        if version:
            targets = {target.group_version: target for target in self._targets}
            return with_aggregated(aggregated(self._scheme, version, legacy=False), groups, targets)
        if len(parts) == 1:
            return with_groups(groups)
        versions = dict(groups).get(parts[1])
        return {"kind": "APIGroup", "apiVersion": "v1", **group_document(parts[1], versions)} if versions else None


def _wanted(accept: str, *, aggregates: bool) -> tuple[str, str]:
    """The media type, and v2 or v2beta1 where the client wants the aggregated form. Raises NotAcceptable."""
    for wanted in parse_accept(accept):
        for media_type in MEDIA_TYPES:
            if not serves(wanted.media_type, media_type):
                continue
            form = [wanted.parameter(name) for name in ("as", "g", "v")]
            if not any(form):
                return media_type, ""
            known = form[:2] == [AGGREGATED_KIND, "apidiscovery.k8s.io"] and form[2] in _AGGREGATED_VERSIONS
            if aggregates and known and media_type != PROTOBUF:
                return media_type, form[2]
    raise not_acceptable(MEDIA_TYPES)
