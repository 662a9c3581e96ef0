"""How this machine comes to a compose cluster's API: the kubeconfig that init wrote for it, and the port."""

from __future__ import annotations

import base64
import contextlib
import errno
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from kube.process.config import YAML_LOADER, TlsFiles
from launcher.cluster.errors import LauncherError
from launcher.cluster.private_file import write_private
from launcher.compose.paths import API_PORT
from launcher.compose.provider_containers import Container
from launcher.compose.provider_folder import output_folder


def kubeconfig_file(name: str, containers: Sequence[Container]) -> Path:
    """The one that init wrote, from whichever checkout it was started."""
    written = next((Path(c.output) for c in containers if c.output), None)
    return (written if written is not None and written.is_dir() else output_folder(name)) / "kubeconfig"


def read_kubeconfig(file: Path) -> dict[str, Any]:
    """Raises LauncherError."""
    try:
        held = yaml.load(file.read_text(), Loader=YAML_LOADER)  # noqa: S506  (a SafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise LauncherError(f"the kubeconfig that init writes cannot be read: {error}; `./kubonsai up` writes it again") from error
    if not isinstance(held, dict) or not all(held.get(section) for section in ("clusters", "users", "contexts")):
        raise LauncherError(f"{file} is no kubeconfig; `./kubonsai up` writes it again")
    return held


def renamed(held: dict[str, Any], context: str, user: str) -> dict[str, Any]:
    """The same credentials, going by the names of this cluster."""
    cluster, login = held["clusters"][0]["cluster"], held["users"][0]["user"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": user, "user": login}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        "current-context": context,
    }


@contextlib.contextmanager
def admin_files(held: dict[str, Any]) -> Iterator[TlsFiles]:
    """The administrator's certificate and key as files, for as long as it takes."""
    cluster, login = held["clusters"][0]["cluster"], held["users"][0]["user"]
    with tempfile.TemporaryDirectory(prefix="kubonsai-") as folder:
        contents = {
            "ca.crt": cluster["certificate-authority-data"], "admin.crt": login["client-certificate-data"],
            "admin.key": login["client-key-data"],
        }
        for name, data in contents.items():
            write_private(Path(folder, name), base64.b64decode(data))
        yield TlsFiles(cert_file=f"{folder}/admin.crt", key_file=f"{folder}/admin.key", ca_file=f"{folder}/ca.crt")


def api_port(containers: Sequence[Container]) -> int:
    """Where the API of these is, on 127.0.0.1; 0 when none of them knows."""
    return next((c.api_port for c in containers if c.api_port), 0)


def free_port() -> int:
    """6443, or one that is free for now."""
    return API_PORT if is_free(API_PORT) else _any_port()


def is_free(port: int) -> bool:
    """On 127.0.0.1. The engine would say so as well, after all that needs no port has been started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)     # as the engine does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
        return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
