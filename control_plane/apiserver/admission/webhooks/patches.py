"""A webhook's JSON patch applied to an object: the outcome is read as a body is, and defaulted again."""

from __future__ import annotations

import json
from typing import Any

from control_plane.apiserver.admission.webhooks.failures import internal
from control_plane.apiserver.admission.webhooks.versions import kind_of
from control_plane.apiserver.registry.decoding import check_object
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import ApiError, BadRequest, Invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.scheme import ResourceType


def patched(webhook: str, obj: JsonObject, operations: list[Any], resource: ResourceType, subresource: str) -> JsonObject:
    """A new object. Raises InternalError, as upstream; it names the webhook."""
    gvk = kind_of(resource, subresource)
    try:
        found = apply_json_patch(obj, operations)
        if (held := (found.get("apiVersion"), found.get("kind"))) != (gvk.api_version, gvk.kind):
            raise BadRequest(f"the patch makes the object a {held[1]} of {held[0]}")
        found = check_object(found, gvk, "Ignore", [])
    except Invalid as error:
        raise _broken(webhook, str(error.__cause__ or error)) from error
    except ApiError as error:
        raise _broken(webhook, error.message) from error
    if gvk == resource.gvk:
        strategy_for(resource).default(found)
    return found


def _broken(webhook: str, why: str) -> ApiError:
    return internal(f"admission webhook {json.dumps(webhook)} sent a patch that cannot be applied: {why}")
