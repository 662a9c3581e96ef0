"""`init`: the cluster's identities, made once. A second `up` finds them and changes nothing.

Two volumes: `pki` for the control plane, with the CAs' keys, readable by its processes' group; `join` for nodes, with what a machine
needs to become a node (the CA's certificate and a bootstrap token, as for `kubeadm join`) and the identities common to all nodes.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from kube.process.config import TlsFiles
from launcher.cluster import kubeconfig
from launcher.cluster.join import new_token
from launcher.cluster.pki import Authority, ensure_cluster_pki
from launcher.cluster.private_file import write_private
from launcher.compose import paths

AGENTS = {"kube-proxy": "system:kube-proxy", "pod-network": "kubonsai:pod-network"}


def main(argv: Sequence[str] | None = None) -> int:
    pki = ensure_cluster_pki(paths.PKI, paths.CONTROL_PLANE, paths.CONTROL_PLANE_NAMES, paths.KUBERNETES_IP)
    _ensure_join(pki.ca)
    inside = kubeconfig.document("kubonsai", f"https://{paths.CONTROL_PLANE}:{paths.API_PORT}", pki.admin, "kubonsai-admin")
    kubeconfig.write(paths.ADMIN_KUBECONFIG, inside)
    for file in paths.PKI.rglob("*"):       # for root, who starts the control plane's processes, and for their group
        os.chown(file, 0, paths.USER)
        file.chmod(0o750 if file.is_dir() else 0o640)
    paths.PKI.chmod(0o750)
    os.chown(paths.PKI, 0, paths.USER)
    os.chown(paths.ETCD, paths.USER, paths.USER)
    paths.ETCD.chmod(0o700)
    _write_for_host(pki.admin)
    return 0


def join_identity(name: str) -> TlsFiles:
    """The files of an identity that all nodes share: "kube-proxy" or "pod-network"."""
    return TlsFiles(
        cert_file=str(paths.JOIN / f"{name}.crt"), key_file=str(paths.JOIN / f"{name}.key"), ca_file=str(paths.JOIN / "ca.crt"))


def _ensure_join(ca: Authority) -> None:
    paths.JOIN.chmod(0o700)
    shutil.copyfile(ca.certificate_file, paths.JOIN / "ca.crt")
    for name, user in AGENTS.items():
        ca.ensure_certificate(paths.JOIN, name, user)
    if not paths.BOOTSTRAP_TOKEN.exists():
        write_private(paths.BOOTSTRAP_TOKEN, new_token().encode())
    shutil.copyfile(paths.BOOTSTRAP_TOKEN, paths.PKI / "bootstrap-token")


def _write_for_host(admin: TlsFiles) -> None:
    """./.kubonsai/kubeconfig, owned by whoever owns that folder."""
    if not paths.OUTPUT.is_dir():
        return
    port = os.environ.get("KUBONSAI_API_PORT") or str(paths.API_PORT)
    file = paths.OUTPUT / "kubeconfig"
    owner = paths.OUTPUT.stat()
    try:
        kubeconfig.write(file, kubeconfig.document("kubonsai", f"https://127.0.0.1:{port}", admin, "kubonsai-admin"))
        os.chown(file, owner.st_uid, owner.st_gid)
    except OSError as error:      # a folder that is not ours to write, on a machine that is not this one: the cluster works without
        print(f"no kubeconfig was written for the host: {error}", file=sys.stderr)  # noqa: T201
