"""The record of each container, a small JSON file in its directory: what a restarted kubelet starts from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from node_agent.runtime.model import ContainerRecord


class RecordStore:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def directory(self, container_id: str) -> Path:
        return self._directory / container_id

    def load(self) -> Iterator[ContainerRecord]:
        """What can be read; a directory without a readable record was never finished and is removed."""
        for directory in self._directory.iterdir():
            try:
                yield msgspec.json.decode((directory / "record.json").read_bytes(), type=ContainerRecord)
            except (OSError, msgspec.DecodeError):
                shutil.rmtree(directory, ignore_errors=True)

    def save(self, record: ContainerRecord) -> None:
        directory = self.directory(record.id)
        directory.mkdir(exist_ok=True)
        temporary = directory / "record.new"
        temporary.write_bytes(msgspec.json.encode(record))
        temporary.rename(directory / "record.json")
