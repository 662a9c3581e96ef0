"""The cloud: which machines there are. Two kinds: the supervisor, asked by gRPC, and a folder in which containers say that they run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self, cast

import grpc
import grpc.aio

from control_plane.cloud.config import CloudConfig
from control_plane.cloud.records import MachineRecord, read_records
from kube.rpc.v1 import machines_pb2 as pb
from kube.rpc.v1 import machines_pb2_grpc

TIMEOUT_S: Final = 10.0


class CloudError(Exception):
    """The cloud cannot be asked now."""


class Machine(NamedTuple):
    name: str
    address: str
    provider_id: str
    zone: str
    region: str
    instance_type: str
    running: bool


class Cloud(Protocol):
    """For as long as its `async with`."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def machines(self) -> dict[str, Machine]:
        """By name, all of them: one that is missing is gone for good. Raises CloudError."""
        ...


def cloud_of(config: CloudConfig) -> Cloud:
    return MachineFolder(config.machines_folder) if config.machines_folder else MachineRoom(config.supervisor_socket)


class MachineRoom:
    """A connection to the supervisor."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None

    async def __aenter__(self) -> Self:
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
        try:
            reply = await self._stub.ListMachines(pb.ListMachinesRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise CloudError(f"supervisor: {error.details() or error.code().name}") from error
        return {machine.name: _machine(machine, machine.running) for machine in reply.machines}


class MachineFolder:
    """A folder of records (records.py), one per machine. One that cannot be read is an error, not a machine that is gone."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def machines(self) -> dict[str, Machine]:
        try:
            records = await asyncio.to_thread(read_records, self._path)
        except (OSError, ValueError) as error:
            raise CloudError(f"machines: {error}") from error
        return {record.name: _machine(record, running) for record, running in records}


def _machine(known: pb.Machine | MachineRecord, running: bool) -> Machine:
    return Machine(known.name, known.address, known.provider_id, known.zone, known.region, known.instance_type, running)
