"""How many Pods a selector matches on each Node, kept as columns.

Pods are held by their label sets, which all Pods of a ReplicaSet share: a selector that is new looks at each distinct set once. From then
on its column follows every Pod that comes or goes, so that the next replica finds it ready. The least recently asked for are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from control_plane.scheduler.pod_info import LabelSet, PodInfo
from kube.apimachinery.labels import Selector

MAX_COLUMNS: Final = 128        # 40 KB each with 5,000 Nodes

Counts = NDArray[np.float64]


class _Column:
    __slots__ = ("counts", "namespace", "selector")

    def __init__(self, namespace: str, selector: Selector, capacity: int) -> None:
        self.namespace = namespace
        self.selector = selector
        self.counts: Counts = np.zeros(capacity)


class _Group:
    """The Pods of one namespace that carry the same labels, and the columns they count in."""

    __slots__ = ("columns", "labels", "rows")

    def __init__(self, labels: dict[str, str], columns: list[_Column]) -> None:
        self.labels = labels
        self.columns = columns
        self.rows: dict[int, int] = {}      # row -> Pods


class PodCounts:
    """Rows are the node table's, which tells of every Pod placed and displaced. Pods being deleted count nowhere, as upstream."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._groups: dict[str, dict[LabelSet, _Group]] = {}
        self._columns: OrderedDict[tuple[str, Selector], _Column] = OrderedDict()

    def matching(self, namespace: str, selector: Selector, size: int) -> Counts:
        """Pods per row; read it before the next change, and do not write to it."""
        key = (namespace, selector)
        if (column := self._columns.get(key)) is None:
            column = self._columns[key] = self._counted(namespace, selector)
            if len(self._columns) > MAX_COLUMNS:
                self._forget(self._columns.popitem(last=False)[1])
        else:
            self._columns.move_to_end(key)
        return column.counts[:size]

    def add(self, row: int, pod: PodInfo) -> None:
        if not pod.is_terminating:
            self._count(row, pod, 1)

    def remove(self, row: int, pod: PodInfo) -> None:
        if not pod.is_terminating:
            self._count(row, pod, -1)

    def clear(self, row: int) -> None:
        """The Node of that row is gone, and its Pods are not told of one by one."""
        for column in self._columns.values():
            column.counts[row] = 0
        for namespace, groups in [*self._groups.items()]:
            for label_set, group in [*groups.items()]:
                if group.rows.pop(row, 0):
                    self._drop_if_empty(namespace, label_set, group)

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for column in self._columns.values():
            grown = np.zeros(capacity)
            grown[: len(column.counts)] = column.counts
            column.counts = grown

    def _count(self, row: int, pod: PodInfo, change: int) -> None:
        namespace, label_set = pod.key.namespace, pod.label_set
        groups = self._groups.setdefault(namespace, {})
        if (group := groups.get(label_set)) is None:
            labels = pod.pod.metadata.labels
            matching = [
                column for column in self._columns.values() if column.namespace == namespace and column.selector.matches(labels)
            ]
            group = groups[label_set] = _Group(labels, matching)
        for column in group.columns:
            column.counts[row] += change
        if count := group.rows.get(row, 0) + change:
            group.rows[row] = count
        else:
            del group.rows[row]
            self._drop_if_empty(namespace, label_set, group)

    def _drop_if_empty(self, namespace: str, label_set: LabelSet, group: _Group) -> None:
        if not group.rows:
            del self._groups[namespace][label_set]
            if not self._groups[namespace]:
                del self._groups[namespace]

    def _counted(self, namespace: str, selector: Selector) -> _Column:
        column = _Column(namespace, selector, self._capacity)
        for group in self._groups.get(namespace, {}).values():
            if selector.matches(group.labels):
                group.columns.append(column)
                for row, count in group.rows.items():
                    column.counts[row] += count
        return column

    def _forget(self, column: _Column) -> None:
        for group in self._groups.get(column.namespace, {}).values():
            if column in group.columns:
                group.columns.remove(column)
