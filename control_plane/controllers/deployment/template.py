"""Templates and the ReplicaSets made of them.

The label pod-template-hash keeps the Pods of one ReplicaSet apart from another's. A template's hash only has to be the same
each time it is computed and to look like upstream's: equality of templates, never of hashes, decides which ReplicaSet is whose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from kube.api.apps_v1 import Deployment, ReplicaSet
from kube.api.core_v1 import PodTemplateSpec
from kube.api.meta_v1 import LabelSelector

HASH_LABEL: Final = "pod-template-hash"
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"      # apimachinery's rand.SafeEncodeString: no word can come of it


def template_hash(template: PodTemplateSpec, collision_count: int | None) -> str:
    digest = _fnv32a(msgspec.json.encode(template, order="deterministic"))
    if collision_count is not None:
        digest = _fnv32a(collision_count.to_bytes(8, "little"), digest)
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(digest))


def _fnv32a(data: bytes, digest: int = 2166136261) -> int:
    for byte in data:
        digest = ((digest ^ byte) * 16777619) & 0xFFFFFFFF
    return digest


def same_template(left: PodTemplateSpec, right: PodTemplateSpec) -> bool:
    """But for the hash label."""
    return left.spec == right.spec and _without_hash(left) == _without_hash(right)


def _without_hash(template: PodTemplateSpec) -> tuple[object, ...]:
    metadata = template.metadata
    labels = {name: value for name, value in metadata.labels.items() if name != HASH_LABEL}
    return labels, metadata.annotations, metadata.finalizers, metadata.name


def with_hash(template: PodTemplateSpec, digest: str) -> PodTemplateSpec:
    labels = {**template.metadata.labels, HASH_LABEL: digest}
    return msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))


def selector_with_hash(selector: LabelSelector | None, digest: str) -> LabelSelector:
    held = selector or LabelSelector()
    labels: Mapping[str, str] = {**held.match_labels, HASH_LABEL: digest}
    return msgspec.structs.replace(held, match_labels=labels)


def by_age(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first."""
    return sorted(replica_sets, key=lambda rs: (rs.metadata.creation_timestamp, rs.metadata.name))


def find_new(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The oldest one with the Deployment's template: several can only come of an old version's different idea of equality."""
    for rs in by_age(replica_sets):
        if same_template(rs.spec.template, deployment.spec.template):
            return rs
    return None


def size(rs: ReplicaSet) -> int:
    return rs.spec.replicas or 0


def total_size(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(map(size, replica_sets))


def available(replica_sets: Iterable[ReplicaSet]) -> int:
    return sum(rs.status.available_replicas or 0 for rs in replica_sets)


def active(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    return [rs for rs in replica_sets if size(rs) > 0]
