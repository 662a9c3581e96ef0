"""What the server itself sets in an object's metadata. Follows apiserver's registry/rest (BeforeCreate, BeforeUpdate)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.strategies.metadata import generated_name
from control_plane.storage.keys import object_key
from kube.apimachinery.codec.depth import MAX_DEPTH, TOO_DEEP
from kube.apimachinery.errors import BadRequest, Cause, Conflict, conflict, invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.process.clock import to_rfc3339

CERTIFICATE_REQUESTS: Final = GroupResource("certificates.k8s.io", "certificatesigningrequests")


def deep_copy(obj: JsonObject) -> JsonObject:
    """A copy of a JSON object; ten times as fast as copy.deepcopy. Raises BadRequest for one nested beyond reason."""
    return {key: _copied(value, MAX_DEPTH) for key, value in obj.items()}


def _copied(value: Any, levels: int) -> Any:
    if type(value) is dict:
        if not levels:
            raise BadRequest(TOO_DEEP)      # a patch can nest what was not nested before
        return {key: _copied(item, levels - 1) for key, item in value.items()}
    if type(value) is list:
        if not levels:
            raise BadRequest(TOO_DEEP)
        return [_copied(item, levels - 1) for item in value]
    return value


def metadata_of(obj: JsonObject) -> dict[str, Any]:
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        metadata = obj["metadata"] = {}
    return metadata


def match_request(call: Call, obj: JsonObject, *, name: bool, fill_name: bool = False) -> None:
    """The object must be the one the URL speaks of. An absent namespace is filled in from it, of a configuration to apply the name too."""
    metadata = metadata_of(obj)
    if name:
        if not metadata.get("name"):
            if not fill_name:
                raise BadRequest(f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided")
            metadata["name"] = call.name
        elif metadata["name"] != call.name:
            raise BadRequest(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({call.name})"
            )
    if not call.resource.namespaced:
        if metadata.get("namespace"):
            metadata.pop("namespace")
    elif not metadata.get("namespace"):
        metadata["namespace"] = call.namespace
    elif metadata["namespace"] != call.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def fill_created(obj: JsonObject, now: datetime) -> None:
    metadata = metadata_of(obj)
    for key in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"):
        metadata.pop(key, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = to_rfc3339(now)
    if metadata.get("generateName") and not metadata.get("name"):
        metadata["name"] = generated_name(metadata["generateName"])


def stamp_requester(call: Call, obj: JsonObject) -> None:
    """Who asks for a certificate is not for the request to say: signers and approvers decide by it."""
    if call.group_resource != CERTIFICATE_REQUESTS:
        return
    spec = obj.get("spec") or {}
    kept = {key: value for key, value in spec.items() if key not in ("username", "uid", "groups", "extra")}
    extra = {key: list(values) for key, values in call.user.extra.items()}
    asked: JsonObject = {"username": call.user.name, "uid": call.user.uid, "groups": list(call.user.groups), "extra": extra}
    obj["spec"] = kept | {key: value for key, value in asked.items() if value}


def stamp_conditions(call: Call, obj: JsonObject, old: JsonObject, now: datetime) -> None:
    """When a certificate request was approved, denied or failed, where its approver or signer does not say."""
    if call.group_resource != CERTIFICATE_REQUESTS or not call.subresource:
        return
    moment = to_rfc3339(now)
    since = {
        (held.get("type"), held.get("status")): held["lastTransitionTime"]
        for held in reversed((old.get("status") or {}).get("conditions") or []) if held.get("lastTransitionTime")
    }
    for condition in (obj.get("status") or {}).get("conditions") or []:
        condition["lastUpdateTime"] = condition.get("lastUpdateTime") or moment
        unchanged_since = since.get((condition.get("type"), condition.get("status")), moment)
        condition["lastTransitionTime"] = condition.get("lastTransitionTime") or unchanged_since


def refuse_resource_version(call: Call, obj: JsonObject) -> None:
    if metadata_of(obj).get("resourceVersion") not in (None, "", "0"):
        raise BadRequest("resourceVersion should not be set on objects to be created")


def check_versions(call: Call, obj: JsonObject, old: JsonObject) -> None:
    """Optimistic locking: an object that names a resourceVersion or uid must name the current one."""
    metadata, before = metadata_of(obj), old["metadata"]
    if (uid := metadata.get("uid")) and uid != before.get("uid"):
        raise conflict(
            call.group_resource, call.name,
            f"StorageError: invalid object, Code: 4, Key: {object_key(call.resource, call.key)}, "
            f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {before.get('uid', '')}",
        )
    if (version := metadata.get("resourceVersion")) and version != before.get("resourceVersion"):
        raise _modified(call)


def require_resource_version(call: Call, obj: JsonObject) -> None:
    """For kinds whose strategy does not allow unconditional updates."""
    if not metadata_of(obj).get("resourceVersion"):
        cause = Cause("FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
        raise invalid(call.gvk._replace(kind=call.resource.plural), call.name, [cause])     # upstream names the resource here


def check_preconditions(
    call: Call, uid: str, version: str, metadata: dict[str, Any], *, subject: GroupResource | None = None
) -> None:
    """Of a delete request. Raises Conflict, about `subject` if that is not the call's resource."""
    named = subject or call.group_resource
    held_uid, held_version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
    if uid and uid != held_uid:
        raise conflict(
            named, call.name,
            f"the UID in the precondition ({uid}) does not match the UID in record ({held_uid}). "
            "The object might have been deleted and then recreated",
        )
    if version and version != held_version:
        raise conflict(
            named, call.name,
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({held_version}). "
            "The object might have been modified",
        )


def _modified(call: Call) -> Conflict:
    return conflict(
        call.group_resource, call.name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
