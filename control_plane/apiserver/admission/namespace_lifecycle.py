"""No content in a namespace that is missing or going, and some namespaces never go."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.errors import Cause, not_found
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource

IMMORTAL: Final = frozenset(("default", "kube-system", "kube-public"))
DOUBT_S: Final = 30.0        # after a deletion came by here, the cache alone is not believed for this long
NAMESPACES: Final = GroupResource("", "namespaces")
ACCESS_REVIEWS: Final = GroupResource("authorization.k8s.io", "localsubjectaccessreviews")


class NamespaceLifecycle:
    """Follows apiserver's NamespaceLifecycle."""

    name: ClassVar[str] = "NamespaceLifecycle"

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._deleted: dict[str, float] = {}
        row = SCHEME.for_path("", "v1", "namespaces")
        assert row is not None
        self._namespaces = row

    def handles(self, operation: Operation) -> bool:
        return operation is not Operation.CONNECT

    async def admit(self, request: AdmissionRequest) -> None:
        resource = request.resource.group_resource
        if resource == NAMESPACES:
            if request.operation is Operation.DELETE:
                if request.name in IMMORTAL:
                    raise request.forbidden("this namespace may not be deleted")
                self._deleted[request.name] = asyncio.get_running_loop().time() + DOUBT_S
            return
        # A missing namespace must not be told from a forbidden one by those who only ask what they may.
        if not request.namespace or request.operation is Operation.DELETE or resource == ACCESS_REVIEWS:
            return
        namespace = await self._find(request.namespace)
        if request.operation is Operation.CREATE and _is_terminating(namespace):
            error = request.forbidden(f"unable to create new content in namespace {request.namespace} because it is being terminated")
            error.causes = (
                Cause("NamespaceTerminating", "metadata.namespace", f"namespace {request.namespace} is being terminated"),
            )
            raise error

    async def _find(self, name: str) -> JsonObject:
        held = self._cache.get(self._namespaces, NamespacedName("", name))
        if held is None or self._in_doubt(name):
            await self._cache.fresh()
            held = self._cache.get(self._namespaces, NamespacedName("", name))
        if held is None:
            raise not_found(NAMESPACES, name)
        return held.obj

    def _in_doubt(self, name: str) -> bool:
        until = self._deleted.get(name)
        if until is None:
            return False
        if asyncio.get_running_loop().time() < until:
            return True
        del self._deleted[name]
        return False


def _is_terminating(namespace: JsonObject) -> bool:
    return (namespace.get("status") or {}).get("phase") == "Terminating" or "deletionTimestamp" in namespace["metadata"]
