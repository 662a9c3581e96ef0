"""The cloud: which machines there are, asked of the supervisor."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, NamedTuple, cast

import grpc
import grpc.aio

from kube.rpc.v1 import machines_pb2 as pb
from kube.rpc.v1 import machines_pb2_grpc

TIMEOUT_S: Final = 10.0


class CloudError(Exception):
    """The supervisor cannot be asked now."""


class Machine(NamedTuple):
    name: str
    address: str
    provider_id: str
    zone: str
    region: str
    instance_type: str
    running: bool


class MachineRoom:
    """A connection to the supervisor, for as long as its `async with`."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None

    async def __aenter__(self) -> MachineRoom:
        self._channel = grpc.aio.insecure_channel(f"unix:{self._socket}", options=[
            ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 1000)])
        self._stub = cast(Any, machines_pb2_grpc).MachineServiceStub(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._channel is not None:
            await self._channel.close(None)

    async def machines(self) -> dict[str, Machine]:
        """By name. Raises CloudError."""
        try:
            reply = await self._stub.ListMachines(pb.ListMachinesRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise CloudError(f"supervisor: {error.details() or error.code().name}") from error
        return {machine.name: _machine(machine) for machine in reply.machines}


def _machine(machine: pb.Machine) -> Machine:
    return Machine(
        machine.name, machine.address, machine.provider_id, machine.zone, machine.region, machine.instance_type, machine.running)
