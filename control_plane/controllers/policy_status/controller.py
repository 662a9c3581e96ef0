"""Checks the types of a ValidatingAdmissionPolicy once per generation. Follows upstream's validatingadmissionpolicystatus.

    policy, new generation ─► its kinds, their schemas ─► status.typeChecking, status.observedGeneration

A kind that nobody knows yet is passed over; it is looked for again when the policy changes, not when the kind appears (as upstream).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from control_plane.controllers.custom_kinds import CustomKinds
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.admissionregistration_v1 import ExpressionWarning, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec
from kube.apimachinery import errors
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.client.controller import DONE, Result
from kube.client.dynamic import DynamicClient
from kube.client.objects import key_of, resource_of
from kube.client.transport import PatchKind

if TYPE_CHECKING:
    from control_plane.controllers.policy_status.schemas import Definitions

NAME: Final = "validatingadmissionpolicy-status"
_DEFINITIONS: Final = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")


class PolicyStatusController(ManagedController[NamespacedName]):
    """kube.cel is imported with the first policy."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(NAME, context)
        self._policies = self.informer(ValidatingAdmissionPolicy)
        self._policies.add_handler(self._enqueue, lambda _old, new: self._enqueue(new))
        CustomKinds(self)
        self._objects = DynamicClient(self.client.transport, field_manager=NAME)

    def _enqueue(self, policy: ValidatingAdmissionPolicy) -> None:
        self.queue.add(key_of(policy))

    async def reconcile(self, key: NamespacedName) -> Result:
        policy = self._policies.get(key)
        if policy is None or (policy.metadata.generation or 0) <= (policy.status.observed_generation or 0):
            return DONE
        warnings = msgspec.to_builtins(await self._warnings(policy.spec))
        applied = {
            "apiVersion": policy.api_version, "kind": policy.kind, "metadata": {"name": key.name},
            "status": {
                "observedGeneration": policy.metadata.generation,
                "typeChecking": {"expressionWarnings": warnings} if warnings else {},
            },
        }
        try:
            await self._objects.patch(resource_of(policy), key, applied, kind=PatchKind.APPLY, subresource="status", force=True)
        except errors.NotFound:
            return DONE
        return DONE

    async def _warnings(self, spec: ValidatingAdmissionPolicySpec) -> list[ExpressionWarning]:
        from control_plane.controllers.policy_status.schemas import Definitions
        from control_plane.controllers.policy_status.type_checking import issues_of, kinds_of, type_of_kind, warnings_of
        from kube.cel.types import DYN

        definitions = Definitions()
        params = DYN
        if (asked := spec.param_kind) is not None:
            row = SCHEME.for_kind(GroupVersionKind.of(asked.api_version, asked.kind))
            schema = None if row is None else await self._schema(row, definitions)
            params = DYN if schema is None else type_of_kind(schema, f"{asked.kind}0")
        issues = []
        for number, row in enumerate(kinds_of(spec, list(SCHEME)), 1):
            if (schema := await self._schema(row, definitions)) is not None:
                issues.append(issues_of(spec, row.gvk, type_of_kind(schema, f"{row.kind}{number}"), params))
            await asyncio.sleep(0)      # a kind takes milliseconds; others want to run too
        return warnings_of(spec, issues)

    async def _schema(self, row: ResourceType, definitions: Definitions) -> JsonObject | None:
        """None: not known, as that of a kind which an extension server serves."""
        from control_plane.controllers.policy_status.schemas import of_custom_kind

        if row.custom is None:
            return definitions.of_kind(row.gvk)
        kinds = SCHEME.for_kind(_DEFINITIONS)
        assert kinds is not None
        try:
            definition = await self._objects.get(kinds, NamespacedName("", f"{row.plural}.{row.group}"))
        except errors.NotFound:
            return None
        return of_custom_kind(definition, row.version, definitions)
