"""Pod statuses on their way to the apiserver: one request at a time per Pod, always the newest, nothing sent twice.

What matters at once (Ready, an end) leaves at once; the steps on the way there wait a moment and are usually overtaken.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kube.api.core_v1 import Pod, PodCondition, PodStatus
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.transport import PatchKind
from kube.process.log import get_logger
from node_agent.kubelet.pod_status import OWN_CONDITIONS

DELAY_S = 0.3
RETRY_S, MAX_RETRY_S = 0.2, 5.0
log = get_logger("status")


@dataclass(slots=True)
class _Entry:
    key: NamespacedName
    wanted: PodStatus
    sent: PodStatus | None
    revision: int = 0                 # of the object after our last write: what is older says nothing new
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class StatusManager:
    def __init__(self, client: Client, delay_s: float = DELAY_S) -> None:
        self._client = client
        self._delay_s = delay_s
        self._entries: dict[str, _Entry] = {}
        self._shown_as: dict[str, str] = {}      # of static Pods: the uid of the mirror, "" while there is none

    def set(self, pod: Pod, status: PodStatus) -> None:
        """Never blocks. What the apiserver already shows is not sent."""
        uid = pod.metadata.uid
        entry = self._entries.get(uid)
        if entry is None:
            key = NamespacedName(pod.metadata.namespace, pod.metadata.name)
            entry = self._entries[uid] = _Entry(key, status, pod.status)
        entry.wanted = status
        if _same(entry.sent, status) or self._shown_as.get(uid) == "":
            return
        if _is_urgent(entry.sent, status):
            entry.urgent.set()
        self._start_sending(uid, entry)

    def hold(self, pod: Pod) -> None:
        """A static Pod: what is said of it is kept until its mirror is there."""
        self._shown_as.setdefault(pod.metadata.uid, "")

    def show_as(self, pod: Pod, mirror: Pod) -> None:
        """Where a static Pod's status goes, and what stands there."""
        uid, before = pod.metadata.uid, self._shown_as.get(pod.metadata.uid)
        self._shown_as[uid] = mirror.metadata.uid
        entry = self._entries.get(uid)
        if entry is None:
            return
        if before == mirror.metadata.uid:
            self._observe(entry, uid, mirror)
            return
        entry.sent, entry.revision = mirror.status, int(mirror.metadata.resource_version)
        entry.urgent.set()
        self._start_sending(uid, entry)

    def observe(self, pod: Pod) -> None:
        """What the apiserver shows now. Another's word on our conditions (a node that was silent for a while) is put right."""
        if (entry := self._entries.get(pod.metadata.uid)) is not None:
            self._observe(entry, pod.metadata.uid, pod)

    def _observe(self, entry: _Entry, uid: str, pod: Pod) -> None:
        if entry.task is not None and not entry.task.done():
            return
        if int(pod.metadata.resource_version) > entry.revision and not _says(pod.status, entry.wanted):
            log.info("status was changed by another, sending it again", pod=str(entry.key))
            entry.sent = pod.status
            entry.urgent.set()
            self._start_sending(uid, entry)

    def _start_sending(self, uid: str, entry: _Entry) -> None:
        if entry.task is None or entry.task.done():
            entry.task = asyncio.create_task(self._send(uid, entry), name=f"status of {entry.key}")

    def get(self, pod_uid: str) -> PodStatus | None:
        """The newest status, sent or not."""
        entry = self._entries.get(pod_uid)
        return entry.wanted if entry else None

    async def flush(self, pod_uid: str) -> None:
        """Returns when the apiserver has the newest status, or the Pod is gone."""
        entry = self._entries.get(pod_uid)
        while entry is not None and entry.task is not None and not entry.task.done():
            entry.urgent.set()
            await asyncio.wait([entry.task])

    def forget(self, pod_uid: str) -> None:
        self._shown_as.pop(pod_uid, None)
        entry = self._entries.pop(pod_uid, None)
        if entry is not None and entry.task is not None:
            entry.task.cancel()

    async def close(self) -> None:
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, uid: str, entry: _Entry) -> None:
        retry_s = RETRY_S
        while not _same(entry.sent, entry.wanted):
            try:
                async with asyncio.timeout(self._delay_s):
                    await entry.urgent.wait()
            except TimeoutError:
                pass
            entry.urgent.clear()
            status = entry.wanted
            patch = status_patch(self._shown_as.get(uid) or uid, entry.sent, status)
            try:
                written = await self._client.patch(Pod, entry.key, patch, kind=PatchKind.STRATEGIC, subresource="status")
            except (errors.NotFound, errors.Conflict, errors.Invalid, errors.Forbidden) as error:
                # Gone, or another Pod under this name, or refused for good: the worker hears of it by its watch.
                log.info("status not taken", pod=str(entry.key), error=str(error))
                entry.sent = status
            except errors.ApiError as error:
                log.warning("status not sent, trying again", pod=str(entry.key), error=str(error))
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)
                entry.urgent.set()
            else:
                entry.sent = status
                entry.revision = int(written.metadata.resource_version)
                retry_s = RETRY_S


