"""The two servers that are compared: ours and upstream's kube-apiserver, each over an etcd of its own, on loopback.

Both do the same work: TLS, tokens from a file, RBAC, ServiceAccount admission. Neither has controllers beside it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from control_plane.storage.etcd import EtcdStore
from launcher.cluster.status import proportional_set_size
from tests.support.apiserver import RunningApiserver
from tests.support.apiserver_pki import TestPki
from tests.support.etcd import RunningEtcd, running_etcd
from tests.support.ports import free_ports

ADMIN_TOKEN: Final = "admin-of-the-bench"   # noqa: S105 (of a server that lives for minutes, on loopback)
TOKEN: Final = "client-of-the-bench"        # noqa: S105
_TOKENS: Final = f'{ADMIN_TOKEN},admin,1,"system:masters"\n{TOKEN},bench,2\n'
_READY_WITHIN_S: Final = 120.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class _Process(Protocol):
    @property
    def pid(self) -> int: ...


class Server:
    """One of the two, while it runs."""

    def __init__(self, name: str, port: int, pid: int, ca_file: str, etcd: RunningEtcd, etcd_pid: int) -> None:
        self.name = name
        self.port = port
        self.pid = pid
        self.ca_file = ca_file
        self.context = ssl.create_default_context(cafile=ca_file)
        self.etcd = etcd
        self._etcd_pid = etcd_pid

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Seconds of user and system time so far."""
        return _cpu_s(self.pid)

    def waited_s(self) -> float:
        """Seconds that its threads could have run and did not, since others did."""
        return sum(int(path.read_text().split()[1]) for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9

    def etcd_cpu_s(self) -> float:
        return _cpu_s(self._etcd_pid)

    def memory(self) -> int:
        """Bytes, as proportional set size."""
        return proportional_set_size(self.pid)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[EtcdStore]:
        """Its etcd, past the apiserver."""
        async with EtcdStore.connect((self.etcd.endpoint,), self.etcd.tls) as store:
            yield store


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@asynccontextmanager
async def own_server(directory: Path) -> AsyncIterator[Server]:
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        pki = TestPki(directory / "pki")
        running = RunningApiserver(directory / "apiserver", etcd, pki, token_auth_file=str(_tokens(directory)))
        try:
            await running.start()
            assert running._process is not None
            yield Server("kubonsai", running.port, running._process.pid, pki.ca_file, etcd, _pid_of(etcd))
        finally:
            await running.stop()


@asynccontextmanager
async def upstream_server(binary: str, directory: Path) -> AsyncIterator[Server]:
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        pki = TestPki(directory / "pki")
        (port,) = free_ports(1)
        with (directory / "apiserver.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                binary, *_flags(port, directory, pki, etcd), stdout=log, stderr=log, cwd=directory)
        try:
            await _ready(port, pki, process)
            yield Server("upstream", port, process.pid, pki.ca_file, etcd, _pid_of(etcd))
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await process.wait()


def _flags(port: int, directory: Path, pki: TestPki, etcd: RunningEtcd) -> list[str]:
    assert etcd.tls is not None
    serving, key = pki.identity("kube-apiserver"), pki.service_account_key()
    flags = {
        "etcd-servers": f"https://{etcd.endpoint}", "etcd-cafile": etcd.tls.ca_file,
        "etcd-certfile": etcd.tls.cert_file, "etcd-keyfile": etcd.tls.key_file,
        "secure-port": port, "bind-address": "127.0.0.1", "advertise-address": "192.0.2.10",
        "tls-cert-file": serving.cert_file, "tls-private-key-file": serving.key_file, "client-ca-file": pki.ca_file,
        "service-account-issuer": "https://kubernetes.default.svc", "service-account-key-file": key,
        "service-account-signing-key-file": key, "service-cluster-ip-range": "10.96.0.0/12",
        "authorization-mode": "Node,RBAC", "token-auth-file": _tokens(directory),
        "endpoint-reconciler-type": "none",     # its lease would be a second writer
    }
    return [f"--{name}={value}" for name, value in flags.items()]


async def _ready(port: int, pki: TestPki, process: asyncio.subprocess.Process) -> None:
    context = ssl.create_default_context(cafile=pki.ca_file)
    async with asyncio.timeout(_READY_WITHIN_S):
        while True:
            assert process.returncode is None, "upstream's kube-apiserver ended; see its log"
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                head = f"GET /readyz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                line = await reader.readline()
                writer.close()
                if b" 200 " in line:
                    return
            except OSError:
                pass
            await asyncio.sleep(0.2)


def _tokens(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "tokens.csv"
    path.write_text(_TOKENS)
    return path


def _pid_of(etcd: RunningEtcd) -> int:
    process: _Process | None = etcd._process
    assert process is not None
    return process.pid
