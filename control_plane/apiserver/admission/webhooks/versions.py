"""A request's objects in the version that a webhook's rule named (matchPolicy Equivalent)."""

from __future__ import annotations

from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.storage.conversion import convert
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import subresource_kind
from kube.apimachinery.scheme import GroupVersionKind, ResourceType, Scheme


def equivalents(scheme: Scheme, resource: ResourceType, subresource: str) -> list[ResourceType]:
    """The same stored objects under other versions or groups, those alone that serve the subresource too."""
    return [
        row for row in scheme
        if row.storage_identity == resource.storage_identity and row.gvk != resource.gvk
        and (not subresource or subresource in row.subresources)
    ]


def kind_of(resource: ResourceType, subresource: str) -> GroupVersionKind:
    """Of the objects in a request; those of some subresources have a kind of their own (Scale, Eviction)."""
    return subresource_kind(resource, subresource) if subresource else resource.gvk


class Views:
    """Both objects of one request as webhooks see them. Read only: without a conversion they are the request's own."""

    def __init__(self, request: AdmissionRequest) -> None:
        self._request = request
        self._old: dict[GroupVersionKind, JsonObject] = {}

    def new(self, resource: ResourceType) -> JsonObject | None:
        """As it is now; webhooks before may have changed it."""
        obj = self._request.obj
        return obj if obj is None else self._converted(obj, resource)

    def old(self, resource: ResourceType) -> JsonObject | None:
        if self._request.old is None:
            return None
        held = self._old.get(resource.gvk)
        if held is None:
            held = self._old[resource.gvk] = self._converted(self._request.old, resource)
        return held

    def replace(self, obj: JsonObject, resource: ResourceType) -> None:
        """`obj`, in the version of `resource`, becomes the request's object; in place, since the writer holds the same dict."""
        held = self._request.obj
        assert held is not None
        if resource is not self._request.resource and self._convertible(resource):
            obj = convert(self._request.resource, obj, self._request.resource.api_version)
        held.clear()
        held.update(obj)

    def _converted(self, obj: JsonObject, resource: ResourceType) -> JsonObject:
        if resource is self._request.resource or not self._convertible(resource):
            return obj
        return convert(self._request.resource, obj, resource.api_version)

    def _convertible(self, resource: ResourceType) -> bool:
        return kind_of(resource, self._request.subresource) == resource.gvk
