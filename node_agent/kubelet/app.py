"""kubelet: the process. Everything is constructed here and handed down."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import grpc

from kube.api.authentication_v1 import TokenRequest
from kube.api.core_v1 import Node, Pod, Secret, Service, ServiceAccount
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.quantity import Quantity
from kube.client.client import Client
from kube.client.delegated_auth import DelegatedAuth
from kube.client.events import EventRecorder
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.process.clock import Clock, SystemClock
from kube.process.lifetime import run_process
from kube.process.log import get_logger
from kube.process.pages import Answer, serve_pages
from kube.process.tasks import run_until
from kube.process.tls import grpc_server_credentials
from kube.rpc.v1 import node_pb2_grpc
from netns.kernel import KernelThread
from node_agent.kubelet import event_names
from node_agent.kubelet.allocation import Allocations
from node_agent.kubelet.backoff import Backoff
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.environment import PodFacts
from node_agent.kubelet.eviction.setup import eviction_manager, limit_pods
from node_agent.kubelet.host_ports import HostPorts
from node_agent.kubelet.housekeeping import Housekeeping
from node_agent.kubelet.https_server import serve_https
from node_agent.kubelet.image_gc import ImageCollector
from node_agent.kubelet.image_manager import ImageManager
from node_agent.kubelet.image_volumes import ImageVolumePlugin, mounted_images
from node_agent.kubelet.log_rotation import rotate_logs
from node_agent.kubelet.network import PodNetwork, peers_of
from node_agent.kubelet.node_reporter import NodeReporter
from node_agent.kubelet.node_service import NodeService
from node_agent.kubelet.node_status import read_machine
from node_agent.kubelet.objects import PodObjects, request_finder
from node_agent.kubelet.pod_files import parse_resolv_conf
from node_agent.kubelet.pod_state import Services
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.qos_groups import QosGroups
from node_agent.kubelet.resources import pod_memory
from node_agent.kubelet.runtime_classes import check_runtime_class
from node_agent.kubelet.stats.cgroup_usage import detect_reader
from node_agent.kubelet.stats.collector import StatsCollector
from node_agent.kubelet.stats.disk_usage import MIN_AGE_S, DiskUsages
from node_agent.kubelet.stats.sources import node_source, pod_sources
from node_agent.kubelet.status_manager import StatusManager
from node_agent.probes.probe_manager import ProbeManager
from node_agent.probes.probe_worker import ProbeTarget
from node_agent.probes.probers import Prober
from node_agent.runtime.cgroups import detect_cgroups
from node_agent.runtime.model import Allocation, ContainerRecord
from node_agent.runtime.mounts import make_shared
from node_agent.runtime.pod_runtime import ConmonRuntime
from node_agent.volumes.followed import FollowedObjects
from node_agent.volumes.persistent.storage import PersistentStorage
from node_agent.volumes.pod_certificates import PodCertificates
from node_agent.volumes.pod_volumes import PodVolumes
from node_agent.volumes.registry import local_plugins
from node_agent.volumes.tokens import TokenManager

if TYPE_CHECKING:
    from node_agent.kubelet.static_pods import StaticPods

MAX_OPEN_FILES = 65_536
log = get_logger("kubelet")


def main(argv: Sequence[str] | None = None) -> int:
    return run_process("kubelet", KubeletConfig, run, argv)


async def run(config: KubeletConfig, stop: asyncio.Event) -> None:
    """Until `stop`. Containers outlive the kubelet."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, MAX_OPEN_FILES), most))      # two per container; many machines begin with 1024
    if config.bootstrap is None:
        await _work(config, stop)
        return
    from node_agent.kubelet.bootstrap import NodeCertificates  # heavy (cryptography), and only machines that join need it

    certificates = NodeCertificates(config.bootstrap, config.node_name, config.node_ip, SystemClock())
    await run_until(stop, certificates.ensure(), name="certificates")
    if stop.is_set():
        return
    anew = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        renewing = tasks.create_task(_then(certificates.renew(), anew), name="certificates")
        ending = tasks.create_task(_then(stop.wait(), anew), name="stop")
        await _work(config, anew)
        renewing.cancel()
        ending.cancel()


