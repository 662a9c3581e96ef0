"""A little cluster's network without a cluster: a fabric, machines on it, sandboxes on those, a client outside.

    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)                 # 172.30.0.11, Pods 10.244.1.0/24
        pod = await lab.pod(node)
        server = await lab.serve(pod, 8080)
        assert await lab.ask(pod, server.address, 8080) == ...

All in namespaces of its own. Servers and clients are sockets made inside a namespace and used from the test's own event
loop: a socket stays where it was made.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, cast

from netns import fabric, namespaces
from netns.kernel import KernelThread
from netns.overlay import Peer
from node_agent.kubelet.network import PodNetwork


class Reply(NamedTuple):
    """Who answered, and from which address it saw the question come."""

    server: str
    client: str


@dataclass(slots=True)
class Machine:
    name: str                        # of its namespace
    address: str
    pod_cidr: str
    kernel: KernelThread
    network: PodNetwork


@dataclass(slots=True)
class Pod:
    name: str                        # of its namespace
    address: str
    machine: Machine
    uid: str


Place = Machine | Pod | str          # str: the name of a namespace


@dataclass(slots=True)
class Lab:
    folder: Path
    prefix: str = field(default_factory=lambda: f"kt{os.getpid() % 100000}-{os.urandom(2).hex()}")
    machines: list[Machine] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _kernel: KernelThread = field(default_factory=KernelThread)

    @property
    def fabric(self) -> str:
        return f"{self.prefix}-fabric"

    async def __aenter__(self) -> Lab:
        await self._stack.enter_async_context(self._kernel)
        self._stack.push_async_callback(self._tear_down)
        await self._kernel.run_in(None, partial(fabric.create_fabric, self.fabric, "172.30.0.1/24"))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def machine(self, number: int) -> Machine:
        """Node `number`, with its Pod network; peers are set with `connect`."""
        name = await self._attach(f"m{number}", f"172.30.0.{10 + number}")
        kernel = await self._stack.enter_async_context(KernelThread(home=namespaces.path_of(name)))
        network = PodNetwork(kernel, node_ip=f"172.30.0.{10 + number}", root_dir=self.folder / name)
        machine = Machine(name, f"172.30.0.{10 + number}", f"10.244.{number}.0/24", kernel, network)
        await network.setup(machine.pod_cidr)
        self.machines.append(machine)
        return machine

    async def connect(self) -> None:
        """Tells every machine of the others."""
        for machine in self.machines:
            await machine.network.set_peers([Peer(other.address, other.pod_cidr) for other in self.machines if other is not machine])

    async def outsider(self, last_byte: int = 100) -> str:
        """A client on the fabric that is no node. Gives its namespace's name."""
        return await self._attach(f"out{last_byte}", f"172.30.0.{last_byte}")

    async def pod(self, machine: Machine) -> Pod:
        name, uid = f"{self.prefix}-p{len(self.pods)}", f"uid-{self.prefix}-{len(self.pods)}"
        path = await self._kernel.run_in(None, partial(namespaces.create_named, name))
        pod = Pod(name, await machine.network.add(uid, path), machine, uid)
        self.pods.append(pod)
        return pod

    async def serve(self, where: Place, port: int, *, address: str = "0.0.0.0", protocol: str = "tcp") -> None:
        """Answers every question with the place's name and the address that it saw, until the lab ends."""
        name = where if isinstance(where, str) else where.name
        listener = await self.socket(where, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        if protocol == "udp":
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _UdpServer(name), sock=listener)
            self._stack.callback(transport.close)
            return
        server = await asyncio.start_server(partial(_answer, name), sock=listener, backlog=1000)
        self._stack.callback(server.close)

    async def ask(self, where: Place, address: str, port: int, *, protocol: str = "tcp", within_s: float = 30.0) -> Reply:
        """One connection (or datagram) from a place. Raises OSError, or TimeoutError if there is no answer."""
        with await self.socket(where, protocol) as client:
            return await self.ask_with(client, address, port, within_s=within_s)

    async def ask_with(self, client: socket.socket, address: str, port: int, *, within_s: float = 30.0) -> Reply:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within_s):
            await loop.sock_connect(client, (address, port))
            await loop.sock_sendall(client, b"?")
            server, _, peer = (await loop.sock_recv(client, 200)).decode().partition(" ")
        if not server:
            raise ConnectionResetError("closed without an answer")
        return Reply(server, peer)

    async def socket(self, where: Place, protocol: str = "tcp") -> socket.socket:
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        name = where if isinstance(where, str) else where.name
        made = await self._kernel.run_in(namespaces.path_of(name), partial(socket.socket, socket.AF_INET, kind))
        made.setblocking(False)
        return made

    async def _attach(self, short: str, address: str) -> str:
        name = f"{self.prefix}-{short}"
        await self._kernel.run_in(None, partial(namespaces.create_named, name))
        uplink = fabric.Uplink(name=fabric.port_name(name), address=f"{address}/24", gateway="172.30.0.1")
        await self._kernel.run_in(None, partial(fabric.attach_machine, self.fabric, name, uplink))
        return name

    async def _tear_down(self) -> None:
        await self._kernel.run_in(None, partial(fabric.delete_fabric, self.fabric))
        for name in namespaces.list_named(self.prefix):
            await self._kernel.run_in(None, partial(namespaces.delete_named, name))


async def _answer(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        if await reader.read(1):
            writer.write(f"{name} {writer.get_extra_info('peername')[0]}".encode())
            await writer.drain()
    finally:
        writer.close()


class _UdpServer(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(f"{self._name} {addr[0]}".encode(), addr)
