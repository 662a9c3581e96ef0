"""Which apiservers stand behind Service default/kubernetes. Follows upstream's lease endpoint reconciler.

Every apiserver keeps /registry/masterleases/ADDRESS alive; each writes the addresses found there into Endpoints and
EndpointSlice. One that was killed disappears with its lease, one that ends in an orderly way takes its address out itself. The value
says which apiserver it is of: one that was killed and comes back under another address takes its former one out at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import msgspec

from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.bootstrap.system_objects import Bootstrap
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.errors import KeyExists, RevisionMismatch, StorageError
from control_plane.storage.etcd import EtcdStore
from kube.apimachinery.errors import ApiError, NotFound
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("endpoints")

PREFIX: Final = "/registry/masterleases/"
_TTL_S: Final = 15.0
_RENEW_S: Final = 10.0
_NAME: Final = "kubernetes"
_NAMESPACE: Final = "default"


class _Metadata(msgspec.Struct):
    name: str = ""


class _Announcement(msgspec.Struct):
    """As much of the stored Endpoints as is read again."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class KubernetesEndpoints:
    """`name` is the apiserver's own, and no other's: announcements of that name under other addresses are its former self's."""

    def __init__(
        self, store: EtcdStore, writer: Writer, bootstrap: Bootstrap, clock: Clock, name: str, address: str, port: int
    ) -> None:
        self._store = store
        self._writer = writer
        self._bootstrap = bootstrap
        self._clock = clock
        self._name = name
        self._address = address
        self._port = port

    async def run(self) -> None:
        """Renews and reconciles until cancelled."""
        while True:
            try:
                await self.announce()
            except (ApiError, StorageError) as error:
                log.info("could not renew, trying again", error=str(error))
            await self._clock.sleep(_RENEW_S)

    async def announce(self) -> None:
        subsets = [{"addresses": [{"ip": self._address}]}]
        key, value = PREFIX + self._address, msgspec.json.encode({"metadata": {"name": self._name}, "subsets": subsets})
        held = await self._store.get(key)
        try:
            if held is None:
                await self._store.create(key, value, ttl_s=_TTL_S)
            else:
                await self._store.update(key, value, expected_revision=held.revision, ttl_s=_TTL_S)
        except (KeyExists, RevisionMismatch):
            pass      # our former self, still ending; the next round will do
        await self._forget_former()
        await self._reconcile()

    async def withdraw(self) -> None:
        """At an orderly end."""
        try:
            if held := await self._store.get(PREFIX + self._address):
                await self._store.delete(held.key, expected_revision=held.revision)
            await self._reconcile()
        except (ApiError, StorageError) as error:
            log.info("could not withdraw", error=str(error))

    async def _forget_former(self) -> None:
        for held in (await self._store.range(PREFIX)).items:
            if held.key != PREFIX + self._address and _announcer(held.value) == self._name:
                with suppress(RevisionMismatch):      # it is another's now, or gone
                    await self._store.delete(held.key, expected_revision=held.revision)
                    log.info("took the former address out", address=held.key.removeprefix(PREFIX), now=self._address)

    async def _reconcile(self) -> None:
        found = await self._store.range(PREFIX, keys_only=True)
        addresses = sorted(item.key.removeprefix(PREFIX) for item in found.items)
        await self._ensure(_row("", "endpoints"), self._endpoints(addresses), ("subsets",))
        await self._ensure(_row("discovery.k8s.io", "endpointslices"), self._slice(addresses), ("endpoints", "ports"))

    async def _ensure(self, resource: ResourceType, wanted: JsonObject, parts: tuple[str, ...]) -> None:
        def change(held: JsonObject) -> JsonObject:
            for part in parts:
                held[part] = wanted[part]
            held["metadata"]["labels"] = {**(held["metadata"].get("labels") or {}), **wanted["metadata"]["labels"]}
            return held

        call = Call(APISERVER_USER, "update", resource, _NAMESPACE, _NAME)
        try:
            await self._writer.change(call, change, WriteOptions(field_manager="kube-apiserver"))
        except NotFound:
            await self._bootstrap.ensure(wanted)

    def _endpoints(self, addresses: list[str]) -> JsonObject:
        ports = [{"name": "https", "port": self._port, "protocol": "TCP"}]
        subsets = [{"addresses": [{"ip": one} for one in addresses], "ports": ports}] if addresses else []
        return {
            "apiVersion": "v1", "kind": "Endpoints", "metadata": _metadata({"endpointslice.kubernetes.io/skip-mirror": "true"}),
            "subsets": subsets,
        }

    def _slice(self, addresses: list[str]) -> JsonObject:
        endpoints: list[dict[str, Any]] = [{"addresses": [one], "conditions": {"ready": True}} for one in addresses]
        return {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": _metadata({"kubernetes.io/service-name": _NAME}), "addressType": "IPv4", "endpoints": endpoints,
            "ports": [{"name": "https", "port": self._port, "protocol": "TCP"}],
        }


def _announcer(value: bytes) -> str:
    try:
        return msgspec.json.decode(value, type=_Announcement).metadata.name
    except msgspec.DecodeError:
        return ""


def _metadata(labels: dict[str, str]) -> dict[str, Any]:
    return {"name": _NAME, "namespace": _NAMESPACE, "labels": labels}


def _row(group: str, plural: str) -> ResourceType:
    row = SCHEME.for_path(group, "v1", plural)
    assert row is not None
    return row
