"""Fields that an applier wants otherwise than their owners: the error, in upstream's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kube.apimachinery.errors import Cause
from kube.apimachinery.errors import Conflict as ConflictError
from kube.apimachinery.managed_fields.field_set import Node, Path, has, path_text, paths
from kube.apimachinery.managed_fields.managers import ManagerId

Conflict = tuple[ManagerId, Path]


class ApplyConflict(ConflictError):
    """One cause per field and owner."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.conflicts = list(conflicts)
        super().__init__(_message(self.conflicts), causes=[
            Cause("FieldManagerConflict", path_text(path), f"conflict with {manager}") for manager, path in self.conflicts
        ])

    @classmethod
    def of(cls, found: Mapping[ManagerId, Node]) -> ApplyConflict:
        return cls((manager, path) for manager in sorted(found, key=lambda one: one.sort_text) for path in paths(found[manager]))

    def outside(self, allowed: Node) -> list[Conflict]:
        return [(manager, path) for manager, path in self.conflicts if not has(allowed, path)]


def _message(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        ((manager, path),) = conflicts
        return f"Apply failed with 1 conflict: conflict with {manager}: {path_text(path)}"
    lines: list[str] = []
    said: ManagerId | None = None
    for manager, path in conflicts:
        if manager != said:
            lines.append(f"conflicts with {manager}:")
            said = manager
        lines.append(f"- {path_text(path)}")
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
