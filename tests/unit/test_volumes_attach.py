"""Whose volumes are detached although a kubelet still reports them in use, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.volume.attach import FORCE_S, OUT_OF_SERVICE, AttachDetachController
from kube.api.core_v1 import Node, PersistentVolume
from kube.api.storage_v1 import VolumeAttachment
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.csi.names import attachment_name, unique_name
from kube.process.clock import SystemClock
from tests.support.controllers import eventually, memory_client

NODE = NamespacedName("", "n1")
ATTACHMENT = NamespacedName("", attachment_name("v", "csi.example", "n1"))


class MovedClock(SystemClock):
    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


def node(*, ready: str = "True", taints: tuple[str, ...] = ()) -> Node:
    return msgspec.convert({
        "metadata": {"name": "n1"},
        "spec": {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]},
        "status": {
            "volumesInUse": [unique_name("csi.example", "v")], "conditions": [{"type": "Ready", "status": ready}],
        },
    }, Node)


def volume() -> PersistentVolume:
    body: dict[str, Any] = {"metadata": {"name": "pv"}, "spec": {"csi": {"driver": "csi.example", "volumeHandle": "v"}}}
    return msgspec.convert(body, PersistentVolume)


def attachment() -> VolumeAttachment:
    spec = {"attacher": "csi.example", "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}
    body = {"metadata": {"name": ATTACHMENT.name}, "spec": spec, "status": {"attached": True}}
    return msgspec.convert(body, VolumeAttachment)


@asynccontextmanager
async def unneeded_on(held: Node, clock: SystemClock) -> AsyncIterator[tuple[Client, AttachDetachController]]:
    """A volume that no Pod needs, attached to the node, whose kubelet has it in use. The controller has looked once."""
    client, _ = memory_client()
    for one in (held, volume(), attachment()):
        await client.create(one)
    async with EventRecorder(client, "test") as events, InformerFactory(client) as informers:
        controller = AttachDetachController(ControllerContext(client, informers, events, clock))
        await informers.start()
        await informers.wait_synced()
        await look(controller)
        yield client, controller


async def look(controller: AttachDetachController) -> None:
    """As its queue does: again after a conflict, which means that its cache is not there yet."""
    async def done() -> bool:
        try:
            await controller.reconcile(NODE)
        except errors.Conflict:
            return False
        return True

    await eventually(done, what="the controller has looked")


async def is_attached(client: Client) -> bool:
    try:
        await client.get(VolumeAttachment, ATTACHMENT)
    except errors.NotFound:
        return False
    return True


async def test_what_a_node_that_is_ready_has_in_use_stays_attached_however_long() -> None:
    clock = MovedClock()
    async with unneeded_on(node(), clock) as (client, controller):
        clock.ahead_s = 10 * FORCE_S
        await look(controller)

        assert await is_attached(client)


async def test_a_node_that_is_not_ready_loses_it_after_a_while() -> None:
    clock = MovedClock()
    async with unneeded_on(node(ready="Unknown"), clock) as (client, controller):
        assert await is_attached(client)

        clock.ahead_s = FORCE_S + 1
        await look(controller)

        assert not await is_attached(client)


@pytest.mark.parametrize("ready", ["True", "Unknown"])
async def test_a_node_that_is_out_of_service_loses_it_at_once(ready: str) -> None:
    async with unneeded_on(node(ready=ready, taints=(OUT_OF_SERVICE,)), MovedClock()) as (client, _):
        assert not await is_attached(client)
