"""A real apiserver for a test: its own process from cmd/, over a real etcd, on loopback, with a throwaway PKI."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from control_plane.apiserver.config import ApiserverConfig
from kube.process.config import ApiserverAccess, TlsFiles, write_config
from kube.process.tls import client_context
from tests.support.apiserver_pki import TestPki
from tests.support.etcd import RunningEtcd, running_etcd
from tests.support.ports import free_ports

REPOSITORY = Path(__file__).parents[2]
READY_WITHIN_S = 90.0


class RunningApiserver:
    """Started and killed at will; keeps its ports, its etcd and its PKI."""

    def __init__(self, directory: Path, etcd: RunningEtcd, pki: TestPki, **settings: Any) -> None:
        self.directory = directory
        self.pki = pki
        self.etcd = etcd
        self.port, self.grpc_port = free_ports(2)
        directory.mkdir(parents=True, exist_ok=True)
        assert etcd.tls is not None
        key = pki.service_account_key()
        self.config = ApiserverConfig(**{
            "name": "test", "advertise_address": "192.0.2.10", "secure_port": self.port, "grpc_port": self.grpc_port,
            "etcd_endpoints": (etcd.endpoint,), "etcd_tls": etcd.tls, "serving_tls": pki.identity("kube-apiserver"),
            "kubelet_client_tls": pki.identity("kube-apiserver-kubelet-client", ["kubeadm:cluster-admins"]),
            "service_account_signing_key_file": key, "service_account_key_files": (key,), **settings,
        })
        self.admin = pki.identity("kubernetes-admin", ["system:masters"])
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    @property
    def log(self) -> str:
        return (self.directory / "apiserver.log").read_text()

    def access(self, identity: TlsFiles | None = None) -> ApiserverAccess:
        return ApiserverAccess(targets=(f"127.0.0.1:{self.grpc_port}",), tls=identity or self.admin)

    async def start(self, *, wait: bool = True) -> None:
        path = self.directory / "apiserver.json"
        write_config(self.config, path)
        with (self.directory / "apiserver.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, str(REPOSITORY / "cmd/kube_apiserver.py"), "--config", str(path), stdout=log, stderr=log,
                cwd=self.directory, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            )
        if wait:
            await self.ready()

    async def ready(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S):
            while True:
                assert self._process is not None
                assert self._process.returncode is None, self.log
                try:
                    async with self.session() as session, session.get("/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """kill -9"""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """An orderly end; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        code = 0
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)
            code = await self._process.wait()
        self._process = None
        return code

    def session(self, identity: TlsFiles | None = None, **headers: str) -> aiohttp.ClientSession:
        """Who is named by a client certificate; the admin by default."""
        connector = aiohttp.TCPConnector(ssl=client_context(identity or self.admin))
        return aiohttp.ClientSession(self.url, connector=connector, headers=headers)

    def anonymous_session(self, **headers: str) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=self.pki.ca_file)
        return aiohttp.ClientSession(self.url, connector=aiohttp.TCPConnector(ssl=context), headers=headers)

    def kubeconfig(self, identity: TlsFiles | None = None) -> Path:
        """For the real kubectl."""
        who = identity or self.admin
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": who.ca_file}}],
            "users": [{"name": "test", "user": {"client-certificate": who.cert_file, "client-key": who.key_file}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path = self.directory / "kubeconfig.json"
        path.write_text(json.dumps(config))
        return path


class Kubectl:
    """The real kubectl, with its cache in the test's directory."""

    def __init__(self, kubeconfig: Path) -> None:
        self._arguments = ("kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent / 'cache'}")

    async def __call__(self, *arguments: str, stdin: str = "", fails: bool = False) -> str:
        """Its output; with `fails` what it wrote to standard error."""
        process = await asyncio.create_subprocess_exec(
            *self._arguments, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate(stdin.encode())
        assert (process.returncode != 0) is fails, f"kubectl {' '.join(arguments)}: {out.decode()}{error.decode()}"
        return (error if fails else out).decode()


@asynccontextmanager
async def running_apiserver(directory: Path, **settings: Any) -> AsyncIterator[RunningApiserver]:
    """One apiserver with an etcd of its own. `settings` go into its configuration."""
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        server = RunningApiserver(directory / "apiserver", etcd, TestPki(directory / "pki"), **settings)
        try:
            await server.start()
            yield server
        finally:
            await server.kill()


@asynccontextmanager
async def running_apiservers(directory: Path, count: int, **settings: Any) -> AsyncIterator[Sequence[RunningApiserver]]:
    """Several over one etcd, as in a cluster with more than one control-plane node."""
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        pki = TestPki(directory / "pki")
        servers = [
            RunningApiserver(
                directory / f"apiserver{number}", etcd, pki, name=f"test{number}", advertise_address=f"192.0.2.{10 + number}", **settings)
            for number in range(count)
        ]
        try:
            await asyncio.gather(*(server.start() for server in servers))
            yield servers
        finally:
            for server in servers:
                await server.kill()
