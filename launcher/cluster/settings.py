"""What the user may choose about a cluster: flags of `up`, or the same keys in a file (`--config`)."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import msgspec

from kube.process.config import Config, ConfigError, explained
from node_agent.runtime.registry.access import RegistryAccess

MAX_NODES = 200     # the fabric is a /24
OPTIONAL_ADDONS = ("metrics-server",)       # addons/NAME/manifests


class ClusterSettings(Config, frozen=True, kw_only=True):
    """Settings of one cluster; every key has the default that `./kubonsai up` uses."""

    name: str = "kubonsai"
    nodes: int = 3                          # node1 is the control plane
    pod_subnet: str = "10.244.0.0/16"       # one /24 per node
    service_subnet: str = "10.96.0.0/12"
    fabric_subnet: str = "172.30.0.0/24"    # the wire between the nodes; exists only in namespaces
    api_port: int = 0                       # on 127.0.0.1; 0: 6443, or a free one where that is taken
    node_labels: dict[str, dict[str, str]] = {}     # node name -> labels
    node_cpu: str = ""                      # what each node says it has; "" for the machine's own
    node_memory: str = ""
    node_disk: str = ""
    addons: tuple[str, ...] = ()            # beside cluster DNS: metrics-server
    registries: tuple[RegistryAccess, ...] = ()     # that nodes may ask for images, beside those in the cluster's networks: docs/images.md
    registry_config_dir: str = ""           # hosts.toml by registry, as containerd's config_path: mirrors, certificates
    kubelet: dict[str, Any] = {}            # keys of KubeletConfig, for every node: docs/kubelet.md
    apiserver: dict[str, Any] = {}          # keys of ApiserverConfig: docs/authentication.md, docs/admission.md

    def __post_init__(self) -> None:
        if self.apiserver:
            _check_apiserver(self.apiserver)
        if unknown := sorted(set(self.addons) - set(OPTIONAL_ADDONS)):
            raise ConfigError(f"addons: {unknown[0]!r} is not known; there are: {', '.join(OPTIONAL_ADDONS)}")
        for key in ("node_cpu", "node_memory", "node_disk"):
            _check_amount(key, getattr(self, key))
        if self.node_labels:
            _check_labels(self.node_labels)
        if self.kubelet:
            _check_kubelet(self.kubelet)
        if self.registry_config_dir and not Path(self.registry_config_dir).is_absolute():
            raise ConfigError(f"registry_config_dir: must be an absolute path, got {self.registry_config_dir}")
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", self.name):
            raise ConfigError(f'name {self.name!r}: use lower-case letters, digits and "-", at most 32, starting with a letter')
        if not 1 <= self.nodes <= MAX_NODES:
            raise ConfigError(f"nodes: must be between 1 and {MAX_NODES}, got {self.nodes}")
        if self.api_port and not 1 <= self.api_port <= 65535:
            raise ConfigError(f"api_port: must be between 1 and 65535, got {self.api_port}")
        for key in ("pod_subnet", "service_subnet", "fabric_subnet"):
            _check_subnet(key, getattr(self, key))
        subnets = [ipaddress.ip_network(s) for s in (self.pod_subnet, self.service_subnet, self.fabric_subnet)]
        for i, one in enumerate(subnets):
            for other in subnets[i + 1 :]:
                if one.overlaps(other):
                    raise ConfigError(f"subnets {one} and {other} overlap")

    @property
    def context(self) -> str:
        """The name of the kubeconfig context, as users see it."""
        return "kubonsai" if self.name == "kubonsai" else f"kubonsai-{self.name}"

    @property
    def user(self) -> str:
        """The administrator's entry in the kubeconfig."""
        return f"{self.context}-admin"


def _check_subnet(key: str, value: str) -> None:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from error
    if network.is_loopback or network.is_multicast or network.is_link_local or network.is_unspecified:
        raise ConfigError(f"{key}: {value} is set aside for other purposes, use a private network as 10.1.0.0/16")
    if network.prefixlen > 24:
        raise ConfigError(f"{key}: {value} is too small, use a /24 or larger")


