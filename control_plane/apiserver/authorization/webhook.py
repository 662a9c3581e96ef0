"""A remote service that decides: it is sent a SubjectAccessReview. Follows apiserver's webhook authorizer.

Its answers are kept for a while. The call blocks; whoever can wait asks through `decide`, which waits in another thread.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.remote import Remote, RemoteError, Threads
from kube.apimachinery.labels import Requirement
from kube.process.log import get_logger

log = get_logger("authorization")

REMEMBERED: Final = 8192
LONGEST_SHOWN: Final = 10_000       # of what a client may choose: no more of it is kept
_OPERATORS: Final = {"=": "In", "==": "In", "in": "In", "!=": "NotIn", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


class _Status(msgspec.Struct):
    allowed: bool = False
    denied: bool = False
    reason: str = ""
    evaluation_error: str = msgspec.field(default="", name="evaluationError")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`denies`: what failure to ask means (failurePolicy Deny); `matches`: whether a review (its spec) is to be sent at all."""

    version: str = "v1beta1"
    allowed_s: float = 300.0
    refused_s: float = 30.0
    denies: bool = False
    matches: Callable[[dict[str, Any]], bool] | None = None


class WebhookAuthorizer:
    asks_others: Final = True

    def __init__(self, remote: Remote, settings: WebhookSettings, threads: Threads) -> None:
        self._remote = remote
        self._settings = settings
        self._threads = threads
        self._api_version = f"authorization.k8s.io/{settings.version}"
        self._answers: OrderedDict[bytes, tuple[float, _Status]] = OrderedDict()

    def authorize(self, attributes: Attributes) -> Decision:
        """Blocks while the service is asked."""
        return self._decided(attributes, _spec(attributes))

    async def decide(self, attributes: Attributes) -> Decision:
        spec = _spec(attributes)
        if self._known(msgspec.json.encode(spec)) is not None:
            return self._decided(attributes, spec)
        return await self._threads.run(lambda: self._decided(attributes, spec))

    def _decided(self, attributes: Attributes, spec: dict[str, Any]) -> Decision:
        try:
            if self._settings.matches is not None and not self._settings.matches(spec):
                return Decision(allowed=False)
            status = self._status(attributes, spec)
        except (RemoteError, ValueError) as error:
            log.error("webhook cannot be asked what somebody may", url=self._remote.url, error=str(error))
            return Decision(allowed=False, denied=self._settings.denies, error=str(error))
        if status.denied:
            both = "webhook subject access review returned both allow and deny response" if status.allowed else ""
            return Decision(allowed=False, denied=True, reason=status.reason, error=both)
        return Decision(allowed=status.allowed, reason=status.reason)

    def _status(self, attributes: Attributes, spec: dict[str, Any]) -> _Status:
        key = msgspec.json.encode(spec)
        if (known := self._known(key)) is not None:
            return known
        question = {"apiVersion": self._api_version, "kind": "SubjectAccessReview", "metadata": {}, "spec": self._versioned(spec)}
        answer = self._remote.post({**question, "status": {"allowed": False}})
        if answer.get("kind") != "SubjectAccessReview" or answer.get("apiVersion") != self._api_version:
            told = f"{answer.get('apiVersion')}, Kind={answer.get('kind')}"
            raise RemoteError(f"expected {self._api_version}, Kind=SubjectAccessReview, got {told}")
        status = msgspec.convert(answer.get("status") or {}, _Status)
        keep_s = self._settings.allowed_s if status.allowed else self._settings.refused_s
        if keep_s > 0 and _worth_keeping(attributes):
            self._answers[key] = (time.monotonic() + keep_s, status)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return status

    def _known(self, key: bytes) -> _Status | None:
        held = self._answers.get(key)
        return held[1] if held is not None and held[0] > time.monotonic() else None

    def _versioned(self, spec: dict[str, Any]) -> dict[str, Any]:
        """v1beta1 calls the groups "group"."""
        if self._settings.version == "v1beta1" and "groups" in spec:
            return {**{key: value for key, value in spec.items() if key != "groups"}, "group": spec["groups"]}
        return spec


def _spec(attributes: Attributes) -> dict[str, Any]:
    user = attributes.user
    spec: dict[str, Any] = {"user": user.name, "uid": user.uid, "groups": list(user.groups)}
    spec = {key: value for key, value in spec.items() if value}
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}
    if not attributes.is_resource:
        spec["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
        return spec
    fields = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
    asked: dict[str, Any] = {field: getattr(attributes, field) for field in fields if getattr(attributes, field)}
    if attributes.field_selector is not None and attributes.field_selector.requirements:
        asked["fieldSelector"] = {"requirements": [
            {"key": one.key, "operator": "In" if one.operator == "=" else "NotIn", "values": [one.value]}
            for one in attributes.field_selector.requirements
        ]}
    labels = attributes.label_selector
    if labels is not None and (terms := [term for one in labels.requirements if (term := _term(one))]):
        asked["labelSelector"] = {"requirements": terms}
    spec["resourceAttributes"] = asked
    return spec


def _term(requirement: Requirement) -> dict[str, Any] | None:
    """None for what the API has no word for ("greater than"): leaving it out only widens what is asked."""
    operator = _OPERATORS.get(requirement.operator)
    if operator is None:
        return None
    values = sorted(requirement.values)
    return {"key": requirement.key, "operator": operator} | ({"values": values} if values else {})


def _worth_keeping(attributes: Attributes) -> bool:
    chosen = (
        attributes.namespace, attributes.verb, attributes.group, attributes.version, attributes.resource, attributes.subresource,
        attributes.name, attributes.path,
    )
    return sum(map(len, chosen)) < LONGEST_SHOWN
