"""Whether a webhook whose rules speak of a request is called for it: namespaceSelector, objectSelector, matchConditions.

Follows apiserver's webhook/generic (ShouldCallHook), predicates/namespace and predicates/object.
"""

from __future__ import annotations

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.configuration import Candidate
from control_plane.apiserver.admission.webhooks.failures import internal
from control_plane.apiserver.admission.webhooks.review import namespace_of
from control_plane.apiserver.admission.webhooks.versions import Views
from kube.apimachinery.errors import not_found
from kube.apimachinery.labels import Selector
from kube.apimachinery.meta import JsonObject, NamespacedName


class Selection:
    def __init__(self, context: AdmissionContext) -> None:
        self._context = context
        row = context.scheme.for_path("", "v1", "namespaces")
        assert row is not None
        self._namespaces = row

    async def chosen(self, candidate: Candidate, request: AdmissionRequest, views: Views) -> bool:
        """Raises the ApiError that ends the request: the namespace is missing, a condition fails."""
        webhook = candidate.webhook
        if webhook.selector_error:
            raise internal(webhook.selector_error)
        objects = webhook.object_selector
        if not objects.everything and not (selects(objects, request.obj) or selects(objects, request.old)):
            return False
        if not webhook.namespace_selector.everything and not await self.in_namespace(webhook.namespace_selector, request):
            return False
        if webhook.match_conditions:
            from control_plane.apiserver.admission.webhooks.expressions import hold  # lazily: most webhooks have none, and CEL is large

            authorizer = self._context.authorizer
            return await authorizer.asking(lambda: hold(candidate, request, views, authorizer))
        return True

    async def in_namespace(self, selector: Selector, request: AdmissionRequest) -> bool:
        """Whether a namespaceSelector lets the request through; policies have such too."""
        is_namespace = request.resource.group_resource == self._namespaces.group_resource
        name = namespace_of(request)
        if not name and not is_namespace:
            return True         # cluster-scoped objects are in no namespace that could be left out
        if is_namespace and not request.subresource and request.operation in (Operation.CREATE, Operation.UPDATE):
            return selects(selector, request.obj)      # the cache does not know it yet
        return selects(selector, await self.namespace(name))

    async def namespace(self, name: str) -> JsonObject:
        """Raises NotFound."""
        key = NamespacedName("", name)
        held = self._context.cache.get(self._namespaces, key)
        if held is None:
            await self._context.cache.fresh()
            held = self._context.cache.get(self._namespaces, key)
        if held is None:
            raise not_found(self._namespaces.group_resource, name)
        return held.obj


def selects(selector: Selector, obj: JsonObject | None) -> bool:
    """By the object's own labels."""
    if obj is None:
        return False
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        # Options of a CONNECT have no labels, and are not selected by them.
        return False
    return selector.matches(metadata.get("labels") or {})
