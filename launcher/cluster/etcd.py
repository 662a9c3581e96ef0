"""etcd's command line: the same in a namespace and in a container."""

from __future__ import annotations

from pathlib import Path

from kube.process.config import TlsFiles


def etcd_command(name: str, data: Path, tls: TlsFiles, *, listen: tuple[str, ...], advertise: str, peer: str) -> tuple[str, ...]:
    """A lone member. `listen`: addresses it binds for clients; `advertise`: where they find it; `peer`: where other members would.

    A lone member elects itself after one heartbeat interval: with etcd's default that is most of its start.
    """
    peer_url = f"https://{peer}:2380"
    return (
        "etcd", "--name", name, "--data-dir", str(data),
        "--listen-client-urls", ",".join(f"https://{host}:2379" for host in listen),
        "--advertise-client-urls", f"https://{advertise}:2379",
        "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url, "--initial-cluster", f"{name}={peer_url}",
        "--cert-file", tls.cert_file, "--key-file", tls.key_file, "--trusted-ca-file", tls.ca_file, "--client-cert-auth",
        "--peer-cert-file", tls.cert_file, "--peer-key-file", tls.key_file, "--peer-trusted-ca-file", tls.ca_file,
        "--peer-client-cert-auth", "--heartbeat-interval", "25", "--election-timeout", "250", "--snapshot-count", "10000",
        "--logger", "zap", "--log-level", "warn",
    )
