"""Starts a cluster's zygote, if there is none. Imports little, so that it can come before all else that `up` does."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from kube.process.config import ConfigError
from launcher.cluster import cgroups
from launcher.cluster.errors import ZygoteUnavailable
from launcher.cluster.layout import Layout
from launcher.cluster.private_file import make_private_folder
from launcher.cluster.zygote_client import Request, ask, end_leftovers

DEFAULT_API_PORT = 6443
API_HOST = "127.0.0.1"


def ensure_zygote(layout: Layout) -> int:
    """A zygote that answers, or will in a moment; returns the API's port on the host. Raises ConfigError: the wanted port is taken."""
    port_file = layout.state / "api-port"
    zygote_socket = layout.run / "zygote.sock"
    try:
        ask(zygote_socket, Request(op="list"), timeout_s=3.0)
        return int(port_file.read_text())
    except (ZygoteUnavailable, OSError, ValueError):
        pass
    for folder in (layout.run, layout.logs):
        make_private_folder(folder)
    end_leftovers(layout.process_table)
    zygote_socket.unlink(missing_ok=True)
    cgroups.create(layout.cgroup)
    listener = open_api_socket(layout, port_file)
    with listener, (layout.logs / "zygote.log").open("ab") as log:
        arguments = ["--cluster", layout.name, "--run-dir", str(layout.run), "--api-socket", str(listener.fileno())]
        subprocess.Popen(
            [sys.executable, "-m", "launcher.cluster.zygote", *arguments],
            preexec_fn=partial(cgroups.join, f"{layout.cgroup}/machine-room"),     # from its first instant on: `down` must find it
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[listener.fileno()], cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONSAFEPATH": "1"},
        )
        port: int = listener.getsockname()[1]
    port_file.write_text(str(port))
    return port


def open_api_socket(layout: Layout, port_file: Path) -> socket.socket:
    """Listens on the host's 127.0.0.1: on the port asked for, else the last one, 6443, or a free one."""
    wanted = layout.settings.api_port
    last = int(port_file.read_text()) if port_file.exists() else DEFAULT_API_PORT
    for port in (wanted,) if wanted else (last, DEFAULT_API_PORT, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((API_HOST, port))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener
    raise ConfigError(f"port {wanted} on {API_HOST} is in use; give another one with --api-port, or none for a free one")
