"""The resource quota controller over an in-memory apiserver: what it watches, and what it does not undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import msgspec

from control_plane.controllers.garbage_collector.controller import GarbageCollector
from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.replicaset.controller import ReplicaSetController
from control_plane.controllers.resource_quota.controller import ResourceQuotaController
from control_plane.controllers.resource_quota.settling import Settling
from control_plane.controllers.resource_quota.watches import Watches
from kube.api.core_v1 import (
    ConfigMap,
    Container,
    Pod,
    PodSpec,
    PodStatus,
    ResourceQuota,
    ResourceQuotaSpec,
    ResourceQuotaStatus,
    ResourceRequirements,
    Secret,
)
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupResource
from kube.client.client import Client
from kube.client.controller import Result
from kube.client.informer import InformerFactory
from kube.client.transport import Location, RawEvent, WatchQuery
from kube.process.clock import SystemClock
from tests.support.controllers import eventually, running
from tests.support.memory_transport import MemoryTransport

KEY = NamespacedName("n", "q")
CONFIG_MAPS = GroupResource("", "configmaps")


class CountingTransport(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()
        self.watches: Counter[str] = Counter()

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        self.watches[str(at.resource.group_resource)] += 1
        async for batch in super().watch(at, query):
            yield batch


def controller(context: ControllerContext) -> ResourceQuotaController:
    return ResourceQuotaController(context, settling=Settling(context.clock, settle_s=0.2, patience_s=60.0))


class StandingClock(SystemClock):
    """Time-outs are over when the test says so."""

    passed_s = 0.0

    def monotonic(self) -> float:
        return self.passed_s


def names(amounts: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): text for name, text in amounts.items()}


def quota(**hard: str) -> ResourceQuota:
    return ResourceQuota(metadata=ObjectMeta(namespace="n", name="q"), spec=ResourceQuotaSpec(hard=names(hard)))


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(namespace="n", name=name))


async def becomes(client: Client, **used: str) -> None:
    async def says_so() -> bool:
        return (await client.get(ResourceQuota, KEY)).status.used == names(used)

    await eventually(says_so, within_s=60, what=f"used is {used}")


async def test_most_quotas_cost_no_watch() -> None:
    transport = CountingTransport()
    client = Client(transport)
    async with running(client, GarbageCollector, ReplicaSetController, controller):
        await client.create(Secret(metadata=ObjectMeta(namespace="n", name="s")))
        await client.create(quota(pods="1", secrets="2", configmaps="3"))
        await becomes(client, pods="0", secrets="1", configmaps="0")
        plain = Counter(transport.watches)
        await client.create(ResourceQuota(
            metadata=ObjectMeta(namespace="n", name="storage"), spec=ResourceQuotaSpec(hard={"requests.storage": "1Gi"})))

        async def is_counted() -> bool:
            return (await client.get(ResourceQuota, NamespacedName("n", "storage"))).status.used == {"requests.storage": "0"}

        await eventually(is_counted, within_s=60)

    assert (plain["secrets"], plain["configmaps"], plain["pods"]) == (1, 1, 2)      # Pods whole too, for the ReplicaSets
    assert transport.watches - plain == Counter({"persistentvolumeclaims": 1})


async def test_what_the_garbage_collector_has_stopped_is_watched_anew() -> None:
    """It stops the watch of a kind that its extension server no longer serves; some day the server may be back."""
    client, freed = Client(MemoryTransport()), list[str]()
    async with InformerFactory(client) as informers:
        watches = Watches(informers, lambda _resource, old, _new: freed.append(old.metadata.name))
        await informers.start()
        await watches.need([CONFIG_MAPS])
        informers.stop(watches._held[CONFIG_MAPS].informer)
        assert not watches.is_synced(CONFIG_MAPS)
        await client.create(config_map("later"))

        await watches.need([CONFIG_MAPS])

        assert [held.metadata.name for held in watches.objects(CONFIG_MAPS, "n")] == ["later"]
        await client.delete(ConfigMap, NamespacedName("n", "later"))

        async def told() -> bool:
            return freed == ["later"]

        await eventually(told, within_s=60, what="it is given back")


async def test_a_charge_is_not_undone_before_its_object_is_there() -> None:
    client, clock = Client(MemoryTransport()), StandingClock()
    looks: list[NamespacedName] = []

    class Looking(ResourceQuotaController):
        async def reconcile(self, key: NamespacedName) -> Result:
            result = await super().reconcile(key)
            looks.append(key)
            return result

    async with running(client, lambda context: Looking(context, settling=Settling(clock, settle_s=0.1)), clock=clock):
        await client.create(config_map("first"))
        await client.create(quota(configmaps="5"))
        await becomes(client, configmaps="1")
        held = await client.get(ResourceQuota, KEY)
        charged = ResourceQuotaStatus(hard={"configmaps": "5"}, used={"configmaps": "2"})
        await client.update_status(ResourceQuota(metadata=held.metadata, spec=held.spec, status=charged))
        await client.delete(ConfigMap, NamespacedName("n", "first"))
        await becomes(client, configmaps="1")       # given back at once; a count would find none
        before = len(looks)

        async def has_looked() -> bool:
            return len(looks) > before + 5

        await eventually(has_looked, within_s=60)
        assert (await client.get(ResourceQuota, KEY)).status.used == {"configmaps": "1"}
        clock.passed_s += 1
        await becomes(client, configmaps="0")       # nothing came of that charge


async def test_what_one_quota_counts_is_of_its_namespace() -> None:
    client = Client(MemoryTransport())
    async with running(client, controller):
        for namespace in ("n", "n", "other"):
            await client.create(Pod(metadata=ObjectMeta(namespace=namespace, generate_name="p-")))
        await client.create(quota(pods="5", requests_cpu="1"))

        await becomes(client, pods="2", requests_cpu="0")


async def test_a_pod_that_ends_gives_back_what_it_computed_with_and_then_itself() -> None:
    client, clock = Client(MemoryTransport()), StandingClock()
    resources = ResourceRequirements(requests={"cpu": "500m"})
    async with running(client, lambda context: ResourceQuotaController(context, settling=Settling(clock)), clock=clock):
        pod = await client.create(Pod(
            metadata=ObjectMeta(namespace="n", name="p"), spec=PodSpec(containers=(Container(name="c", resources=resources),))))
        await client.create(quota(**{"count/pods": "5", "pods": "5", "requests.cpu": "1"}))
        await becomes(client, **{"count/pods": "1", "pods": "1", "requests.cpu": "500m"})

        await client.update_status(msgspec.structs.replace(pod, status=PodStatus(phase="Succeeded")))
        await becomes(client, **{"count/pods": "1", "pods": "0", "requests.cpu": "0"})
        await client.delete(Pod, NamespacedName("n", "p"))
        await becomes(client, **{"count/pods": "0", "pods": "0", "requests.cpu": "0"})
