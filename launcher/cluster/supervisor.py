"""The machine room's gRPC face: MachineService on a unix socket. Which machines there are, and add, remove, stop or start one.

It owns no process itself: the zygote runs them. The cloud-controller-manager asks here as another one asks its cloud.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kube.process.log import configure_logging, get_logger
from kube.rpc.v1 import machines_pb2, machines_pb2_grpc
from launcher.cluster import cgroups, machines
from launcher.cluster.layout import Layout, Node
from launcher.cluster.log_rotation import keep_logs_short
from launcher.cluster.pki import ensure_pki
from launcher.cluster.plan import Planner
from launcher.cluster.registry import MachineRegistry, index_of_new
from launcher.cluster.state import load_settings
from launcher.cluster.zygote_client import ProcessState, Reply, Request, ask
from netns import fabric

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]      # only its stub is generic

REGION = "local"
INSTANCE_TYPE = "kubonsai.node"
log = get_logger("supervisor")


class MachineRoom(machines_pb2_grpc.MachineServiceServicer):
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.registry = MachineRegistry(layout)
        self.socket = layout.run / "zygote.sock"
        self.lock = asyncio.Lock()      # one change of the machines at a time

    async def ListMachines(  # noqa: N802  # gRPC's names
        self, request: machines_pb2.ListMachinesRequest, context: Context
    ) -> machines_pb2.ListMachinesReply:
        return machines_pb2.ListMachinesReply(machines=[self._machine(node) for node, _ in self.registry.nodes()])

    async def AddMachine(  # noqa: N802
        self, request: machines_pb2.AddMachineRequest, context: Context
    ) -> machines_pb2.Machine:
        async with self.lock:
            try:
                index = index_of_new({record.index for record in self.registry.records()}, request.name)
            except ValueError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            return await self._switch_on(self.layout.node(index))

    async def StartMachine(  # noqa: N802
        self, request: machines_pb2.MachineRequest, context: Context
    ) -> machines_pb2.Machine:
        async with self.lock:
            return await self._switch_on(await self._find(request.name, context))

    async def StopMachine(  # noqa: N802
        self, request: machines_pb2.MachineRequest, context: Context
    ) -> machines_pb2.Empty:
        """As if its plug were pulled: all its processes end, containers too; its disk stays."""
        async with self.lock:
            node = await self._find(request.name, context)
            await self._switch_off(node)
            self.registry.put(node.index, running=False)
        return machines_pb2.Empty()

    async def RemoveMachine(  # noqa: N802
        self, request: machines_pb2.MachineRequest, context: Context
    ) -> machines_pb2.Empty:
        async with self.lock:
            node = await self._find(request.name, context)
            if node.control_plane:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{node.name} cannot be removed, the control plane runs there")
            await self._switch_off(node)
            self.registry.remove(node.index)
        return machines_pb2.Empty()

    async def ConnectMachine(  # noqa: N802
        self, request: machines_pb2.ConnectMachineRequest, context: Context
    ) -> machines_pb2.Machine:
        """Cut off, a machine lives on alone: its processes run, nobody reaches it, and it reaches nobody."""
        async with self.lock:
            node = await self._find(request.name, context)
            if not self.registry.record(node).running:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{node.name} is off")
            port = fabric.port_name(node.name)
            await asyncio.to_thread(fabric.set_connected, self.layout.fabric_netns, port, connected=request.connected)
            self.registry.put(node.index, running=True, connected=request.connected)
            log.info("machine is connected" if request.connected else "machine is cut off", machine=node.name)
            return self._machine(node)

    async def ListProcesses(  # noqa: N802
        self, request: machines_pb2.ListProcessesRequest, context: Context
    ) -> machines_pb2.ListProcessesReply:
        reply = await self._ask(Request(op="list"))
        return machines_pb2.ListProcessesReply(processes=[_process(state) for state in reply.processes])

    async def RestartProcess(  # noqa: N802
        self, request: machines_pb2.RestartProcessRequest, context: Context
    ) -> machines_pb2.Empty:
        await self._ask(Request(op="restart", keys=(f"{request.name}/{request.node}",)))
        return machines_pb2.Empty()

    async def Shutdown(  # noqa: N802
        self, request: machines_pb2.ShutdownRequest, context: Context
    ) -> machines_pb2.Empty:
        await self._ask(Request(op="shutdown"))
        return machines_pb2.Empty()

    async def _switch_on(self, node: Node) -> machines_pb2.Machine:
        planner = Planner(self.layout, await asyncio.to_thread(ensure_pki, self.layout))
        await asyncio.to_thread(machines.create, self.layout, node)
        specs = [*(planner.control_plane() if node.control_plane else ()), *planner.agents(node)]
        await self._ask(Request(op="ensure", specs=tuple(specs)))
        self.registry.put(node.index, running=True)
        log.info("machine is on", machine=node.name)
        return self._machine(node)

    async def _switch_off(self, node: Node) -> None:
        states = (await self._ask(Request(op="list"))).processes
        await self._ask(Request(op="stop", keys=tuple(f"{s.name}/{s.node}" for s in states if s.node == node.name)))
        await asyncio.to_thread(cgroups.kill, node.cgroup)
        await asyncio.to_thread(machines.destroy, self.layout, node)
        log.info("machine is off", machine=node.name)

    async def _find(self, name: str, context: Context) -> Node:
        node = self.registry.find(name)
        if node is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no machine {name!r}")
        assert node is not None
        return node

    async def _ask(self, request: Request) -> Reply:
        return await asyncio.to_thread(ask, self.socket, request)

    def _machine(self, node: Node) -> machines_pb2.Machine:
        record = self.registry.record(node)
        return machines_pb2.Machine(
            name=node.name, address=node.address, provider_id=node.provider_id, zone=f"{REGION}-{'abc'[(node.index - 1) % 3]}",
            region=REGION, instance_type=INSTANCE_TYPE, control_plane=node.control_plane, running=record.running,
            connected=record.connected,
        )


def _process(state: ProcessState) -> machines_pb2.Process:
    return machines_pb2.Process(
        name=state.name, node=state.node, pid=state.pid, uptime_seconds=time.time() - state.started_at if state.pid else 0,
        restarts=state.restarts, log_file=state.log_file,
    )


async def serve(layout: Layout) -> None:
    server = grpc.aio.server()
    machines_pb2_grpc.add_MachineServiceServicer_to_server(MachineRoom(layout), server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    layout.supervisor_socket.unlink(missing_ok=True)
    server.add_insecure_port(f"unix:{layout.supervisor_socket}")
    await server.start()
    layout.supervisor_socket.chmod(0o600)
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    log.info("machine room is open", socket=layout.supervisor_socket)
    async with asyncio.TaskGroup() as tasks:
        rotating = tasks.create_task(keep_logs_short(layout.logs), name="log rotation")
        await server.wait_for_termination()
        rotating.cancel()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="supervisor")
    parser.add_argument("--cluster", required=True)
    options = parser.parse_args(argv)
    configure_logging()
    uvloop.run(serve(Layout(load_settings(options.cluster))))
    return 0