def status_patch(uid: str, sent: PodStatus | None, status: PodStatus) -> dict[str, Any]:
    """A strategic merge patch. The uid guards against a new Pod of the same name."""
    body: dict[str, Any] = msgspec.to_builtins(status)
    for name, held in (("podIPs", sent.pod_ips if sent else ()), ("hostIPs", sent.host_ips if sent else ())):
        wanted = status.pod_ips if name == "podIPs" else status.host_ips
        if held and held != wanted:
            body[name] = [{"$patch": "replace"}, *body.get(name, ())]
    for condition in body.get("conditions", ()):
        # Conditions merge by type: what is no longer said has to be taken back.
        condition.setdefault("reason", None)
        condition.setdefault("message", None)
    said = {condition.type for condition in status.conditions}
    over = [condition.type for condition in sent.conditions if condition.type in OWN_CONDITIONS] if sent is not None else []
    deletions = [{"$patch": "delete", "type": kind} for kind in over if kind not in said]
    if deletions:
        body["conditions"] = [*body.get("conditions", ()), *deletions]
    for name in ("reason", "message"):
        if sent is not None and getattr(sent, name) and name not in body:
            body[name] = None
    return {"metadata": {"uid": uid}, "status": body}


def _same(sent: PodStatus | None, wanted: PodStatus) -> bool:
    if sent is None:
        return False
    return msgspec.structs.replace(sent, conditions=_own(sent)) == msgspec.structs.replace(wanted, conditions=_own(wanted))


def _own(status: PodStatus) -> tuple[PodCondition, ...]:
    own = (condition for condition in status.conditions if condition.type in OWN_CONDITIONS)
    return tuple(sorted(own, key=lambda condition: condition.type))


def _says(shown: PodStatus, wanted: PodStatus) -> bool:
    """Whether the apiserver shows our phase and our conditions; others may have conditions of their own there."""
    held = {condition.type: condition.status for condition in shown.conditions}
    return shown.phase == wanted.phase and all(held.get(condition.type) == condition.status for condition in wanted.conditions)


def _is_urgent(sent: PodStatus | None, status: PodStatus) -> bool:
    """Whatever changes readiness, the phase away from Pending, or what a waiting container waits for."""
    if sent is None:
        return True
    return (
        _condition(sent, "Ready") != _condition(status, "Ready")
        or (sent.phase != status.phase and status.phase != "Pending")
        or _reasons(sent) != _reasons(status)
    )


def _condition(status: PodStatus, kind: str) -> bool:
    return any(condition.type == kind and condition.status == "True" for condition in status.conditions)


def _reasons(status: PodStatus) -> set[str]:
    held = [entry.state.waiting.reason for entry in status.container_statuses if entry.state and entry.state.waiting]
    return set(held) - {"ContainerCreating", "PodInitializing"}
