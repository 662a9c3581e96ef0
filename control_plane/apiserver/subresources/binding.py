"""pods/binding (and the older bindings resource): a Pod is given its node, once. Follows registry/core/pod's BindingREST."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.keys import object_key
from kube.apimachinery.errors import BadRequest, Cause, conflict, invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, GroupVersionKind
from kube.process.clock import Clock, to_rfc3339

_KIND: Final = GroupVersionKind("", "v1", "Binding")
_SUBJECT: Final = GroupResource("", "pods/binding")


class Bindings:
    def __init__(self, writer: Writer, admission: AdmissionChain, clock: Clock) -> None:
        self._writer = writer
        self._admission = admission
        self._clock = clock

    async def create(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        pods = SCHEME.for_path("", "v1", "pods")
        assert pods is not None
        sent = (body.get("metadata") or {}).get("name", "")
        if not (name := call.name or sent):
            raise BadRequest("Name parameter required.")
        if call.name and sent and sent != name:
            raise BadRequest("name in URL does not match name in Binding object")
        call = Call(call.user, "create", pods, call.namespace, name, "binding", call.user_agent, call.warnings, call.annotations)
        body.setdefault("metadata", {}).update(name=name, namespace=call.namespace)
        _check(name, body)
        request = AdmissionRequest(
            user=call.user, operation=Operation.CREATE, resource=pods, subresource="binding", namespace=call.namespace, name=name,
            obj=body, dry_run=options.dry_run, warnings=call.warnings, annotations=call.annotations,
            options=options.to_object("CreateOptions"),
        )
        await self._admission.admit(request)
        await self._admission.validate(request)
        await self._writer.amend(call, lambda pod: self._bound(call, pod, body), dry_run=options.dry_run)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}

    def _bound(self, call: Call, pod: JsonObject, binding: JsonObject) -> JsonObject:
        metadata, spec, node = pod["metadata"], pod["spec"], binding["target"]["name"]
        uid = binding["metadata"].get("uid")
        if uid and uid != metadata.get("uid"):
            raise conflict(
                call.resource.group_resource, call.name,
                f"StorageError: invalid object, Code: 4, Key: {object_key(call.resource, call.key)}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata.get('uid')}",
            )
        if metadata.get("deletionTimestamp"):
            raise conflict(_SUBJECT, call.name, f"pod {call.name} is being deleted, cannot be assigned to a host")
        if spec.get("nodeName"):
            raise conflict(_SUBJECT, call.name, f'pod {call.name} is already assigned to node "{spec["nodeName"]}"')
        if spec.get("schedulingGates"):
            raise conflict(_SUBJECT, call.name, f"pod {call.name} has non-empty .spec.schedulingGates")
        spec["nodeName"] = node
        if annotations := binding["metadata"].get("annotations"):
            metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
        if labels := binding["metadata"].get("labels"):
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": to_rfc3339(self._clock.now())}
        status = pod.setdefault("status", {})
        others = [one for one in status.get("conditions") or [] if one.get("type") != "PodScheduled"]
        status["conditions"] = [*others, scheduled]
        return pod


def _check(name: str, binding: JsonObject) -> None:
    target = binding.get("target") or {}
    causes = []
    if target.get("kind") not in (None, "", "Node"):
        causes.append(Cause(
            "FieldValueNotSupported", "target.kind", f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
        ))
    if not target.get("name"):
        causes.append(Cause("FieldValueRequired", "target.name", "Required value"))
    if causes:
        raise invalid(_KIND, name, causes)
