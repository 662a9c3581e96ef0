"""The Nodes as a table of numpy columns, kept up to date one change at a time.

A Node owns a row for as long as it exists; rows of deleted Nodes are reused and `live` is False meanwhile, so a row number stays valid
between two changes. Amounts are float64: exact up to 2**53, and vector units compare and divide them several times faster than int64.
Taints and labels are interned, so that a rule looks at each distinct set or value once, however many Nodes carry it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from control_plane.scheduler.framework import Mask
from control_plane.scheduler.label_columns import LabelColumns
from control_plane.scheduler.pod_counts import PodCounts
from control_plane.scheduler.pod_info import CPU, MEMORY, NATIVE, HostPort, PodInfo, normalized_image_name, to_amount
from kube.api.core_v1 import Node, Taint

PODS = "pods"
Amount = NDArray[np.float64]


class NodeImage:
    """An image some Nodes hold: its size, and the rows of the Nodes."""

    __slots__ = ("_array", "rows", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        self.rows: set[int] = set()
        self._array: NDArray[np.intp] | None = None

    def add(self, row: int, size_bytes: int) -> None:
        self.rows.add(row)
        self.size_bytes = size_bytes
        self._array = None

    def discard(self, row: int) -> None:
        self.rows.discard(row)
        self._array = None

    def row_array(self) -> NDArray[np.intp]:
        if self._array is None:
            self._array = np.fromiter(self.rows, dtype=np.intp, count=len(self.rows))
        return self._array


class NodeFacts(NamedTuple):
    """What the table took from a Node object; the next version is compared with it."""

    labels: dict[str, str]
    images: dict[str, int]
    allocatable: dict[str, int]


class NodeTable:
    """All Nodes the scheduler knows. Every column is read as a view of `size` rows, some of which may not be `live`."""

    def __init__(self, capacity: int = 16) -> None:
        self.size = 0                                   # rows ever used at the same time
        self.names: list[str] = []
        self.labels = LabelColumns(capacity)
        self.pods = PodCounts(capacity)
        self.taint_sets: list[tuple[Taint, ...]] = []
        self.images: dict[str, NodeImage] = {}
        self.host_ports: dict[tuple[str, int], dict[int, list[str]]] = {}    # (protocol, port) -> row -> addresses
        self._capacity = capacity
        self._row_of: dict[str, int] = {}
        self._free_rows: list[int] = []
        self._facts: dict[int, NodeFacts] = {}
        self._taint_set_ids: dict[tuple[tuple[str, str, str], ...], int] = {}
        self._live = np.zeros(capacity, dtype=np.bool_)
        self._unschedulable = np.zeros(capacity, dtype=np.bool_)
        self._taint_set = np.zeros(capacity, dtype=np.int32)
        self._pod_count = np.zeros(capacity)
        self._allowed_pods = np.zeros(capacity)
        self._allocatable: dict[str, Amount] = {resource: np.zeros(capacity) for resource in NATIVE}
        self._requested: dict[str, Amount] = {resource: np.zeros(capacity) for resource in NATIVE}
        self._scoring_requested: dict[str, Amount] = {resource: np.zeros(capacity) for resource in (CPU, MEMORY)}

    # -- reading ------------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Nodes, not rows."""
        return len(self._row_of)

    def row_of(self, name: str) -> int | None:
        return self._row_of.get(name)

    @property
    def live(self) -> Mask:
        return self._live[: self.size]

    @property
    def unschedulable(self) -> Mask:
        return self._unschedulable[: self.size]

    @property
    def taint_set(self) -> NDArray[np.int32]:
        """Index into `taint_sets`, per row."""
        return self._taint_set[: self.size]

    @property
    def pod_count(self) -> Amount:
        return self._pod_count[: self.size]

    @property
    def allowed_pods(self) -> Amount:
        return self._allowed_pods[: self.size]

    def allocatable(self, resource: str) -> Amount:
        column = self._allocatable.get(resource)
        return np.zeros(self.size) if column is None else column[: self.size]

    def requested(self, resource: str) -> Amount:
        """What the Pods on each Node ask for, those included that are only assumed to go there."""
        column = self._requested.get(resource)
        return np.zeros(self.size) if column is None else column[: self.size]

    def scoring_requested(self, resource: str) -> Amount:
        """As `requested`, with defaults for containers that ask for nothing; cpu and memory only."""
        return self._scoring_requested[resource][: self.size]

    def none(self) -> Mask:
        return np.zeros(self.size, dtype=np.bool_)

    def labels_of(self, row: int) -> dict[str, str]:
        return self._facts[row].labels

    def rows(self, mask: Mask) -> NDArray[np.intp]:
        return np.flatnonzero(mask)

    # -- changes to Nodes ---------------------------------------------------------------------------------------------------

    def set_node(self, node: Node) -> int:
        """Adds or updates; the row's requests stay as they are (zero for a new row)."""
        name = node.metadata.name
        if (row := self._row_of.get(name)) is None:
            row = self._take_row(name)
        allocatable = {resource: to_amount(resource, quantity) for resource, quantity in node.status.allocatable.items()}
        images = {normalized_image_name(name): image.size_bytes or 0 for image in node.status.images for name in image.names}
        facts = NodeFacts(dict(node.metadata.labels), images, allocatable)
        old = self._facts.get(row, NodeFacts({}, {}, {}))
        self._facts[row] = facts
        self._unschedulable[row] = bool(node.spec.unschedulable)
        self._taint_set[row] = self._taint_set_id(node.spec.taints)
        self._allowed_pods[row] = allocatable.get(PODS, 0)
        self._set_allocatable(row, old.allocatable, allocatable)
        self.labels.replace(row, old.labels, facts.labels)
        self._set_images(row, old.images, images)
        return row

    def remove_node(self, name: str) -> None:
        row = self._row_of.pop(name)
        facts = self._facts.pop(row)
        self.labels.replace(row, facts.labels, {})
        self._set_images(row, facts.images, {})
        for column in (self._live, self._unschedulable, self._taint_set, self._pod_count, self._allowed_pods):
            column[row] = 0
        for columns in (self._allocatable, self._requested, self._scoring_requested):
            for amounts in columns.values():
                amounts[row] = 0
        for port, holders in [*self.host_ports.items()]:
            if holders.pop(row, None) and not holders:
                del self.host_ports[port]
        self.pods.clear(row)
        self._free_rows.append(row)

    # -- changes to Pods ----------------------------------------------------------------------------------------------------

    def place(self, row: int, pod: PodInfo) -> None:
        self._count(row, pod, 1)
        self.pods.add(row, pod)
        for port in pod.host_ports:
            self.host_ports.setdefault((port.protocol, port.port), {}).setdefault(row, []).append(port.ip)

    def displace(self, row: int, pod: PodInfo) -> None:
        self._count(row, pod, -1)
        self.pods.remove(row, pod)
        for port in pod.host_ports:
            self._release(row, port)

    def _count(self, row: int, pod: PodInfo, sign: int) -> None:
        self._pod_count[row] += sign
        for resource, amount in pod.requests.items():
            if (column := self._requested.get(resource)) is None:
                column = self._requested[resource] = np.zeros(self._capacity)
            column[row] += sign * amount
        for resource, column in self._scoring_requested.items():
            column[row] += sign * pod.scoring_requests.get(resource, 0)

    def _release(self, row: int, port: HostPort) -> None:
        holders = self.host_ports[port.protocol, port.port]
        holders[row].remove(port.ip)
        if not holders[row]:
            del holders[row]
        if not holders:
            del self.host_ports[port.protocol, port.port]

    # -- columns ------------------------------------------------------------------------------------------------------------

    def _take_row(self, name: str) -> int:
        if self._free_rows:
            row = self._free_rows.pop()
            self.names[row] = name
        else:
            row = self.size
            if row == self._capacity:
                self._grow()
            self.size += 1
            self.names.append(name)
        self._row_of[name] = row
        self._live[row] = True
        return row

    def _grow(self) -> None:
        self._capacity *= 2
        self._live, self._unschedulable, self._taint_set = map(_doubled, (self._live, self._unschedulable, self._taint_set))
        self._pod_count, self._allowed_pods = map(_doubled, (self._pod_count, self._allowed_pods))
        for columns in (self._allocatable, self._requested, self._scoring_requested):
            for resource, column in columns.items():
                columns[resource] = _doubled(column)
        self.labels.grow(self._capacity)
        self.pods.grow(self._capacity)

    def _set_allocatable(self, row: int, old: dict[str, int], new: dict[str, int]) -> None:
        for resource in old.keys() - new.keys():
            self._allocatable[resource][row] = 0
        for resource, amount in new.items():
            if (column := self._allocatable.get(resource)) is None:
                column = self._allocatable[resource] = np.zeros(self._capacity)
            column[row] = amount

    def _set_images(self, row: int, old: dict[str, int], new: dict[str, int]) -> None:
        for name in old.keys() - new.keys():
            image = self.images[name]
            image.discard(row)
            if not image.rows:
                del self.images[name]
        for name, size_bytes in new.items():
            if old.get(name) != size_bytes:
                self.images.setdefault(name, NodeImage()).add(row, size_bytes)

    def _taint_set_id(self, taints: Iterable[Taint]) -> int:
        taint_set = tuple(taints)
        key = tuple((taint.key, taint.value, taint.effect) for taint in taint_set)
        if (number := self._taint_set_ids.get(key)) is None:
            number = self._taint_set_ids[key] = len(self.taint_sets)
            self.taint_sets.append(taint_set)
        return number


def _doubled(column: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((column, np.zeros_like(column)))
