"""The machines of a cluster, as a file: which there are, and which are switched on. Written by `up` and the supervisor."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from launcher.cluster.layout import Layout, Node

LAST_INDEX = 243     # the fabric is a /24


def index_of_new(taken: Collection[int], name: str = "") -> int:
    """The number of one more machine, the lowest that is free or the one that its name asks for; ValueError says why there is none."""
    if not name:
        if free := next((index for index in range(2, LAST_INDEX + 1) if index not in taken), 0):
            return free
        raise ValueError(f"the fabric has room for {LAST_INDEX} machines, and all are there")
    found = re.fullmatch(r"node([1-9][0-9]{0,2})", name)
    if not found or int(found[1]) > LAST_INDEX:
        raise ValueError(f"no machine can be named {name!r}: nodeN is wanted, N from 2 to {LAST_INDEX}")
    if int(found[1]) in taken:
        raise ValueError(f"there is a machine {name!r} already")
    return int(found[1])


class MachineRecord(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    running: bool = True
    connected: bool = True      # to the fabric


class MachineRegistry:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def _file(self) -> Path:
        return self._layout.state / "machines.json"

    def records(self) -> list[MachineRecord]:
        """In order of their numbers. A cluster without the file has the machines its settings ask for, all on."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[MachineRecord])
        except FileNotFoundError:
            return [MachineRecord(index=node.index) for node in self._layout.nodes()]

    def nodes(self) -> list[tuple[Node, bool]]:
        return [(self._layout.node(record.index), record.running) for record in self.records()]

    def find(self, name: str) -> Node | None:
        return next((node for node, _ in self.nodes() if node.name == name), None)

    def record(self, node: Node) -> MachineRecord:
        return next(record for record in self.records() if record.index == node.index)

    def put(self, index: int, *, running: bool, connected: bool = True) -> None:
        others = [record for record in self.records() if record.index != index]
        self._write([*others, MachineRecord(index=index, running=running, connected=connected)])

    def remove(self, index: int) -> None:
        self._write([record for record in self.records() if record.index != index])

    def _write(self, records: list[MachineRecord]) -> None:
        temporary = self._file.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(sorted(records, key=lambda record: record.index)))
        temporary.replace(self._file)
