"""A real etcd for a test: free loopback ports, a data directory of its own, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from control_plane.storage.etcd import EtcdStore
from kube.process.config import TlsFiles
from tests.support.ports import free_ports


async def eventually(holds: Callable[[], bool], within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not holds():      # noqa: ASYNC110  it is not ours to signal
            await asyncio.sleep(0.01)


class RunningEtcd:
    """Stopped and started at will; keeps its ports and its data."""

    def __init__(self, directory: Path, tls: TlsFiles | None = None) -> None:
        self.directory = directory
        self.tls = tls
        self.client_port, self.peer_port = free_ports(2)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    async def start(self) -> None:
        scheme = "https" if self.tls else "http"
        arguments = [
            "--name=test", f"--data-dir={self.directory / 'data'}", "--logger=zap", "--unsafe-no-fsync",
            f"--listen-client-urls={scheme}://{self.endpoint}", f"--advertise-client-urls={scheme}://{self.endpoint}",
            f"--listen-peer-urls=http://127.0.0.1:{self.peer_port}", f"--initial-advertise-peer-urls=http://127.0.0.1:{self.peer_port}",
            f"--initial-cluster=test=http://127.0.0.1:{self.peer_port}",
        ]
        if self.tls:
            arguments += [
                f"--cert-file={self.tls.cert_file}", f"--key-file={self.tls.key_file}", f"--trusted-ca-file={self.tls.ca_file}",
                "--client-cert-auth",
            ]
        with (self.directory / "etcd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec("etcd", *arguments, stdout=log, stderr=log)

    async def kill(self) -> None:
        """kill -9"""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()
        self._process = None


class BreakableLink:
    """A TCP relay to a port on loopback that can be cut and mended."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        (self.port,) = free_ports(1)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def cut(self) -> None:
        if self._server:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        if self._server:
            await self._server.wait_closed()
            self._server = None

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        pair = {writer, far_writer}
        self._open |= pair
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            self._open -= pair
            for end in pair:
                end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def linked(etcd: RunningEtcd) -> AsyncIterator[BreakableLink]:
    link = BreakableLink(etcd.client_port)
    await link.mend()
    try:
        yield link
    finally:
        await link.cut()


@asynccontextmanager
async def running_etcd(directory: Path, *, tls: bool = False) -> AsyncIterator[RunningEtcd]:
    directory.mkdir(parents=True, exist_ok=True)
    etcd = RunningEtcd(directory, make_tls_files(directory) if tls else None)
    await etcd.start()
    try:
        async with EtcdStore.connect([etcd.endpoint], etcd.tls) as store:
            await store.current_revision()
        yield etcd
    finally:
        await etcd.kill()
        for folder in filter(Path.is_dir, [*directory.iterdir()]):      # 128 MB of data, even without any; etcd.log stays
            shutil.rmtree(folder, ignore_errors=True)


def make_tls_files(directory: Path) -> TlsFiles:
    """A CA and one certificate for 127.0.0.1 that serves both sides."""
    ca_key, ca = _certificate("etcd-ca", None)
    key, certificate = _certificate("etcd-client", (ca_key, ca))
    files = TlsFiles(cert_file=str(directory / "tls.crt"), key_file=str(directory / "tls.key"), ca_file=str(directory / "ca.crt"))
    Path(files.ca_file).write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    Path(files.cert_file).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(files.key_file).write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))
    return files


def _certificate(
    name: str, issuer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
        builder = builder.add_extension(loopback, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())