async def _then(work: Awaitable[object], event: asyncio.Event) -> None:
    await work
    event.set()


async def _work(config: KubeletConfig, stop: asyncio.Event) -> None:
    async with (
        KernelThread("pod-network") as kernel,
        Client(GrpcTransport(config.apiserver), field_manager="kubelet") as client,
        InformerFactory(client) as informers,
        Client(GrpcTransport(config.pod_network or config.apiserver), field_manager="kubelet") as network_client,
        InformerFactory(network_client) as network_informers,
        EventRecorder(client, "kubelet", host=config.node_name) as events,
        Kubelet(config, client, informers, network_informers, events, kernel) as kubelet,
    ):
        await run_until(stop, kubelet.run(), name="kubelet")


class Kubelet:
    """The parts, made once; `async with` starts and ends what has to be."""

    def __init__(
        self, config: KubeletConfig, client: Client, informers: InformerFactory, network_informers: InformerFactory,
        events: EventRecorder, kernel: KernelThread,
    ) -> None:
        self._config = config
        self._client = client
        self._auth = DelegatedAuth(client, anonymous=False)
        self._informers = informers
        self._network_informers = network_informers
        self._events = events
        root = Path(config.root_dir)
        root.mkdir(parents=True, exist_ok=True)
        clock = SystemClock()
        machine = read_machine(config)
        self._cluster_services = informers.informer(Service)
        # The own Node by the kubelet's own right, which stands from the first moment: the network need not wait for its agent's role.
        self._own_node = informers.informer(Node, field_selector=f"metadata.name={config.node_name}")
        self._nodes = network_informers.informer(Node)
        self._pods = informers.informer(Pod, field_selector=f"spec.nodeName={config.node_name}")
        self._runtime = _open_runtime(config, self._on_exit)
        self._kernel = kernel
        self._network = PodNetwork(kernel, node_ip=config.node_ip, root_dir=root)
        self._prober = Prober(self._exec)
        self._probes = ProbeManager(self._prober.look, clock, self._on_probe, self._on_probe_event)
        self._statuses = StatusManager(client)
        objects = self._pod_objects(clock)
        volumes_dir = Path(config.block_volumes_dir) if config.block_volumes_dir else None
        self._storage = PersistentStorage(
            client, informers, events, config.node_name, root, self._own_labels, objects.secret, volumes_dir)
        volumes = PodVolumes(root / "pods", (*local_plugins(objects, self._memory_of), self._storage.plugin, ImageVolumePlugin()))
        images = ImageManager(
            self._runtime, events, self._now, read_secret=lambda key: client.get(Secret, key), max_pulls=config.max_parallel_image_pulls)
        allocations = Allocations(machine.allocatable, events, clock.now, self._held_allocation)
        qos_groups = QosGroups(
            config.cgroup_parent, Quantity.parse(machine.allocatable["cpu"]).milli_value(), detect_cgroups(), self._runtime.sandboxes)
        self.services = Services(
            config=config, runtime=self._runtime, network=self._network, images=images,
            volumes=volumes, objects=objects, probes=self._probes, statuses=self._statuses, events=events, clock=clock, restarts=Backoff(),
            allocations=allocations, host_ports=HostPorts(kernel, config.node_ip),
            machine_resolver=parse_resolv_conf(_read(config.resolv_conf)), node_memory=machine.memory_bytes,
            allocatable=machine.allocatable, own_node=self._read_own_node, cluster_services=self._cluster_services.store.list,
            check_runtime_class=partial(check_runtime_class, client), update_qos_groups=qos_groups.update,
        )
        self.workers = PodWorkers(self.services, client)
        allocations.wake = self.workers.wake
        self._reporter = NodeReporter(
            config, client, clock, machine, lambda: self._network.pod_cidr, self._runtime.images, events, self._pressure)
        self._housekeeping = Housekeeping(
            root, config.cgroup_parent, self._runtime, self._network, volumes, self.workers.uids, qos_groups.update)
        self._stats = StatsCollector(
            node_source(config, machine), lambda: pod_sources(self.services, self.workers.states()), detect_reader(),
            DiskUsages(min_age_s=min(MIN_AGE_S, config.eviction_monitoring_period_s)),
        )
        self._image_gc, tell_node = self._image_collector(), self._reporter.report_soon
        self._eviction = eviction_manager(
            config, self.services, self.workers, self._stats, tell_node=tell_node, remove_images=self._image_gc.delete_unused)
        self._network_changed = asyncio.Event()

    async def __aenter__(self) -> Kubelet:
        limit_pods(self._stats)
        try:
            make_shared(self._config.root_dir)
        except OSError as error:
            log.warning("mounts will not spread between containers", error=str(error))
        await self._runtime.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.workers.close()
        await self._probes.close()
        await self._prober.close()
        await self._statuses.close()
        self._runtime.close()

    async def run(self) -> None:
        self._own_node.add_handler(
            on_add=self._on_node, on_update=lambda _, new: self._on_node(new), on_delete=lambda _: self._reporter.on_deleted(),
        )
        self._nodes.add_handler(on_add=self._on_node, on_update=lambda _, new: self._on_node(new), on_delete=self._on_other_gone)
        await self.services.host_ports.restore(self._runtime.sandboxes())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._serve(), name="servers")
            await self._reporter.register()
            await self._informers.start()
            await self._network_informers.start()
            tasks.create_task(self._reporter.run_lease(), name="lease")
            tasks.create_task(self._reporter.run_status(), name="node status")
            tasks.create_task(self._keep_network(), name="pod network")
            tasks.create_task(self._know_peers(), name="peers")
            await self._cluster_services.wait_synced()
            workers, static = self.workers, self._static_pods()
            self._pods.add_handler(on_add=workers.on_pod, on_update=lambda _, new: workers.on_pod(new), on_delete=workers.on_deleted)
            await self._pods.wait_synced()
            if static is not None:
                await static.begin()               # before housekeeping takes them for what nobody knows
                tasks.create_task(static.run(), name="static pods")
            log.info("pods are listed", pods=len(self._pods.store))
            tasks.create_task(self._housekeeping.run(), name="housekeeping")
            tasks.create_task(self._eviction.run(), name="eviction")
            tasks.create_task(self._storage.run(), name="persistent storage")
            tasks.create_task(self._image_gc.run(), name="image gc")
            tasks.create_task(rotate_logs(self._config, self._runtime, self.services.clock), name="log rotation")

    def _read_own_node(self) -> Node | None:
        return self._own_node.store.get(NamespacedName("", self._config.node_name))

    def _pod_objects(self, clock: Clock) -> PodObjects:
        client, node_name = self._client, self._config.node_name
        follow = FollowedObjects(self._informers, node_name, self._on_volume_change)
        certificates = PodCertificates(client, node_name, request_finder(follow, node_name), self._warn, clock)
        return PodObjects(client, TokenManager(self._request_token, clock), self._facts, follow, certificates)

    async def _request_token(self, namespace: str, account: str, request: TokenRequest) -> TokenRequest:
        key = NamespacedName(namespace, account)
        return await self._client.create_subresource(ServiceAccount, key, "token", request, TokenRequest)

    def _image_collector(self) -> ImageCollector:
        config, images = self._config, self._runtime.node_images

        def in_use() -> list[str]:
            return [*(record.image_id for record in self._runtime.containers()), *mounted_images(Path(config.root_dir))]

        return ImageCollector(
            images.images_dir, images.uses, in_use, config.image_policy, self._events, self._read_own_node, self._now)

    def _static_pods(self) -> StaticPods | None:
        config = self._config
        if not config.static_pod_path:
            return None
        from node_agent.kubelet.static_pods import StaticPods  # few machines have any

        static = StaticPods(
            Path(config.static_pod_path), config.node_name, self._client, self.services.clock, self.workers, self._statuses,
            self._read_own_node,
        )
        self.workers.mirrors = static
        return static

    async def _serve(self) -> None:
        config = self._config
        async with (
            serve_pages("127.0.0.1", config.healthz_port, {"/healthz": lambda _: Answer(200, "ok")}),
            serve_grpc(config, NodeService(self.services, self.workers, self._kernel)),
            serve_https(config.port, config.serving_tls, self.services, self.workers, self._auth, self._stats),
        ):
            await asyncio.Event().wait()

    async def _know_peers(self) -> None:
        await self._nodes.wait_synced()
        self._network_changed.set()

    async def _keep_network(self) -> None:
        """Brings the Pod network up when the Node has its range, and follows the other nodes."""
        while True:
            await self._network_changed.wait()
            self._network_changed.clear()
            own = self._own_node.store.get(NamespacedName("", self._config.node_name))
            if own is None or not own.spec.pod_cidr:
                continue
            peers = peers_of(self._nodes.store.list(), self._config.node_name) if self._nodes.synced else None
            try:
                if self._network.ready:
                    if peers is not None:
                        await self._network.set_peers(peers)
                    continue
                await self._network.setup(own.spec.pod_cidr, peers)
            except Exception:
                log.exception("pod network not set up, trying again")
                await asyncio.sleep(1)
                self._network_changed.set()
                continue
            self._reporter.report_soon()
            self.workers.wake_all()

    def _on_node(self, node: Node) -> None:
        self._reporter.on_node(node)
        self._network_changed.set()

    def _on_other_gone(self, _: Node) -> None:
        self._network_changed.set()

    def _on_exit(self, record: ContainerRecord) -> None:
        self._probes.forget(record.id)
        self.workers.wake(record.config.pod_uid)

    def _on_volume_change(self, pod_uid: str) -> None:
        self.workers.refresh_volumes(pod_uid)

    def _warn(self, pod: Pod, reason: str, message: str) -> None:
        self._events.event(pod, "Warning", reason, message)

    def _memory_of(self, pod: Pod) -> int:
        return pod_memory(pod, self.services.allocatable)

    def _on_probe(self, pod_uid: str) -> None:
        self.workers.probed(pod_uid)

    def _on_probe_event(self, target: ProbeTarget, kind: str, reason: str, message: str) -> None:
        type_: Literal["Normal", "Warning"] = "Warning" if kind == "Warning" else "Normal"
        self._events.event(event_names.container_ref(target.pod, target.container), type_, reason, message)

    def _held_allocation(self, pod_uid: str) -> Allocation:
        sandbox = self._runtime.sandbox(pod_uid)
        return sandbox.config.allocation if sandbox is not None else {}

    def _facts(self, pod: Pod) -> PodFacts:
        return self.services.facts(pod)

    def _own_labels(self) -> Mapping[str, str]:
        own = self._own_node.store.get(NamespacedName("", self._config.node_name))
        return {} if own is None else own.metadata.labels

    def _pressure(self) -> frozenset[str]:
        return self.services.pressure.conditions

    def _now(self) -> float:
        return self.services.now()

    async def _exec(self, container_id: str, command: Sequence[str], timeout_s: float) -> tuple[int, bytes]:
        result = await self._runtime.exec(container_id, command, timeout_s)
        return result.exit_code, result.output


@asynccontextmanager
async def serve_grpc(config: KubeletConfig, service: NodeService) -> AsyncIterator[None]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 20)])
    node_pb2_grpc.add_NodeServiceServicer_to_server(service, server)
    server.add_secure_port(f"0.0.0.0:{config.grpc_port}", grpc_server_credentials(config.serving_tls))
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=0.5)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _open_runtime(config: KubeletConfig, on_exit: Callable[[ContainerRecord], None]) -> ConmonRuntime:
    return ConmonRuntime(
        root_dir=Path(config.root_dir), run_dir=Path(config.run_dir), images_dir=Path(config.images_dir), netns_prefix=config.netns_prefix,
        on_exit=on_exit, programs_path=config.runtime_programs_path, timeout_s=config.runtime_request_timeout_s,
        registries=config.registry_settings,
    )
