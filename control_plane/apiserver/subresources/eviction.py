"""pods/eviction: a Pod is asked to go. Disruption budgets join here when they exist."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.object_meta import check_preconditions
from control_plane.apiserver.registry.options import DeleteOptions, WriteOptions
from control_plane.apiserver.registry.reader import Reader
from control_plane.apiserver.registry.writer import Writer
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.process.clock import Clock, to_rfc3339

_FINISHED: Final = ("Succeeded", "Failed")


class Evictions:
    def __init__(self, reader: Reader, writer: Writer, deleter: Deleter, admission: AdmissionChain, clock: Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._deleter = deleter
        self._admission = admission
        self._clock = clock

    async def create(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        name = (body.get("metadata") or {}).get("name")
        if name and name != call.name:
            raise BadRequest("name in URL does not match name in Eviction object")
        await self._admit(call, body, options)
        asked = dict(body.get("deleteOptions") or {})
        if options.dry_run:
            asked["dryRun"] = ["All"]
        deletion = DeleteOptions.from_object(asked)
        pods = Call(call.user, "delete", call.resource, call.namespace, call.name, user_agent=call.user_agent, warnings=call.warnings)
        pod = (await self._reader.get(pods)).obj
        finished = (pod.get("status") or {}).get("phase") in _FINISHED
        going = finished or pod["metadata"].get("deletionTimestamp")

        def marked(held: JsonObject) -> JsonObject:
            check_preconditions(pods, deletion.uid, "", held["metadata"])      # or another Pod of this name would be marked
            return self._marked(held)

        # The mark is a change: after it a resourceVersion that was asked for could not hold any more (as upstream, unmarked then).
        if not going and not deletion.dry_run and not deletion.resource_version:
            await self._writer.amend(pods, marked)
        await self._deleter.delete(pods, deletion, admission=False)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    async def _admit(self, call: Call, body: JsonObject, options: WriteOptions) -> None:
        """Of the eviction; the deletion that follows from it is not admitted once more, as upstream."""
        request = AdmissionRequest(
            user=call.user, operation=Operation.CREATE, resource=call.resource, subresource="eviction", namespace=call.namespace,
            name=call.name, obj=body, dry_run=options.dry_run, warnings=call.warnings, annotations=call.annotations,
            options=options.to_object("CreateOptions"),
        )
        await self._admission.admit(request)
        await self._admission.validate(request)

    def _marked(self, pod: JsonObject) -> JsonObject:
        """Says in the Pod why it ends, so that controllers can tell an eviction from a failure."""
        status = pod.setdefault("status", {})
        others = [one for one in status.get("conditions") or [] if one.get("type") != "DisruptionTarget"]
        status["conditions"] = [*others, {
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            "lastProbeTime": None, "lastTransitionTime": to_rfc3339(self._clock.now()),
        }]
        return pod
