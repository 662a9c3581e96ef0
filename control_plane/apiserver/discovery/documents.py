"""The discovery documents, made from the resource table: legacy (/api, /apis, /apis/G/V) and aggregated.

Everything is computed once per state of the table and kept as bytes with its ETag.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from control_plane.apiserver.negotiation import PROTOBUF, YAML
from kube.apimachinery.custom_rows import SHOWN_VERBS_OF_THE_DYING
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import subresource_of
from kube.apimachinery.scheme import GroupVersion, GroupVersionKind, ResourceType, Scheme

AGGREGATED_KIND: Final = "APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Document:
    body: bytes
    etag: str

    @classmethod
    def of(cls, obj: JsonObject, media_type: str) -> Document:
        if media_type == YAML:
            from kube.apimachinery.codec.yaml import encode_yaml  # hardly anybody asks for it

            body = encode_yaml(obj)
        elif media_type == PROTOBUF:
            from kube.apimachinery.codec.protobuf import encode_protobuf  # likewise

            body = encode_protobuf({"apiVersion": "v1", **obj})
        else:
            body = msgspec.json.encode(obj) + b"\n"
        return cls(body, f'"{hashlib.sha512(body).hexdigest().upper()}"')


def api_versions(server_address: str) -> JsonObject:
    """The answer of /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def api_group(scheme: Scheme, group: str) -> JsonObject | None:
    """One group with its versions, the preferred one first; None when nothing is served in it."""
    versions = [
        {"groupVersion": str(one), "version": one.version} for one in scheme.group_versions() if one.group == group
    ]
    if not versions:
        return None
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def api_group_list(scheme: Scheme) -> JsonObject:
    """The answer of /apis."""
    groups = dict.fromkeys(one.group for one in scheme.group_versions() if one.group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [api_group(scheme, group) for group in groups]}


def api_resource_list(scheme: Scheme, group_version: GroupVersion) -> JsonObject | None:
    """The answer of /api/v1 and /apis/G/V; None when nothing is served there."""
    rows = _rows(scheme, group_version)
    if not rows:
        return None
    resources: list[JsonObject] = []
    for row in rows:
        resources.append(_api_resource(row))
        resources += [_api_subresource(row, name) for name in _subresources(row)]
    listed: JsonObject = {"kind": "APIResourceList", "groupVersion": str(group_version), "resources": resources}
    return {**listed, "apiVersion": "v1"} if group_version.group else listed


def _rows(scheme: Scheme, group_version: GroupVersion) -> list[ResourceType]:
    rows = (row for row in scheme if row.group_version == group_version and row.discoverable)
    return sorted(rows, key=lambda row: row.plural)


def _api_resource(row: ResourceType) -> JsonObject:
    described: JsonObject = {
        "name": row.plural, "singularName": row.singular_name, "namespaced": row.namespaced, "kind": row.kind,
        "verbs": _verbs(row),
    }
    if row.short_names:
        described["shortNames"] = list(row.short_names)
    if row.categories:
        described["categories"] = list(row.categories)
    if "list" in row.verbs and "create" in row.verbs:      # what nobody stores has none
        described["storageVersionHash"] = _storage_version_hash(row)
    return described


def _verbs(row: ResourceType) -> list[str]:
    """Sorted, but for custom kinds, whose verbs upstream lists in an order of their own."""
    if row.custom is None:
        return sorted(row.verbs)
    return list(SHOWN_VERBS_OF_THE_DYING if row.custom.definition.terminating else row.verbs)


def _storage_version_hash(row: ResourceType) -> str:
    gvk = row.storage_gvk
    text = f"{gvk.group}/{row.hashed_version or gvk.version}/{gvk.kind}".encode()
    return base64.b64encode(hashlib.sha256(text).digest()[:8]).decode()


def _api_subresource(row: ResourceType, name: str) -> JsonObject:
    subresource = subresource_of(row, name)
    described: JsonObject = {
        "name": f"{row.plural}/{name}", "singularName": "", "namespaced": row.namespaced,
        "kind": subresource.kind.kind if subresource.kind else row.kind,
        "verbs": list(subresource.verbs),
    }
    if subresource.kind and subresource.kind.group:
        described |= {"group": subresource.kind.group, "version": subresource.kind.version}
    return described


def _subresources(row: ResourceType) -> list[str]:
    """By name; of custom kinds the status comes first."""
    return sorted(row.subresources, key=lambda name: (row.custom is not None and name != "status", name))


def aggregated(scheme: Scheme, version: str, *, legacy: bool) -> JsonObject:
    """Every resource of the core group (`legacy`) or of all others in one document; `version` is v2 or v2beta1."""
    items = []
    for group in dict.fromkeys(one.group for one in scheme.group_versions()):
        if bool(group) == legacy:
            continue
        versions = [
            {
                "version": one.version,
                "resources": [_discovered(row) for row in _rows(scheme, one)],
                "freshness": "Current",
            }
            for one in scheme.group_versions() if one.group == group
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    return {"kind": AGGREGATED_KIND, "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}


def _discovered(row: ResourceType) -> JsonObject:
    described: JsonObject = {
        "resource": row.plural,
        "responseKind": _own_kind(row),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular_name,
        "verbs": _verbs(row),
    }
    if row.short_names:
        described["shortNames"] = list(row.short_names)
    if row.categories:
        described["categories"] = list(row.categories)
    if row.subresources:
        described["subresources"] = [_discovered_subresource(row, name) for name in _subresources(row)]
    return described


def _discovered_subresource(row: ResourceType, name: str) -> JsonObject:
    subresource = subresource_of(row, name)
    kind = subresource.kind
    return {"subresource": name, "responseKind": _own_kind(row, kind), "verbs": list(subresource.verbs)}


def _own_kind(row: ResourceType, kind: GroupVersionKind | None = None) -> JsonObject:
    """Upstream leaves group and version of built-in kinds empty where they are those of the document's own place."""
    kind = kind or row.gvk
    here = row.custom is None and (kind.group, kind.version) == row.group_version
    return _response_kind("", "", kind.kind) if here else _response_kind(*kind)


def _response_kind(group: str, version: str, kind: str) -> JsonObject:
    return {"group": group, "version": version, "kind": kind}
