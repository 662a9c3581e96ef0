"""pods/eviction: a Pod is asked to go, if the budgets of disruptions allow it. Follows registry/core/pod/storage/eviction.go.

    pending, ended or already going    deleted: nothing is disrupted by it
    no budget selects it               deleted
    more than one does                 an error: nobody could say which one pays
    ready                              its budget pays with one of the disruptions it allows, or refuses (429)
    not ready                          its budget's unhealthyPodEvictionPolicy says whether it has to pay
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Final

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.object_meta import check_preconditions, deep_copy
from control_plane.apiserver.registry.options import DeleteOptions, ListOptions, WriteOptions
from control_plane.apiserver.registry.reader import Reader
from control_plane.apiserver.registry.writer import Writer
from control_plane.apiserver.subresources.disruption_budgets import budgets_of, granted, spares_unready, still_processing
from kube.apimachinery.errors import ApiError, BadRequest, Cause, Conflict, invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, GroupVersionKind
from kube.process.clock import Clock, to_rfc3339

_KIND: Final = GroupVersionKind("policy", "v1", "Eviction")
_POD: Final = GroupResource("", "Pod")
_FINISHED: Final = ("Succeeded", "Failed")
_MANAGER: Final = "kube-apiserver"
_TRIES: Final = 20
_PAUSE_S: Final = 0.5


class Evictions:
    def __init__(self, reader: Reader, writer: Writer, deleter: Deleter, admission: AdmissionChain, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._deleter = deleter
        self._admission = admission
        self._clock = clock

    async def create(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        metadata = body.setdefault("metadata", {})
        if metadata.setdefault("namespace", call.namespace) != call.namespace:
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        request = AdmissionRequest(
            user=call.user, operation=Operation.CREATE, resource=call.resource, subresource="eviction", namespace=call.namespace,
            name=call.name, obj=body, dry_run=options.dry_run, warnings=call.warnings, annotations=call.annotations,
            options=options.to_object("CreateOptions"),
        )
        await self._admission.admit(request)
        deletion = _deletion(call, request.obj or body, options)
        await self._admission.validate(request)     # of the eviction; the deletion that follows is not admitted once more, as upstream
        pods = Call(call.user, "delete", call.resource, call.namespace, call.name, user_agent=call.user_agent, warnings=call.warnings)
        pod = await self._delete_unguarded(pods, deletion)
        if pod is None:
            return _success()
        name, guarded = await self._ask_budget(pods, pod, deletion)
        asked = deletion
        if not guarded:     # it was not ready when it was looked at: should it have become so, its budget must be asked
            asked = replace(deletion, resource_version=pod["metadata"]["resourceVersion"])
        try:
            await self._delete(pods, asked)
        except Conflict as error:
            if not guarded and not deletion.resource_version:
                raise still_processing(name) from error
            raise
        return _success()

    async def _delete_unguarded(self, pods: Call, deletion: DeleteOptions) -> JsonObject | None:
        """None when the Pod needed no budget and has been deleted; else the Pod."""
        for attempt in range(_TRIES):
            pod = (await self._reader.get(pods)).obj
            phase = (pod.get("status") or {}).get("phase")
            ending = phase in _FINISHED or bool(pod["metadata"].get("deletionTimestamp"))
            if not ending and phase != "Pending":
                return pod
            asked = deletion
            if not ending and not deletion.resource_version:        # a pending Pod may become ready meanwhile
                asked = replace(deletion, resource_version=pod["metadata"]["resourceVersion"])
            try:
                await self._delete(pods, asked)
            except Conflict:
                if deletion.resource_version or attempt == _TRIES - 1:
                    raise
                await _pause()
            else:
                return None
        raise AssertionError("unreachable")

    async def _ask_budget(self, pods: Call, pod: JsonObject, deletion: DeleteOptions) -> tuple[str, bool]:
        """The budget's name, and False when the Pod goes without its leave. Raises TooManyRequests, Forbidden, ApiError."""
        resource = SCHEME.for_path("policy", "v1", "poddisruptionbudgets")
        assert resource is not None
        call = Call(APISERVER_USER, "update", resource, pods.namespace, user_agent=_MANAGER)
        listed = await self._reader.list(call, ListOptions())
        budgets = budgets_of(pod, [item.obj for item in listed.items])
        if len(budgets) > 1:
            raise ApiError("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
        if not budgets:
            return "", True
        budget = budgets[0]
        call.name, call.subresource = budget["metadata"]["name"], "status"
        if not _is_ready(pod) and spares_unready(budget):
            return call.name, False
        for attempt in range(_TRIES):
            status = granted(budget, pods.name, self._clock.now())
            if deletion.dry_run:
                break
            try:
                await self._writer.update(call, {**deep_copy(budget), "status": status}, WriteOptions(field_manager=_MANAGER))
                break
            except Conflict:        # another eviction, or the disruption controller
                if attempt == _TRIES - 1:
                    raise
            await _pause()
            budget = (await self._reader.get(call)).obj
        return call.name, True

    async def _delete(self, pods: Call, deletion: DeleteOptions) -> None:
        """Marks the Pod, so that controllers can tell an eviction from a failure, and deletes it."""

        def marked(held: JsonObject) -> JsonObject:
            check_preconditions(pods, deletion.uid, deletion.resource_version, held["metadata"], subject=_POD)
            return self._marked(held)

        if not deletion.dry_run:
            pod = await self._writer.amend(pods, marked)
            if deletion.resource_version:       # the mark was a change
                deletion = replace(deletion, resource_version=pod["metadata"]["resourceVersion"])
        await self._deleter.delete(pods, deletion, admission=False)

    def _marked(self, pod: JsonObject) -> JsonObject:
        status = pod.setdefault("status", {})
        conditions = status["conditions"] = list(status.get("conditions") or ())
        mark = {
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            "lastProbeTime": None, "lastTransitionTime": to_rfc3339(self._clock.now()),
        }
        for position, held in enumerate(conditions):
            if held.get("type") == mark["type"]:
                if held.get("status") == mark["status"]:
                    mark["lastTransitionTime"] = held.get("lastTransitionTime")
                conditions[position] = mark
                return pod
        conditions.append(mark)
        return pod


def _deletion(call: Call, eviction: JsonObject, options: WriteOptions) -> DeleteOptions:
    """How the Pod is to be deleted. Raises BadRequest, Invalid, ApiError."""
    if eviction["metadata"].get("name", "") != call.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    asked = dict(eviction.get("deleteOptions") or {})
    if asked.get("ignoreStoreReadErrorWithClusterBreakingPotential"):
        raise invalid(_KIND, call.name, [Cause(
            "FieldValueInvalid", "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential",
            "Invalid value: true: can not be set for pod eviction, try after removing the option")])
    if options.dry_run:
        said = asked.get("dryRun") or ["All"]
        if said != ["All"]:
            raise ApiError(f"Non-matching dry-run options in request and content: [All] and [{' '.join(map(str, said))}]")
        asked["dryRun"] = said
    return DeleteOptions.from_object(asked)


def _success() -> JsonObject:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _is_ready(pod: JsonObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


async def _pause() -> None:
    """Between two tries; of evictions that meet at one budget not all at once."""
    await asyncio.sleep(_PAUSE_S * random.uniform(0.1, 1.1))
