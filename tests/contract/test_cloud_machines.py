"""What every Cloud promises: the supervisor's gRPC service and a folder that containers write to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc.aio
import pytest

from control_plane.cloud.machines import Cloud, CloudError, Machine, MachineFolder, MachineRoom
from control_plane.cloud.records import MachineRecord, write_record
from kube.rpc.v1 import machines_pb2 as pb
from kube.rpc.v1 import machines_pb2_grpc

REPOSITORY = Path(__file__).parents[2]


def record(name: str, address: str = "172.30.0.11", **more: str) -> MachineRecord:
    return MachineRecord(name=name, address=address, provider_id=f"kubonsai://test/{name}", zone="a", region="here", **more)


class Machines(ABC):
    """The world behind a Cloud, for a test to change."""

    cloud: Cloud

    @abstractmethod
    async def put(self, record: MachineRecord) -> None:
        """There is such a machine, and it runs."""

    @abstractmethod
    async def switch_off(self, name: str) -> None: ...

    @abstractmethod
    async def remove(self, name: str) -> None: ...

    @abstractmethod
    async def break_down(self) -> None:
        """Nobody can say any more what there is."""

    async def close(self) -> None:
        return


class FolderOfMachines(Machines):
    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, dict[str, int]()
        folder.mkdir()
        self.cloud = MachineFolder(folder)

    async def put(self, record: MachineRecord) -> None:
        before = self._held.pop(record.name, None)
        self._held[record.name] = write_record(self._folder, record)
        if before is not None:
            os.close(before)

    async def switch_off(self, name: str) -> None:
        os.close(self._held.pop(name))

    async def remove(self, name: str) -> None:
        (self._folder / f"{name}.json").unlink()
        await self.switch_off(name)

    async def break_down(self) -> None:
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    async def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)


class RoomOfMachines(Machines, machines_pb2_grpc.MachineServiceServicer):
    def __init__(self, socket: Path) -> None:
        self._machines: dict[str, Machine] = {}
        self._server = grpc.aio.server()
        self._server.add_insecure_port(f"unix:{socket}")
        self.cloud = MachineRoom(str(socket))

    async def start(self) -> None:
        cast(Any, machines_pb2_grpc).add_MachineServiceServicer_to_server(self, self._server)
        await self._server.start()

    async def ListMachines(self, request: Any, context: Any) -> pb.ListMachinesReply:  # noqa: N802
        return pb.ListMachinesReply(machines=[pb.Machine(**machine._asdict()) for machine in self._machines.values()])

    async def put(self, record: MachineRecord) -> None:
        fields = (record.name, record.address, record.provider_id, record.zone, record.region, record.instance_type)
        self._machines[record.name] = Machine(*fields, True)

    async def switch_off(self, name: str) -> None:
        self._machines[name] = self._machines[name]._replace(running=False)

    async def remove(self, name: str) -> None:
        del self._machines[name]

    async def break_down(self) -> None:
        await self._server.stop(None)

    async def close(self) -> None:
        await self._server.stop(None)


@pytest.fixture(params=["folder", "room"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Machines]:
    made: Machines = FolderOfMachines(tmp_path / "machines") if request.param == "folder" else RoomOfMachines(tmp_path / "s")
    if isinstance(made, RoomOfMachines):
        await made.start()
    try:
        async with made.cloud:
            yield made
    finally:
        await made.close()


async def test_a_machine_is_told_with_all_its_facts(world: Machines) -> None:
    assert await world.cloud.machines() == {}

    await world.put(record("node-1", instance_type="small"))
    await world.put(record("node-2", "172.30.0.12"))

    assert await world.cloud.machines() == {
        "node-1": Machine("node-1", "172.30.0.11", "kubonsai://test/node-1", "a", "here", "small", True),
        "node-2": Machine("node-2", "172.30.0.12", "kubonsai://test/node-2", "a", "here", "", True),
    }


async def test_a_machine_that_is_off_is_still_there(world: Machines) -> None:
    await world.put(record("node-1"))
    await world.put(record("node-2"))

    await world.switch_off("node-1")

    assert {name: machine.running for name, machine in (await world.cloud.machines()).items()} == {"node-1": False, "node-2": True}


async def test_a_machine_comes_back_with_another_address(world: Machines) -> None:
    await world.put(record("node-1"))
    await world.switch_off("node-1")

    await world.put(record("node-1", "172.30.0.77"))

    (machine,) = (await world.cloud.machines()).values()
    assert (machine.address, machine.running) == ("172.30.0.77", True)


async def test_a_machine_that_is_gone_is_not_there(world: Machines) -> None:
    await world.put(record("node-1"))
    await world.put(record("node-2"))

    await world.remove("node-1")

    assert [*await world.cloud.machines()] == ["node-2"]


async def test_a_cloud_that_cannot_answer_says_so(world: Machines) -> None:
    await world.put(record("node-1"))
    await world.break_down()

    with pytest.raises(CloudError):
        await world.cloud.machines()


@pytest.mark.parametrize("content", [b"", b"{", b'{"name": "node-2", "address": "", "provider_id": ""}'])
async def test_a_folder_with_a_file_that_is_no_record_is_not_one_with_a_machine_less(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "node-1.json").write_bytes(content)

    with pytest.raises(CloudError, match=r"node-1\.json"):
        await MachineFolder(tmp_path).machines()


@pytest.mark.parametrize("name", ["", "../etc", "a/b", ".hidden", "Node"])
def test_a_record_has_a_nodes_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a machine's name"):
        write_record(tmp_path, record(name))
    assert [*tmp_path.iterdir()] == []


async def test_a_reader_never_sees_half_a_record_or_a_running_machine_switched_off(tmp_path: Path) -> None:
    held, rounds = [write_record(tmp_path, record("node-1"))], 300

    def write_again_and_again() -> None:
        for number in range(rounds):
            held.append(write_record(tmp_path, record("node-1", f"10.0.{number // 256}.{number % 256}")))

    writer = threading.Thread(target=write_again_and_again)
    writer.start()
    try:
        looks = 0
        while writer.is_alive():
            (machine,) = (await MachineFolder(tmp_path).machines()).values()
            assert machine.running
            looks += 1
    finally:
        writer.join()
        for descriptor in held:
            os.close(descriptor)
    assert looks > 10


async def test_a_killed_process_is_a_machine_that_is_off(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom control_plane.cloud.records import MachineRecord, write_record\n"
        "write_record(sys.argv[1], MachineRecord(name='node-1', address='10.0.0.1', provider_id='p'))\n"
        "print('ok', flush=True)\ntime.sleep(600)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ok\n"
        before = await MachineFolder(tmp_path).machines()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        after = await MachineFolder(tmp_path).machines()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert (before["node-1"].running, after["node-1"].running) == (True, False)