def check_files(settings: ClusterSettings) -> None:
    """Raises ConfigError for files that are not there; only before a cluster is made, for later they may be gone."""
    for key, value in settings.apiserver.items():
        is_input = key.endswith(("_file", "_config")) and isinstance(value, str) and value
        if is_input and not Path(value).is_file():
            raise ConfigError(f"apiserver.{key}: there is no file {value}", ["apiserver", key])
    folder = settings.registry_config_dir
    if folder and not Path(folder).is_dir():
        raise ConfigError(f"registry_config_dir: there is no folder {folder}; make it first, it may be empty", ["registry_config_dir"])


def _check_amount(key: str, value: str) -> None:
    if not value:
        return
    from kube.apimachinery.quantity import Quantity, QuantityError  # few clusters set any

    try:
        positive = Quantity.parse(value).amount > 0
    except QuantityError:
        positive = False
    if not positive:
        example = "2 or 500m" if key == "node_cpu" else "2Gi or 512Mi"
        raise ConfigError(f"{key}: must be a quantity above 0, as {example}, got {value!r}")


def _check_labels(given: dict[str, dict[str, str]]) -> None:
    from kube.apimachinery.validation import label_value_problems, qualified_name_problems

    for node, labels in given.items():
        if not re.fullmatch(r"node[1-9][0-9]*", node):
            raise ConfigError(f"node_labels: no node can be named {node!r}; they are node1, node2 ...", ["node_labels", node])
        for key, value in labels.items():
            if problems := [*qualified_name_problems(key), *label_value_problems(value)]:
                raise ConfigError(f"node_labels.{node}: {key}={value}: {problems[0]}", ["node_labels", node, key])


def _check_apiserver(given: dict[str, Any]) -> None:
    """Raises ConfigError: before anything is started, and in the words of the apiserver."""
    from control_plane.apiserver.config import ApiserverConfig  # few clusters set any

    tls = {"cert_file": "/", "key_file": "/", "ca_file": "/"}
    held = {
        "name": "", "advertise_address": "", "etcd_tls": tls, "serving_tls": tls, "kubelet_client_tls": tls,
        "service_account_signing_key_file": "/", "service_account_key_files": ["/"],
    }
    _check_section(
        "apiserver", given, held, {*held, "listen_fds", "secure_port", "grpc_port", "etcd_endpoints", "service_cluster_ip_range"},
        ApiserverConfig)
    for key, value in given.items():
        is_path = key.endswith(("_file", "_config", "_path")) and isinstance(value, str) and value not in ("", "-")
        if is_path and not Path(value).is_absolute():
            raise ConfigError(f"apiserver.{key}: must be an absolute path, got {value}")


def _check_kubelet(given: dict[str, Any]) -> None:
    """Raises ConfigError, as above."""
    from node_agent.kubelet.config import KubeletConfig

    tls = {"cert_file": "/", "key_file": "/", "ca_file": "/"}
    held = {
        "apiserver": {"targets": ["127.0.0.1:1"], "tls": tls}, "node_name": "", "node_ip": "", "root_dir": "/", "run_dir": "/",
        "images_dir": "/", "cgroup_parent": "/", "cluster_dns": [], "serving_tls": tls,
    }
    own = {
        "bootstrap", "pod_network", "port", "grpc_port", "healthz_port", "netns_prefix", "capacity_cpu", "capacity_memory", "capacity_disk",
        "local_networks", "registries", "registry_config_dir", "register_taints", "cluster_domain", "external_cloud",
    }
    _check_section("kubelet", given, held, {*held, *own}, KubeletConfig)


def _check_section(name: str, given: dict[str, Any], held: dict[str, Any], fixed: set[str], kind: type[Config]) -> None:
    if refused := sorted(given.keys() & fixed):
        raise ConfigError(f"{name}.{refused[0]}: the launcher sets it")
    try:
        msgspec.convert({**held, **given}, kind)
    except msgspec.ValidationError as error:
        found = explained(kind, error)
        raise ConfigError(f"{name}: {found}", [name, *found.at]) from error
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}", [name, *error.at]) from error


def with_flags(settings: ClusterSettings, **flags: object) -> ClusterSettings:
    """The settings with those flags that were given (not None); raises ConfigError for what does not fit together."""
    return msgspec.structs.replace(settings, **{key: value for key, value in flags.items() if value is not None})
