"""The machines of a cluster, as a file: which there are, and which are switched on. Written by `up` and the supervisor."""

from __future__ import annotations

from pathlib import Path

import msgspec

from launcher.cluster.layout import Layout, Node


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
