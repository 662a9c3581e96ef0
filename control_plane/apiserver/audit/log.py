"""Audit events as JSON lines (--audit-log-path; "-" is standard output). Follows apiserver's audit and its log backend.

One request has one `Trail`. What is told of it is decided when its user is known; the lines go out as it passes the stages.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from control_plane.apiserver.audit.policy import API_VERSION, Policy, Stage, Telling
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from kube.process.clock import Clock
from kube.process.config import ConfigError

MAX_AGENT: Final = 1024


class AuditLog:
    def __init__(self, policy: Policy, path: str, clock: Clock) -> None:
        """Raises ConfigError."""
        self._policy = policy
        self._clock = clock
        self._file = _opened(path)

    def trail(self, uri: str, address: str, agent: str, audit_id: str) -> Trail:
        return Trail(self, {
            "requestURI": uri, "sourceIPs": [address] if address else [], "auditID": audit_id,
            "userAgent": agent if len(agent) <= MAX_AGENT else agent[:MAX_AGENT] + "...TRUNCATED",
        }, self._clock.now())

    def telling(self, asked: Attributes) -> Telling:
        return self._policy.of(asked)

    def write(self, stage: Stage, received: datetime, told: Telling, event: dict[str, Any]) -> None:
        if told.level == "None" or stage in told.omitted:
            return
        line = {
            "kind": "Event", "apiVersion": API_VERSION, "level": told.level, "stage": stage, **event,
            "requestReceivedTimestamp": _micro(received), "stageTimestamp": _micro(self._clock.now()),
        }
        self._file.write(msgspec.json.encode(line).decode() + "\n")
        self._file.flush()


class Trail:
    """One request. Of one whose user never becomes known (401) nothing is told."""

    def __init__(self, log: AuditLog, event: dict[str, Any], received: datetime) -> None:
        self._log = log
        self._event = event
        self._received = received
        self._told: Telling | None = None

    @property
    def wants_bodies(self) -> bool:
        return self._told is not None and self._told.level in ("Request", "RequestResponse")

    def received(self, asked: Attributes) -> None:
        """When it is known who asks for what."""
        self._told = self._log.telling(asked)
        self._event |= {"verb": asked.verb, "user": _user(asked.user)}
        if asked.is_resource:
            fields = {
                "resource": asked.resource, "namespace": asked.namespace, "name": asked.name, "apiGroup": asked.group,
                "apiVersion": asked.version, "subresource": asked.subresource,
            }
            self._event["objectRef"] = {key: value for key, value in fields.items() if value}
        self._log.write("RequestReceived", self._received, self._told, self._event)

    def acts_as(self, user: UserInfo) -> None:
        self._event["impersonatedUser"] = _user(user)

    def started(self) -> None:
        """Of a request that lasts: its answer begins."""
        if self._told is not None:
            event = {**self._event, "responseStatus": {"metadata": {}, "code": 200}}
            self._log.write("ResponseStarted", self._received, self._told, event)

    def completed(self, code: int, annotations: dict[str, str], request_body: bytes, response_body: bytes) -> None:
        told = self._told
        if told is None:
            return
        status: dict[str, Any] = {"metadata": {}, "code": code}
        if code >= 400 and (failure := _object(response_body, told)) is not None:
            status |= {key: failure[key] for key in ("status", "message", "reason", "details") if failure.get(key)}
        event = {**self._event, "responseStatus": status}
        if annotations:
            event["annotations"] = annotations
        if self.wants_bodies and (body := _object(request_body, told)) is not None:
            event["requestObject"] = body
        if told.level == "RequestResponse" and (body := _object(response_body, told)) is not None:
            event["responseObject"] = body
        self._log.write("ResponseComplete", self._received, told, event)


def _object(body: bytes, told: Telling) -> dict[str, Any] | None:
    """None for what is no JSON object."""
    try:
        obj = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
    if told.omit_managed_fields:
        for one in (obj, *(obj.get("items") or () if isinstance(obj.get("items"), list) else ())):
            if isinstance(one, dict) and isinstance(one.get("metadata"), dict):
                one["metadata"].pop("managedFields", None)
    return obj


def _user(user: UserInfo) -> dict[str, Any]:
    told: dict[str, Any] = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
    told["extra"] = {key: list(values) for key, values in user.extra.items()}
    return {key: value for key, value in told.items() if value}


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _opened(path: str) -> TextIO:
    if path == "-":
        return sys.stdout
    try:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        return file.open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"ensureLogFile: {path}: {error.strerror}") from error
