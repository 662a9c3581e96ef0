"""A node is its container: kubelet and kube-proxy, forked from one process (process 1 here), in the container's own network.

What a container of Docker lacks for it is made here: cgroups and the network's settings that may be written, a cgroup for Pods, the
node's name as host name, and its record among the machines. When the container ends, everything in it ends: the node is lost, as a machine
whose plug was pulled. Started again it has its disk (a volume), another address, and runs its Pods anew.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from control_plane.cloud.records import MachineRecord, write_record
from kube.process.config import ApiserverAccess, Config, TlsFiles, write_config
from launcher.cluster import cgroups
from launcher.cluster.machines import mount_points
from launcher.cluster.plan import CONTROL_PLANE_TAINT
from launcher.cluster.zygote import Zygote
from launcher.cluster.zygote_client import ProcessSpec
from launcher.compose import health, naming, paths
from launcher.compose.authority import join_identity
from netns import namespaces
from netns.kernel import check, libc
from node_agent.kubelet.config import KubeletBootstrap, KubeletConfig
from node_agent.proxy.config import ProxyConfig

MS_REMOUNT, MS_BIND = 0x20, 0x1000
PRELOADED = ("asyncio", "grpc", "kube.api.core_v1", "node_agent.kubelet.app", "node_agent.proxy.app")
RUN = Path("/run/kubonsai-node")        # sockets and container bundles; gone with the container
STANDARD_OUTPUT = "/proc/1/fd/1"        # where `docker compose logs` reads
POD_CGROUP = "/kubonsai"
OWN_CGROUP = "/machine-room"
WHOLE_CGROUP = "/"          # as the container sees it: itself
REGION, ZONE, INSTANCE_TYPE = "local", "local-a", "kubonsai.node"


def main(argv: Sequence[str] | None = None) -> int:
    address = naming.own_address()
    name = argv[0] if argv else naming.node_name(address)
    _prepare_container(name)
    record = MachineRecord(
        name=name, address=address, provider_id=f"kubonsai://{paths.CLUSTER}/{name}", zone=ZONE, region=REGION, instance_type=INSTANCE_TYPE)
    write_record(paths.MACHINES, record)        # its lock is held for as long as this process lives
    health.tell_plain("http://127.0.0.1:10248/healthz", "http://127.0.0.1:10256/healthz")
    zygote = Zygote(paths.CLUSTER, RUN, (), PRELOADED)
    for spec in _processes(name, address):
        zygote.ensure(spec)
    zygote.run()
    return 0


def _processes(name: str, address: str) -> list[ProcessSpec]:
    bootstrap = KubeletBootstrap(
        server=f"https://{paths.CONTROL_PLANE}:{paths.API_PORT}", token_file=str(paths.BOOTSTRAP_TOKEN),
        ca_file=str(paths.JOIN / "ca.crt"), cert_dir=str(paths.NODES / name / "pki"),
    )
    kubelet = KubeletConfig(
        bootstrap=bootstrap, apiserver=_access(bootstrap.client_tls), serving_tls=bootstrap.serving_tls,
        pod_network=_access(join_identity("pod-network")), node_name=name, node_ip=address,
        root_dir=str(paths.NODES / name), run_dir=str(RUN), static_pod_path=str(paths.NODES / name / "static-pods"),
        images_dir=str(paths.IMAGES), cgroup_parent=POD_CGROUP, node_cgroup=WHOLE_CGROUP,
        cluster_dns=(paths.DNS_IP,), resolv_conf=str(RUN / "resolv.conf"),
        local_networks=(paths.POD_SUBNET, paths.SERVICE_SUBNET),
        register_taints=(CONTROL_PLANE_TAINT,) if name == paths.CONTROL_PLANE else (),
    )
    proxy = ProxyConfig(
        apiserver=_access(join_identity("kube-proxy")), node_name=name, node_ip=address, cluster_cidr=paths.POD_SUBNET,
        service_cidr=paths.SERVICE_SUBNET,
    )
    specs = [_spec(name, "kubelet", "node_agent.kubelet.app", kubelet), _spec(name, "kube-proxy", "node_agent.proxy.app", proxy)]
    if name == paths.CONTROL_PLANE:
        specs.insert(0, ProcessSpec(
            name="network", node=name, module="launcher.compose.network", arguments=(), log_file=STANDARD_OUTPUT))
    return specs


def _access(tls: TlsFiles) -> ApiserverAccess:
    return ApiserverAccess(targets=(f"{paths.CONTROL_PLANE}:{paths.GRPC_PORT}",), tls=tls)


def _spec(node: str, name: str, module: str, config: Config) -> ProcessSpec:
    file = RUN / f"{name}.json"
    write_config(config, file)
    return ProcessSpec(name=name, node=node, module=module, arguments=("--config", str(file)), log_file=STANDARD_OUTPUT)


def _prepare_container(name: str) -> None:
    for folder in (RUN, paths.NODES / name, paths.IMAGES):
        folder.mkdir(parents=True, exist_ok=True)
    logs = paths.NODES / name / "logs"
    for kind in ("pods", "containers"):
        (logs / kind).mkdir(parents=True, exist_ok=True)
    with suppress(OSError):     # who is not allowed to goes without a /var/log of the node
        check(libc().mount(str(logs).encode(), b"/var/log", b"none", MS_BIND, None))
    (RUN / "resolv.conf").write_text("# Docker's resolver answers on the node's loopback alone, where no Pod can reach it\n")
    check(libc().mount(b"/proc/sys/net", b"/proc/sys/net", b"none", MS_BIND, None))     # a mount of its own: the rest stays read-only
    for point in mount_points():
        if point == Path("/proc/sys/net") or Path("/sys/fs/cgroup") in (point, *point.parents):
            _make_writable(point)
    socket.sethostname(name)
    namespaces.share_folder()
    if cgroups.is_v2():     # a group that passes its controllers on may hold no process itself
        cgroups.join(OWN_CGROUP)
    cgroups.create(POD_CGROUP)


def _make_writable(point: Path) -> None:
    """Docker mounts it read-only; CAP_SYS_ADMIN may change that, for this mount alone."""
    check(libc().mount(b"none", str(point).encode(), b"none", MS_REMOUNT | MS_BIND, None))
