"""A process of the control plane in a container of its own: it enters the control-plane node's network, drops its rights, becomes it.

Root and CAP_SYS_ADMIN are for entering alone; the process itself is an ordinary user's.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from kube.process.config import ApiserverAccess, Config, TlsFiles, write_config
from launcher.cluster.etcd import etcd_command
from launcher.cluster.pki import ClusterPki, ensure_cluster_pki
from launcher.compose import health, network, paths

CODE = Path(__file__).resolve().parents[2]
RETRY_S = 0.1


def pki() -> ClusterPki:
    """What `init` made. It alone renews, with the next `docker compose up`: the volume is read-only here."""
    return ensure_cluster_pki(paths.PKI, paths.CONTROL_PLANE, paths.CONTROL_PLANE_NAMES, paths.KUBERNETES_IP, issues=False)


def _access(tls: TlsFiles) -> ApiserverAccess:
    return ApiserverAccess(targets=(f"127.0.0.1:{paths.GRPC_PORT}",), tls=tls)


def apiserver(held: ClusterPki) -> Config:
    from control_plane.apiserver.config import ApiserverConfig

    return ApiserverConfig(
        name=paths.CONTROL_PLANE,
        advertise_address=network_address(),
        etcd_tls=held.etcd_client,
        serving_tls=held.apiserver,
        kubelet_client_tls=held.kubelet_client,
        service_account_signing_key_file=held.service_account_key,
        service_account_key_files=(held.service_account_public,),
        service_cluster_ip_range=paths.SERVICE_SUBNET,
        front_proxy=held.front_proxy,
        requestheader_client_ca_file=held.requestheader_ca_file,
    )


def scheduler(held: ClusterPki) -> Config:
    from control_plane.scheduler.config import SchedulerConfig

    return SchedulerConfig(apiserver=_access(held.scheduler), serving_tls=held.component_serving, identity=paths.CONTROL_PLANE)


def controller_manager(held: ClusterPki) -> Config:
    from control_plane.controllers.config import ControllerManagerConfig

    return ControllerManagerConfig(
        apiserver=_access(held.controller_manager), serving_tls=held.component_serving, identity=paths.CONTROL_PLANE,
        root_ca_file=str(held.ca.certificate_file), service_account_private_key_file=held.service_account_key,
        cluster_cidr=paths.POD_SUBNET,
        cluster_signing_cert_file=str(held.ca.certificate_file), cluster_signing_key_file=str(paths.PKI / "ca.key"),
    )


def cloud_controller_manager(held: ClusterPki) -> Config:
    from control_plane.cloud.config import CloudConfig

    return CloudConfig(
        apiserver=_access(held.cloud_controller_manager), serving_tls=held.component_serving, identity=paths.CONTROL_PLANE,
        machines_folder=str(paths.MACHINES),
    )


# role: its configuration, its launcher in cmd/, where it says how it is
COMPONENTS: dict[str, tuple[Callable[[ClusterPki], Config], str, str]] = {
    "apiserver": (apiserver, "kube_apiserver.py", f"{paths.API_PORT}/readyz"),
    "scheduler": (scheduler, "kube_scheduler.py", "10259/healthz"),
    "controller-manager": (controller_manager, "kube_controller_manager.py", "10257/healthz"),
    "cloud-controller-manager": (cloud_controller_manager, "cloud_controller_manager.py", "10258/healthz"),
}


def become(role: str, arguments: Sequence[str]) -> NoReturn:
    """Never returns: the process goes on as etcd or as a component. `arguments` follow its own, e.g. `-v`."""
    held = pki()
    network.enter()
    if role == "etcd":
        health.tell(f"https://{paths.CONTROL_PLANE}:2379/health", held.etcd_client.ca_file, held.etcd_client)
        command = etcd_command(
            paths.CONTROL_PLANE, paths.ETCD, held.etcd_server, listen=("0.0.0.0",), advertise="127.0.0.1", peer="127.0.0.1")
    else:
        configure, launcher, page = COMPONENTS[role]
        health.tell(f"https://{paths.CONTROL_PLANE}:{page}", held.admin.ca_file)
        write_config(configure(held), paths.CONFIG)
        paths.CONFIG.chmod(0o644)       # it names files, and holds no secret
        command = (sys.executable, str(CODE / "cmd" / launcher), "--config", str(paths.CONFIG))
    _drop_rights()
    sys.stdout.flush()
    os.execvp(command[0], [*command, *arguments])


def network_address() -> str:
    """The control-plane node's on the compose network; Docker's DNS knows it, from inside as well."""
    while True:
        try:
            return socket.gethostbyname(paths.CONTROL_PLANE)
        except OSError:
            time.sleep(RETRY_S)


def _drop_rights() -> None:
    os.setgroups([])
    os.setgid(paths.USER)
    os.setuid(paths.USER)       # from root to another: the kernel clears every capability
