"""scale: the replicas of any scalable kind as one small object."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.decoding import check_object
from control_plane.apiserver.registry.field_tracking import manager_of, replicas_path_of
from control_plane.apiserver.registry.object_meta import deep_copy, match_request
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.patching import ApplyPatch, Patch
from control_plane.apiserver.registry.reader import Reader
from control_plane.apiserver.registry.writer import Facet, Writer
from kube.apimachinery.errors import Cause, invalid
from kube.apimachinery.labels import selector_from_label_selector, selector_from_set
from kube.apimachinery.managed_fields.scale import parent_entries, scale_entries
from kube.apimachinery.managed_fields.tracking import FieldTracker
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind

KIND: Final = GroupVersionKind("autoscaling", "v1", "Scale")
_TRACKER: Final = FieldTracker(KIND, "scale")


class Scales:
    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def get(self, call: Call) -> JsonObject:
        return _scale(call, (await self._reader.get(call)).view(call.resource.api_version))

    async def update(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        match_request(call, body, name=True)
        return _scale(call, await self._writer.change(
            _main(call), lambda scale: self._tracked(call, scale, deep_copy(body), options), options, _facet(call),
        ))

    async def patch(self, call: Call, patch: Patch | ApplyPatch, options: WriteOptions) -> JsonObject:
        def change(scale: JsonObject) -> JsonObject:
            if isinstance(patch, ApplyPatch):
                applied = _TRACKER.apply(scale, patch.config, options.field_manager, self._writer.now(), force=bool(options.force))
                return check_object(deep_copy(applied), KIND, "Ignore", [])
            return self._tracked(call, scale, patch.result(scale, options.field_validation, call.warnings), options)

        return _scale(call, await self._writer.change(_main(call), change, options, _facet(call)))

    def _tracked(self, call: Call, old: JsonObject, scale: JsonObject, options: WriteOptions) -> JsonObject:
        """Managed fields are those of the scale here; merging writes them into the parent's."""
        _TRACKER.update(old, scale, manager_of(call, options), self._writer.now())
        return scale


def _facet(call: Call) -> Facet:
    path_in = replicas_path_of(call.resource)

    def view(obj: JsonObject) -> JsonObject:
        scale = _scale(call, obj, strict=False)
        if entries := scale_entries(obj["metadata"].get("managedFields") or (), path_in):
            scale["metadata"]["managedFields"] = entries
        return scale

    return Facet("scale", view, lambda scale, obj: _scaled(call, obj, scale))


def _main(call: Call) -> Call:
    """The parent: a new scale is a change of its desired state."""
    return Call(call.user, call.verb, call.resource, call.namespace, call.name, "", call.user_agent, call.warnings, call.annotations)


def _scale(call: Call, obj: JsonObject, *, strict: bool = True) -> JsonObject:
    """Of any kind. `strict`: a custom object that says nothing of replicas is an error."""
    version = call.resource.custom
    if version is None:
        return scale_of(obj)
    from control_plane.apiserver.custom.scale import replicas_of, required_replicas, status_of  # few kinds that have one are custom

    scale = scale_of({"metadata": obj["metadata"]})
    replicas = required_replicas(obj, version) if strict else replicas_of(obj, version)
    scale["spec"] = {} if replicas is None or (strict and not replicas) else {"replicas": replicas}
    scale["status"] = status_of(obj, version)
    return scale


def scale_of(obj: JsonObject) -> JsonObject:
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    scale: dict[str, Any] = {
        "kind": KIND.kind, "apiVersion": KIND.api_version,
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": status.get("replicas", 0)},
    }
    if selector := spec.get("selector"):
        labelled = "matchLabels" in selector or "matchExpressions" in selector
        scale["status"]["selector"] = str(selector_from_label_selector(selector) if labelled else selector_from_set(selector))
    return scale


def _scaled(call: Call, obj: JsonObject, scale: JsonObject) -> JsonObject:
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(KIND, call.name, [Cause("FieldValueInvalid", "spec.replicas", why)])
    metadata = scale.get("metadata") or {}
    for key in ("resourceVersion", "uid"):
        if metadata.get(key):
            obj["metadata"][key] = metadata[key]
    if call.resource.custom is None:
        obj["spec"]["replicas"] = replicas
    else:
        from control_plane.apiserver.custom.scale import set_replicas  # likewise

        said = (scale.get("spec") or {}).get("replicas", None if call.verb == "patch" else 0)
        set_replicas(obj, call.resource.custom, said)
    held = obj["metadata"].pop("managedFields", None) or ()
    entries = parent_entries(held, metadata.get("managedFields") or (), call.resource.api_version, replicas_path_of(call.resource))
    if entries:
        obj["metadata"]["managedFields"] = entries
    return obj
