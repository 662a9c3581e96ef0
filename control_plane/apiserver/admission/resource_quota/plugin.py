"""What a namespace may use in total: each write is charged to the quotas it concerns before it happens."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from control_plane.apiserver.admission.lookup import row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.storage.errors import KeyExists
from control_plane.storage.keys import object_key
from kube.apimachinery.meta import NamespacedName

if TYPE_CHECKING:
    from control_plane.apiserver.admission.resource_quota.configuration import LimitedResource
    from control_plane.apiserver.admission.resource_quota.ledger import QuotaLedger


class ResourceQuota:
    """Follows apiserver's ResourceQuota. Last of all: it must count what the others have filled in, and charge for what they let pass.

    Where there is no quota, nothing is loaded and nothing is asked but the watch cache.
    """

    name: ClassVar[str] = "ResourceQuota"

    def __init__(self, context: AdmissionContext) -> None:
        """Raises ConfigError."""
        self._context = context
        self._cache = context.cache
        self._row = row_of("", "resourcequotas")
        self._limited: tuple[LimitedResource, ...] = ()
        if configuration := context.configuration.get(self.name):
            from control_plane.apiserver.admission.resource_quota.configuration import limited_resources

            self._limited = limited_resources(configuration)

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.namespace or request.obj is None or not request.resource.namespaced:
            return
        if not self._limited and not self._cache.list(self._row, request.namespace)[0]:
            return
        from control_plane.quota.registry import UNCOUNTED

        if request.resource.group_resource in UNCOUNTED or not self._ledger.concerns(request):
            return
        if request.operation is Operation.CREATE:
            await self._check_name(request)
        await self._ledger.charge(request)

    @cached_property
    def _ledger(self) -> QuotaLedger:
        from control_plane.apiserver.admission.resource_quota.ledger import QuotaLedger

        assert self._context.store is not None
        return QuotaLedger(self._cache, self._context.store, self._limited)

    async def _check_name(self, request: AdmissionRequest) -> None:
        """What will be refused since its name is taken is not to be charged. Raises Forbidden if it would not fit either, as upstream."""
        assert request.obj is not None
        assert self._context.store is not None
        key = NamespacedName.of(request.obj)
        if not key.name or self._cache.get(request.resource, key) is None:
            return
        stored = await self._context.store.get(object_key(request.resource, key))
        if stored is not None:
            await self._ledger.charge(request, only_asks=True)
            raise KeyExists(stored.key, stored)
