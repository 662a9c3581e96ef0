"""PATCH bodies: the three that are applied to the current object, and the configuration of a server-side apply."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.registry.decoding import check_object, expect_kind
from control_plane.apiserver.registry.object_meta import deep_copy
from kube.apimachinery.codec.json import MalformedJsonError, parse_json
from kube.apimachinery.codec.yaml import decode_yaml, doubled_keys
from kube.apimachinery.decode import json_kind
from kube.apimachinery.errors import BadRequest, UnsupportedMediaType
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.patch.merge_patch import apply_merge_patch
from kube.apimachinery.patch.strategic import apply_strategic_patch
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
PATCH_TYPES: Final = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


def check_patch_type(content_type: str, *, custom: bool = False) -> None:
    """Raises UnsupportedMediaType: upstream's router for built-in kinds in its own words. Custom kinds take no strategic merge patch."""
    taken = [one for one in PATCH_TYPES if one != STRATEGIC_PATCH or not custom]
    if _media_type(content_type) in taken:
        return
    if not custom:
        raise UnsupportedMediaType("415: Unsupported Media Type", details={})
    raise UnsupportedMediaType(f"the body of the request was in an unknown format - accepted media types include: {', '.join(taken)}")


def is_apply(content_type: str) -> bool:
    return _media_type(content_type) == APPLY_PATCH


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class ApplyPatch:
    """What a client wants of an object: `config`, which is not changed."""

    def __init__(self, data: bytes, field_validation: str, warnings: list[str]) -> None:
        """Raises BadRequest."""
        try:
            config = decode_yaml(data)      # JSON is YAML
        except BadRequest as error:
            raise BadRequest(f"error decoding patch: error converting YAML to JSON: {error}") from error
        if not isinstance(config, dict | None):
            raise BadRequest(
                "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                f"{json_kind(config)} into Go value of type map[string]interface {{}}"
            )
        self.config: JsonObject = config or {}
        if field_validation in ("Strict", "Warn") and (problem := doubled_keys(data)):
            problem = f"error converting YAML to JSON: yaml: unmarshal errors:\n{problem}"
            if field_validation == "Strict":
                raise BadRequest(f"error strict decoding patch: {problem}")
            warnings.append(problem)


class Patch:
    """One PATCH body, read once and applied to each state that the compare-and-swap loop meets."""

    def __init__(self, content_type: str, data: bytes, gvk: GroupVersionKind) -> None:
        self._type = _media_type(content_type)
        check_patch_type(content_type)
        self._gvk = gvk
        try:
            self._patch: Any = parse_json(data)
        except MalformedJsonError as error:
            raise BadRequest("invalid JSON patch") from error
        if self._type == JSON_PATCH and not isinstance(self._patch, list):
            found = json_kind(self._patch)
            raise BadRequest(f"error decoding patch: json: cannot unmarshal {found} into Go value of type []handlers.jsonPatchOp")
        if self._type != JSON_PATCH and not isinstance(self._patch, dict):
            where, found = "" if self._type == STRATEGIC_PATCH else "error decoding patch: ", json_kind(self._patch)
            raise BadRequest(f"{where}json: cannot unmarshal {found} into Go value of type map[string]interface {{}}")

    def applied_to(self, obj: JsonObject) -> JsonObject:
        """A new object; `obj` stays as it is."""
        if self._type == JSON_PATCH:
            patched = apply_json_patch(obj, self._patch)
        elif self._type == MERGE_PATCH:
            patched = apply_merge_patch(obj, self._patch)
        else:
            patched = apply_strategic_patch(obj, self._patch, schemas().for_kind(self._gvk))
        return deep_copy(patched)     # patches may share parts with the cached object

    def result(self, obj: JsonObject, field_validation: str, warnings: list[str]) -> JsonObject:
        """`applied_to`, checked to be an object of the kind. Raises Invalid."""
        patched = self.applied_to(obj)
        try:
            expect_kind(patched, self._gvk)
            return check_object(patched, self._gvk, field_validation, warnings)
        except BadRequest as error:
            from control_plane.apiserver.registry.patch_refusals import undecodable  # seldom

            raise undecodable(error, self._patch, self.applied_to(obj), strategic=self._type == STRATEGIC_PATCH) from error
