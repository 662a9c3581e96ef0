"""MutatingAdmissionPolicy: policies that change the object, one after the other. Follows apiserver's policy/mutating.

When one has changed it, the whole mutating chain runs a second time (admission/chain.py), and of the policies those that asked for it
(reinvocationPolicy IfNeeded) and were asked before something changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.policies.params import Params, ParamsError
from control_plane.apiserver.admission.policies.policy import Binding, Policy
from control_plane.apiserver.admission.policies.source import Candidates, Policies
from control_plane.apiserver.admission.policies.validating import namespace_object
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.registry.object_meta import deep_copy
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.scheme import ResourceType

if TYPE_CHECKING:
    from control_plane.apiserver.admission.policies.evaluation import Inputs

_OPERATIONS: Final = frozenset({Operation.CREATE, Operation.UPDATE, Operation.CONNECT})
Key = tuple[str, str, str]          # policy, binding, parameter


class _Invocation(NamedTuple):
    policy: Policy
    binding: Binding
    param: JsonObject | None
    resource: ResourceType

    @property
    def key(self) -> Key:
        return self.policy.name, self.binding.name, str(NamespacedName.of(self.param)) if self.param else ""


class _Failure(NamedTuple):
    policy: Policy
    binding: Binding | None
    message: str
    reason: str = ""

    def __str__(self) -> str:
        if self.binding is None:
            return f"policy {json.dumps(self.policy.name)} denied request: {self.message}"
        return f"policy '{self.policy.name}' with binding '{self.binding.name}' denied request: {self.message}"


@dataclass(slots=True)
class Memory:
    """Of one request, between its two rounds."""

    output: JsonObject | None = None                        # the object as the policies left it
    invoked: set[Key] = field(default_factory=set)          # those that may run again, asked since the last change
    again: set[Key] = field(default_factory=set)            # those that run again

    def changed(self) -> None:
        self.again |= self.invoked
        self.invoked = set()


class MutatingAdmissionPolicy:
    name: ClassVar[str] = "MutatingAdmissionPolicy"

    def __init__(self, context: AdmissionContext) -> None:
        self._context = context
        self._policies = Policies(context.cache, context.scheme, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
        self._selection = Selection(context)
        self._params = Params(context)

    def handles(self, operation: Operation) -> bool:
        return operation in _OPERATIONS

    async def admit(self, request: AdmissionRequest) -> None:
        if not self._policies.all or not (candidates := self._policies.candidates(request)).policies:
            return
        failures: list[_Failure] = []
        invocations: list[_Invocation] = []
        for policy in candidates.policies:
            await self._find(policy, request, candidates, invocations, failures)
        if invocations:
            await self._invoke(invocations, request, failures)
        if counted := [failure for failure in failures if not failure.policy.ignores_failures]:
            raise _refused(request, counted)

    async def _find(
        self, policy: Policy, request: AdmissionRequest, candidates: Candidates, found: list[_Invocation], failures: list[_Failure]
    ) -> None:
        try:
            resource = await policy.match.resource_for(request, candidates.others, self._selection)
            if resource is None:
                return
            self._params.row_of(policy)
        except (ApiError, ParamsError) as error:
            failures.append(_Failure(policy, None, f"failed to configure policy: {error}"))
            return
        for binding in policy.bindings:
            try:
                if await binding.match.resource_for(request, candidates.others, self._selection) is not None:
                    params = await self._params.of(policy, binding, request)
                    found.extend(_Invocation(policy, binding, param, resource) for param in params)
            except (ApiError, ParamsError) as error:
                failures.append(_Failure(policy, binding, f"failed to configure binding: {error}"))

    async def _invoke(self, invocations: list[_Invocation], request: AdmissionRequest, failures: list[_Failure]) -> None:
        from control_plane.apiserver.admission.policies.evaluation import FailedError, Inputs  # lazily: CEL is large, policies are rare

        memory: Memory = request.memory.setdefault(self.name, Memory())
        if request.second_round and memory.output != request.obj:
            memory.changed()        # plugins of the second round did
        namespace, views, asking = await namespace_object(request, self._selection), Views(request), self._context.authorizer.asking
        for invocation in invocations:
            inputs = Inputs(request, invocation.resource, views, namespace, self._context.authorizer)
            try:
                if not await asking(partial(invocation.policy.expressions.meant, inputs, invocation.param)):
                    continue
            except FailedError as error:
                failures.append(_Failure(invocation.policy, invocation.binding, str(error), "Invalid"))
                continue
            if request.second_round and invocation.key not in memory.again:
                continue
            if request.obj is not None and await asking(partial(_mutate, invocation, inputs, request, views, failures)):
                memory.changed()
                request.wants_second_round = True
            if invocation.policy.spec.get("reinvocationPolicy") == "IfNeeded":
                memory.invoked.add(invocation.key)
        memory.output = deep_copy(request.obj) if request.obj is not None else None


def _mutate(
    invocation: _Invocation, inputs: Inputs, request: AdmissionRequest, views: Views, failures: list[_Failure]
) -> bool:
    """All mutations of the policy, each on what the one before it made; whether the object is another now."""
    from control_plane.apiserver.admission.policies.evaluation import FailedError
    from control_plane.apiserver.admission.policies.patches import mutated

    policy, resource = invocation.policy, invocation.resource
    before = deep_copy(request.obj) if request.obj is not None else None
    for mutation in policy.expressions.mutations:
        try:
            views.replace(mutated(policy, mutation, inputs, invocation.param, resource, request.subresource), resource)
        except FailedError as error:
            failures.append(_Failure(policy, invocation.binding, str(error), "Invalid"))
    return before != request.obj


def _refused(request: AdmissionRequest, failures: list[_Failure]) -> ApiError:
    """A Forbidden with the first failure's words and reason, and all of them as causes."""
    error = request.forbidden("admission request denied by policy")
    error.message = str(failures[0])
    error.args = (error.message,)
    error.reason = failures[0].reason or error.reason
    error.details["causes"] = [{"message": str(failure)} for failure in failures]
    return error
