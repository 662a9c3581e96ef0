"""/etc/kubernetes of a node, laid out as kubeadm lays it out, for people who look there: pki/, kubeconfigs, manifests/.

The manifests say with which options the control plane's processes run. Nobody reads them back: the launcher starts the processes itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from control_plane.apiserver.config import ApiserverConfig
from control_plane.controllers.config import ControllerManagerConfig
from kube.process.config import TlsFiles
from launcher.cluster import kubeconfig
from launcher.cluster.layout import Layout, Node
from launcher.cluster.machines import ETC_KUBERNETES as ETC
from launcher.cluster.pki import ClusterPki, NodeIdentities
from launcher.cluster.private_file import write_private

API_PORT: Final = 6443
HEADING: Final = "# How this node's {name} runs. Nobody reads this file: the launcher starts the process, its settings are in {settings}\n"


def folder_of(layout: Layout, node: Node) -> Path:
    """What the node has at /etc/kubernetes."""
    return layout.node_state(node) / "kubernetes"


def write_kubeconfigs(layout: Layout, node: Node, pki: ClusterPki, identities: NodeIdentities) -> None:
    """Of the node's agents, and on a control-plane node of the control plane: by the address that nodes reach the API at."""
    server = f"https://{layout.node(1).address}:{API_PORT}"
    users = {"kubelet.conf": (identities.kubelet, f"system:node:{node.name}"), "kube-proxy.conf": (identities.proxy, "system:kube-proxy")}
    if node.control_plane:
        users |= {
            "admin.conf": (pki.admin, "kubernetes-admin"), "scheduler.conf": (pki.scheduler, "system:kube-scheduler"),
            "controller-manager.conf": (pki.controller_manager, "system:kube-controller-manager"),
        }
    for name, (tls, user) in users.items():
        kubeconfig.write(folder_of(layout, node) / name, kubeconfig.document(layout.settings.context, server, tls, user))
    _write_pki(layout, node, pki)


def write_manifests(
    layout: Layout, node: Node, apiserver: ApiserverConfig, controllers: ControllerManagerConfig, etcd: Sequence[str],
) -> None:
    """One per process that kubeadm runs as a static Pod."""
    scheduler = {"kubeconfig": ETC / "scheduler.conf", "authentication-kubeconfig": ETC / "scheduler.conf", "leader-elect": True}
    programs = {
        "kube-apiserver": ("apiserver", _flags({**_apiserver(apiserver), **_chosen(layout.settings.apiserver)})),
        "kube-controller-manager": ("controller-manager", _flags(_controller_manager(controllers))),
        "kube-scheduler": ("scheduler", _flags(scheduler)),
        "etcd": ("", list(_joined(etcd[1:]))),
    }
    for name, (process, flags) in programs.items():
        settings = layout.config / f"{process}-{node.name}.json" if process else "this command line"
        command = [name, *(flag.replace(str(layout.pki), str(ETC / "pki")) for flag in flags)]
        pod = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "kube-system", "labels": {"component": name, "tier": "control-plane"}},
            "spec": {"containers": [{"name": name, "command": command}], "hostNetwork": True, "priorityClassName": "system-node-critical"},
        }
        text = HEADING.format(name=name, settings=settings) + yaml.dump(pod, Dumper=kubeconfig.YAML_DUMPER, sort_keys=False, width=200)
        write_private(folder_of(layout, node) / "manifests" / f"{name}.yaml", text.encode())


def _write_pki(layout: Layout, node: Node, pki: ClusterPki) -> None:
    """All of it where the control plane is; elsewhere the CA's certificate."""
    folder = folder_of(layout, node) / "pki"
    if not node.control_plane:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.crt").write_bytes(pki.ca.certificate_file.read_bytes())
    elif not folder.is_symlink():
        folder.symlink_to(layout.pki)


def _apiserver(config: ApiserverConfig) -> dict[str, object]:
    serving, etcd, kubelets, proxy = config.serving_tls, config.etcd_tls, config.kubelet_client_tls, config.front_proxy
    return {
        "advertise-address": config.advertise_address, "secure-port": config.secure_port,
        "authorization-mode": ",".join(config.authorization_modes),
        "client-ca-file": serving.ca_file, "tls-cert-file": serving.cert_file, "tls-private-key-file": serving.key_file,
        "etcd-servers": ",".join(f"https://{endpoint}" for endpoint in config.etcd_endpoints),
        **_client("etcd", etcd, "cafile", "certfile", "keyfile"),
        **_client("kubelet", kubelets, "certificate-authority", "client-certificate", "client-key"),
        **({"proxy-client-cert-file": proxy.cert_file, "proxy-client-key-file": proxy.key_file} if proxy else {}),
        "requestheader-client-ca-file": config.requestheader_client_ca_file,
        "requestheader-allowed-names": ",".join(config.requestheader_allowed_names),
        "service-account-issuer": ",".join(config.issuers), "service-account-key-file": ",".join(config.service_account_key_files),
        "service-account-signing-key-file": config.service_account_signing_key_file,
        "service-cluster-ip-range": config.service_cluster_ip_range, "enable-bootstrap-token-auth": config.enable_bootstrap_token_auth,
    }


def _controller_manager(config: ControllerManagerConfig) -> dict[str, object]:
    return {
        "kubeconfig": ETC / "controller-manager.conf", "authentication-kubeconfig": ETC / "controller-manager.conf",
        "root-ca-file": config.root_ca_file, "service-account-private-key-file": config.service_account_private_key_file,
        "cluster-signing-cert-file": config.cluster_signing_cert_file, "cluster-signing-key-file": config.cluster_signing_key_file,
        "cluster-cidr": config.cluster_cidr, "node-cidr-mask-size": config.node_cidr_mask_size, "allocate-node-cidrs": True,
        "use-service-account-credentials": False, "leader-elect": config.leader_elect,
    }


def _client(prefix: str, tls: TlsFiles, ca: str, certificate: str, key: str) -> dict[str, object]:
    return {f"{prefix}-{ca}": tls.ca_file, f"{prefix}-{certificate}": tls.cert_file, f"{prefix}-{key}": tls.key_file}


def _chosen(settings: Mapping[str, Any]) -> dict[str, object]:
    """What the user set, by the flags' names."""
    return {
        key.replace("_", "-"): ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        for key, value in settings.items() if not isinstance(value, dict)
    }


def _flags(options: Mapping[str, object]) -> list[str]:
    return [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items() if value != ""]


def _joined(words: Sequence[str]) -> Iterator[str]:
    """`--flag value` -> `--flag=value`."""
    for index, word in enumerate(words):
        if word.startswith("--"):
            following = words[index + 1] if index + 1 < len(words) else "--"
            yield word if following.startswith("--") else f"{word}={following}"
