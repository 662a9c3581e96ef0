"""Which process runs where, with which configuration: the launcher's whole knowledge about the components."""

from __future__ import annotations

from pathlib import Path

import msgspec

from control_plane.apiserver.config import ApiserverConfig
from control_plane.cloud.config import CloudConfig
from control_plane.controllers.config import ControllerManagerConfig
from control_plane.scheduler.config import SchedulerConfig
from kube.process.config import ApiserverAccess, Config, TlsFiles, write_config
from launcher.cluster import etc_kubernetes
from launcher.cluster.etcd import etcd_command
from launcher.cluster.layout import DOMAIN, IMAGES, Layout, Node
from launcher.cluster.machines import node_namespaces
from launcher.cluster.pki import ClusterPki, ensure_node_identities
from launcher.cluster.zygote_client import FIRST_INHERITED_FD, ProcessSpec
from node_agent.kubelet.config import KubeletConfig
from node_agent.proxy.config import ProxyConfig

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"


class Planner:
    """Writes each process's configuration file and says how to start it."""

    def __init__(self, layout: Layout, pki: ClusterPki) -> None:
        self.layout = layout
        self.pki = pki
        self.first = layout.node(1)
        self.api_targets = (f"{self.first.address}:6444",)

    def control_plane(self) -> list[ProcessSpec]:
        layout, pki = self.layout, self.pki
        apiserver = ApiserverConfig(
            name=self.first.name,
            advertise_address=self.first.address,
            etcd_endpoints=("127.0.0.1:2379",),
            etcd_tls=pki.etcd_client,
            serving_tls=pki.apiserver,
            kubelet_client_tls=pki.kubelet_client,
            service_account_signing_key_file=pki.service_account_key,
            service_account_key_files=(pki.service_account_public,),
            service_cluster_ip_range=layout.settings.service_subnet,
            listen_fds=(FIRST_INHERITED_FD,),
            front_proxy=pki.front_proxy,
            requestheader_client_ca_file=pki.requestheader_ca_file,
        )
        if chosen := layout.settings.apiserver:
            apiserver = msgspec.convert({**msgspec.to_builtins(apiserver), **chosen}, ApiserverConfig)
        scheduler = SchedulerConfig(apiserver=self._access(pki.scheduler), serving_tls=pki.component_serving, identity=self.first.name)
        controllers = ControllerManagerConfig(
            apiserver=self._access(pki.controller_manager), serving_tls=pki.component_serving, identity=self.first.name,
            root_ca_file=str(pki.ca.certificate_file), cluster_cidr=layout.settings.pod_subnet,
            service_account_private_key_file=pki.service_account_key,
            cluster_signing_cert_file=str(pki.ca.certificate_file),
            cluster_signing_key_file=str(pki.ca.certificate_file.with_suffix(".key")),
            block_volumes_dir=str(layout.block_volumes), csi_socket=str(layout.run / "csi-controller.sock"),
        )
        cloud = CloudConfig(
            apiserver=self._access(pki.cloud_controller_manager), serving_tls=pki.component_serving,
            supervisor_socket=str(layout.supervisor_socket), identity=self.first.name,
        )
        etcd = self._etcd()
        etc_kubernetes.write_manifests(layout, self.first, apiserver, controllers, etcd.arguments[1:])
        return [
            etcd,
            self._python("apiserver", self.first, "control_plane.apiserver.app", apiserver, api_socket=True),
            self._python("scheduler", self.first, "control_plane.scheduler.app", scheduler),
            self._python("controller-manager", self.first, "control_plane.controllers.app", controllers),
            self._python("cloud-controller-manager", self.first, "control_plane.cloud.app", cloud),
        ]

    def agents(self, node: Node) -> list[ProcessSpec]:
        """kubelet and kube-proxy of one node."""
        layout, settings = self.layout, self.layout.settings
        identities = ensure_node_identities(layout, self.pki.ca, node)
        etc_kubernetes.write_kubeconfigs(layout, node, self.pki, identities)
        for folder in (layout.node_state(node), layout.node_run(node), IMAGES):
            folder.mkdir(parents=True, exist_ok=True)
        kubelet = KubeletConfig(
            apiserver=self._access(identities.kubelet),
            pod_network=self._access(identities.pod_network),
            node_name=node.name,
            node_ip=node.address,
            root_dir=str(layout.node_state(node)),
            run_dir=str(layout.node_run(node)),
            static_pod_path=str(layout.static_pods(node)),
            images_dir=str(IMAGES),
            block_volumes_dir=str(layout.block_volumes),
            cgroup_parent=node.cgroup,
            cluster_dns=(layout.dns_ip,),
            cluster_domain=DOMAIN,
            serving_tls=identities.kubelet_serving,
            register_taints=(CONTROL_PLANE_TAINT,) if node.control_plane and settings.nodes > 1 else (),
            capacity_cpu=settings.node_cpu,
            capacity_memory=settings.node_memory,
            capacity_disk=settings.node_disk,
            netns_prefix=layout.pod_netns_prefix,
            registries=settings.registries,
            registry_config_dir=settings.registry_config_dir,
            local_networks=(settings.pod_subnet, settings.service_subnet, settings.fabric_subnet),
        )
        if settings.kubelet:
            kubelet = msgspec.convert({**msgspec.to_builtins(kubelet), **settings.kubelet}, KubeletConfig)
        proxy = ProxyConfig(
            apiserver=self._access(identities.proxy), node_name=node.name, node_ip=node.address,
            cluster_cidr=settings.pod_subnet, service_cidr=settings.service_subnet,
        )
        return [
            self._python("kubelet", node, "node_agent.kubelet.app", kubelet),
            self._python("kube-proxy", node, "node_agent.proxy.app", proxy),
        ]

    def supervisor(self) -> ProcessSpec:
        arguments = ("--cluster", self.layout.name)
        return ProcessSpec(
            name="supervisor", node="", module="launcher.cluster.supervisor", arguments=arguments, log_file=self._log("supervisor"),
            cgroup=f"{self.layout.cgroup}/machine-room",
        )

    def _access(self, tls: TlsFiles) -> ApiserverAccess:
        return ApiserverAccess(targets=self.api_targets, tls=tls)

    def _log(self, name: str, node: Node | None = None) -> str:
        return str(self.layout.logs / (f"{name}-{node.name}.log" if node else f"{name}.log"))

    def _python(self, name: str, node: Node, module: str, config: Config, *, api_socket: bool = False) -> ProcessSpec:
        file = self.layout.config / f"{name}-{node.name}.json"
        write_config(config, file)
        return ProcessSpec(
            name=name, node=node.name, module=module, arguments=("--config", str(file)), api_socket=api_socket,
            namespaces=node_namespaces(self.layout, node), log_file=self._log(name, node), cgroup=f"{node.cgroup}/{name}",
        )

    def _etcd(self) -> ProcessSpec:
        data = Path(self.layout.etcd_data)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        address = self.first.address
        command = etcd_command(
            self.first.name, data, self.pki.etcd_server, listen=("127.0.0.1", address), advertise=address, peer=address)
        return ProcessSpec(
            name="etcd", node=self.first.name, arguments=("/usr/bin/env", *command), namespaces=node_namespaces(self.layout, self.first),
            log_file=self._log("etcd", self.first), cgroup=f"{self.first.cgroup}/etcd", environment={"GOMAXPROCS": "2"},
        )
