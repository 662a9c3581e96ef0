"""Where a cluster's files, addresses and namespaces are. Pure: names only, nothing is touched."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from launcher.cluster.settings import ClusterSettings

STATE_ROOT = Path("/var/lib/kubonsai")
RUN_ROOT = Path("/run/kubonsai")
LOG_ROOT = Path("/var/log/kubonsai")
IMAGES = STATE_ROOT / "images"      # one store for all nodes and clusters of this machine
DOMAIN = "cluster.local"
CGROUP_ROOT = "kubonsai"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of a cluster. `index` counts from 1; node1 is the control plane."""

    cluster: str
    index: int
    address: str            # on the fabric
    name: str

    @property
    def control_plane(self) -> bool:
        return self.index == 1

    @property
    def netns(self) -> str:
        """Name under /run/netns; unique on this machine."""
        return f"{self.cluster}-{self.name}"

    @property
    def cgroup(self) -> str:
        return f"/{CGROUP_ROOT}/{self.cluster}/{self.name}"

    @property
    def provider_id(self) -> str:
        return f"kubonsai://{self.cluster}/{self.name}"


@dataclass(frozen=True, slots=True)
class Layout:
    settings: ClusterSettings

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def state(self) -> Path:
        return STATE_ROOT / "clusters" / self.name

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def config(self) -> Path:
        return self.state / "config"

    @property
    def kubeconfigs(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def etcd_data(self) -> Path:
        return self.state / "etcd"

    @property
    def block_volumes(self) -> Path:
        """The cluster's own disks: any node of this machine may have them attached."""
        return self.state / "volumes"

    @property
    def run(self) -> Path:
        return RUN_ROOT / self.name

    @property
    def logs(self) -> Path:
        return LOG_ROOT / self.name

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def process_table(self) -> Path:
        """What runs, as the zygote last wrote it: for `status` and `down` when nobody answers."""
        return self.run / "processes.json"

    @property
    def settings_file(self) -> Path:
        return self.state / "cluster.json"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.kubeconfigs / "admin.conf"

    @property
    def fabric_netns(self) -> str:
        return f"{self.name}-fabric"

    @property
    def pod_netns_prefix(self) -> str:
        """Prefix of the Pods' names in /run/netns. The default cluster has none, as in any networking course."""
        return "" if self.name == "kubonsai" else f"{self.name}-"

    @property
    def cgroup(self) -> str:
        return f"/{CGROUP_ROOT}/{self.name}"

    def node_state(self, node: Node) -> Path:
        return self.state / "nodes" / node.name

    def static_pods(self, node: Node) -> Path:
        """Manifests in it run on this node without the API."""
        return self.node_state(node) / "static-pods"

    def node_run(self, node: Node) -> Path:
        return self.run / node.name

    def node(self, index: int) -> Node:
        fabric = ipaddress.IPv4Network(self.settings.fabric_subnet)
        return Node(self.name, index, str(fabric.network_address + 10 + index), f"node{index}")

    def nodes(self) -> list[Node]:
        return [self.node(index) for index in range(1, self.settings.nodes + 1)]

    @property
    def fabric_prefix_length(self) -> int:
        return ipaddress.IPv4Network(self.settings.fabric_subnet).prefixlen

    @property
    def kubernetes_ip(self) -> str:
        """The first address of the Service range: Service default/kubernetes."""
        return str(ipaddress.IPv4Network(self.settings.service_subnet).network_address + 1)

    @property
    def dns_ip(self) -> str:
        """The tenth address of the Service range: Service kube-system/kube-dns."""
        return str(ipaddress.IPv4Network(self.settings.service_subnet).network_address + 10)
