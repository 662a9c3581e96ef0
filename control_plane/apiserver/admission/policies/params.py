"""The parameters that a binding gives its policy, from the watch cache. Follows apiserver's policy/generic (CollectParams)."""

from __future__ import annotations

from collections.abc import Sequence

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest
from control_plane.apiserver.admission.policies.policy import Binding, Policy
from control_plane.apiserver.admission.webhooks.review import namespace_of
from control_plane.storage.cached_object import CachedObject, prepare
from kube.apimachinery.errors import ApiError
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType


class ParamsError(Exception):
    """A policy or binding that cannot be evaluated as it is; the text is upstream's."""


class Params:
    def __init__(self, context: AdmissionContext) -> None:
        self._context = context

    def row_of(self, policy: Policy) -> ResourceType | None:
        """The resource of the policy's paramKind. Raises ParamsError for a kind that is not served."""
        if (kind := policy.param_kind) is None:
            return None
        row = self._context.scheme.for_kind(kind)
        if row is None:
            raise ParamsError(f"failed to find resource referenced by paramKind: '{kind.api_version}, Kind={kind.kind}'")
        return row

    async def of(self, policy: Policy, binding: Binding, request: AdmissionRequest) -> Sequence[JsonObject | None]:
        """One evaluation for each; [None]: the policy takes none; []: there are none, and that is allowed. Raises ParamsError."""
        row, ref = self.row_of(policy), binding.param_ref
        if row is None or ref is None:
            return [None]
        namespace = ""
        if row.namespaced:
            namespace = ref.get("namespace") or namespace_of(request)
            if not namespace:
                raise ParamsError("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
        elif ref.get("namespace"):
            raise ParamsError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        try:
            found = await self._found(row, namespace, ref)
            await prepare(row, found)
        except (ApiError, SelectorError) as error:
            raise ParamsError(str(error)) from error
        if not found and ref.get("parameterNotFoundAction") == "Deny":
            raise ParamsError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return [item.view(row.api_version) for item in found]

    async def _found(self, row: ResourceType, namespace: str, ref: JsonObject) -> list[CachedObject]:
        cache = self._context.cache
        if name := ref.get("name"):
            key = NamespacedName(namespace, name)
            held = cache.get(row, key)
            if held is None:            # perhaps made a moment ago
                await cache.fresh()
                held = cache.get(row, key)
            return [held] if held is not None else []
        selector = selector_from_label_selector(ref.get("selector") or {})
        return [item for item in cache.list(row, namespace)[0] if selector.matches((item.obj.get("metadata") or {}).get("labels") or {})]
