"""What every controller of this process is given, and their common base."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from kube.client.client import Client
from kube.client.controller import Controller
from kube.client.events import EventRecorder
from kube.client.informer import Informer, InformerFactory
from kube.client.objects import T
from kube.client.workqueue import K
from kube.process.clock import Clock


@dataclass(frozen=True, slots=True)
class ControllerContext:
    client: Client
    informers: InformerFactory      # shared: each kind is watched and held once
    events: EventRecorder
    clock: Clock
    workers: int = 5


class ManagedController(Controller[K]):
    """Starts work only when the informers it asked for are synced: a half-filled store looks like deleted objects."""

    def __init__(self, name: str, context: ControllerContext, *, workers: int | None = None) -> None:
        super().__init__(name, workers=workers or context.workers)
        self.client = context.client
        self.clock = context.clock
        self.events = context.events.named(f"{name}-controller")
        self._factory = context.informers
        self._needs: list[Informer[Any]] = []

    def informer(
        self, kind: type[T], *, namespace: str = "", field_selector: str = "", label_selector: str = ""
    ) -> Informer[T]:
        informer = self._factory.informer(kind, namespace=namespace, field_selector=field_selector, label_selector=label_selector)
        self._needs.append(informer)
        return informer

    async def wait_synced(self) -> None:
        await asyncio.gather(*(informer.wait_synced() for informer in self._needs))

    async def run(self) -> None:
        await self.wait_synced()
        self.log.debug("caches are synced")
        await super().run()
