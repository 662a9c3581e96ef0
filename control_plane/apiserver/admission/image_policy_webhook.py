"""A remote service says whether a Pod's images may run: it is sent an ImageReview. Its answers are kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, ClassVar, Final

import msgspec

from control_plane.apiserver.admission.lookup import PODS, annotations_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.remote import RemoteError, Threads, from_kubeconfig
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.process.config import ConfigError

_API_VERSION: Final = "imagepolicy.k8s.io/v1alpha1"
_AUDIT: Final = "imagepolicywebhook.image-policy.k8s.io/"
_FAILED_OPEN: Final = "alpha.image-policy.k8s.io/failed-open"
_KEPT: Final = 1024


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """TTLs in seconds, the backoff in milliseconds; 0 means the default, -1 none."""

    kubeconfig: str = msgspec.field(default="", name="kubeConfigFile")
    allow_ttl: int = msgspec.field(default=0, name="allowTTL")
    deny_ttl: int = msgspec.field(default=0, name="denyTTL")
    retry_backoff: int = msgspec.field(default=0, name="retryBackoff")
    default_allow: bool = msgspec.field(default=False, name="defaultAllow")


class _Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    image_policy: _Settings = _Settings()


class _Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    allowed: bool = False
    reason: str = ""
    audit_annotations: dict[str, str] = {}


class ImagePolicyWebhook:
    """Follows kube-apiserver's ImagePolicyWebhook; how often is tried again is as with our other webhooks, whatever `retryBackoff`."""

    name: ClassVar[str] = "ImagePolicyWebhook"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        """Raises ConfigError."""
        given = context.configuration.get(self.name)
        if given is None:
            raise ConfigError("ImagePolicyWebhook: no config specified")
        try:
            settings = msgspec.convert(given, _Configuration).image_policy
        except msgspec.ValidationError as error:
            raise ConfigError(f"ImagePolicyWebhook: {error}") from error
        self._allowed_s = _seconds("allow cache", settings.allow_ttl, 300)
        self._denied_s = _seconds("deny cache", settings.deny_ttl, 30)
        self._fails_open = settings.default_allow
        self._remote = from_kubeconfig(settings.kubeconfig)
        self._threads = Threads()
        self._answers: OrderedDict[bytes, tuple[float, _Status]] = OrderedDict()

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource not in ("", "ephemeralcontainers"):
            return
        spec = _review_of(request, request.obj)
        try:
            status = await self._status(spec)
        except (RemoteError, msgspec.ValidationError) as error:
            if not self._fails_open:
                raise request.forbidden(str(error)) from error
            request.annotations[_AUDIT + "failed-open"] = "true"
            request.obj["metadata"]["annotations"] = {**annotations_of(request.obj), _FAILED_OPEN: "true"}
            return
        request.annotations.update({_AUDIT + key: value for key, value in status.audit_annotations.items()})
        if not status.allowed:
            why = f"image policy webhook backend denied one or more images: {status.reason}"
            raise request.forbidden(why if status.reason else "one or more images rejected by webhook backend")

    async def _status(self, spec: JsonObject) -> _Status:
        key = msgspec.json.encode(spec)
        held = self._answers.get(key)
        if held is not None and held[0] > time.monotonic():
            return held[1]
        question = {"apiVersion": _API_VERSION, "kind": "ImageReview", "metadata": {}, "spec": spec, "status": {"allowed": False}}
        answer: dict[str, Any] = await self._threads.run(lambda: self._remote.post(question))
        status = msgspec.convert(answer.get("status") or {}, _Status)
        if keep_s := self._allowed_s if status.allowed else self._denied_s:
            self._answers[key] = (time.monotonic() + keep_s, status)
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return status


def _review_of(request: AdmissionRequest, pod: JsonObject) -> JsonObject:
    keys = ("ephemeralContainers",) if request.subresource else ("containers", "initContainers")
    spec = pod.get("spec") or {}
    review: JsonObject = {"namespace": request.namespace}
    if images := [{"image": container.get("image") or ""} for key in keys for container in spec.get(key) or ()]:
        review["containers"] = images
    if told := {key: value for key, value in annotations_of(pod).items() if ".image-policy.k8s.io/" in key}:
        review["annotations"] = told
    return review


def _seconds(what: str, given: int, default: int) -> int:
    if given in (0, -1):
        return default if given == 0 else 0
    if not 1 <= given <= 1800:
        raise ConfigError(f"ImagePolicyWebhook: {what}: valid value is between 1s and 30m0s, got {given}s")
    return given
