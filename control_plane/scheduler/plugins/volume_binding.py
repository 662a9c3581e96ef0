"""VolumeBinding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

from control_plane.scheduler.changes import ObjectChange
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, Code, CycleState, PreFilterResult, Rejection, Status, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.volume_objects import VolumeObjects, claim_problem, names_claim
from control_plane.scheduler.volume_writes import VolumeWrites
from control_plane.volumes import names
from control_plane.volumes.claims import claim_class, is_fully_bound, requested_bytes, volume_class, waits_for_consumer
from control_plane.volumes.matching import best_match, topology_allows
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kube.api.storage_v1 import CSIStorageCapacity, StorageClass
from kube.apimachinery.labels import selector_from_label_selector
from kube.apimachinery.quantity import parse_bytes
from kube.client.node_selector import NodePlace, reaches

NODE_CONFLICT: Final = "node(s) didn't match PersistentVolume's node affinity"
NO_MATCH: Final = "node(s) didn't find available persistent volumes to bind"
NO_SPACE: Final = "node(s) did not have enough free storage"
NO_VOLUME: Final = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND: Final = "pod has unbound immediate PersistentVolumeClaims"


@dataclass(slots=True)
class NodeVolumes:
    """What has to be done on one Node: free volumes to bind, claims to have volumes made for."""

    bindings: list[tuple[PersistentVolume, PersistentVolumeClaim]] = field(default_factory=list)
    provisions: list[PersistentVolumeClaim] = field(default_factory=list)


@dataclass(slots=True)
class _State:
    bound: list[PersistentVolumeClaim] = field(default_factory=list)
    delayed: list[PersistentVolumeClaim] = field(default_factory=list)
    by_node: dict[str, NodeVolumes] = field(default_factory=dict)


class VolumeBinding:
    """Nodes must reach the Pod's volumes; claims that wait for their first consumer get theirs for the chosen Node, before the Pod is
    bound. Follows kube-scheduler's VolumeBinding.
    """

    name: ClassVar[str] = "VolumeBinding"
    events: ClassVar[ClusterEvent] = (
        ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL | ClusterEvent.CLAIM_ADD | ClusterEvent.CLAIM_UPDATE | ClusterEvent.VOLUME
        | ClusterEvent.STORAGE_CLASS | ClusterEvent.CSI_DRIVER | ClusterEvent.CSI_CAPACITY
    )

    def __init__(self, objects: VolumeObjects) -> None:
        self._objects = objects
        self._writes = VolumeWrites(objects)

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        claims = self._objects.claims_of(pod)
        if not claims:
            return PreFilterResult(skip=True)
        found = _State()
        for volume, claim in claims:
            if (problem := claim_problem(pod, volume, claim)) or claim is None:
                return PreFilterResult(rejected=problem)
            if is_fully_bound(claim):
                found.bound.append(claim)
            elif not claim.spec.volume_name and waits_for_consumer(claim, self._objects.storage_class):
                found.delayed.append(claim)
            else:
                return PreFilterResult(rejected=UNBOUND)
        state.data[self.name] = found
        return None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        found = cast(_State | None, state.data.get(self.name))
        if found is None:
            return ALL_FIT
        refused = {reason: nodes.none() for reason in (NODE_CONFLICT, NO_MATCH, NO_SPACE, NO_VOLUME)}
        free = self._free(found.delayed)
        for row in nodes.rows(nodes.live):
            place = NodePlace(nodes.names[row], nodes.labels_of(int(row)))
            for reason in self._look(found, place, free):
                refused[reason][row] = True
        return Verdict(tuple(Rejection(reason, mask, unresolvable=True) for reason, mask in refused.items() if mask.any()))

    def helped_by_object(self, pod: PodInfo, change: ObjectChange) -> bool:
        new, old = change.new, change.old
        if isinstance(new, PersistentVolumeClaim):
            return names_claim(pod, new)
        if isinstance(new, StorageClass) and isinstance(old, StorageClass):
            return new.allowed_topologies != old.allowed_topologies
        if isinstance(new, CSIStorageCapacity) and isinstance(old, CSIStorageCapacity):
            return _limit(new) > _limit(old)
        return True

    # -- binding ----------------------------------------------------------------------------------------------------------------

    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        if (wanted := self._wanted(state, node_name)) is not None:
            self._writes.assume(wanted.bindings, wanted.provisions, node_name)
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        if (wanted := self._wanted(state, node_name)) is not None:
            self._writes.forget(wanted.bindings, wanted.provisions)

    async def pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        wanted = self._wanted(state, node_name)
        if wanted is None or not (wanted.bindings or wanted.provisions):
            return None
        problem = await self._writes.bind(wanted.bindings, wanted.provisions, node_name)
        return Status(Code.ERROR, f'running PreBind plugin "{self.name}": {problem}', self.name) if problem else None

    def _wanted(self, state: CycleState, node_name: str) -> NodeVolumes | None:
        found = cast(_State | None, state.data.get(self.name))
        return None if found is None else found.by_node.get(node_name)

    # -- one Node ---------------------------------------------------------------------------------------------------------------

    def _free(self, claims: list[PersistentVolumeClaim]) -> dict[str, list[PersistentVolume]]:
        """Volumes of the classes that the claims are of, by class."""
        wanted = {claim_class(claim) for claim in claims}
        return {name: [one for one in self._objects.volumes.list() if volume_class(one) == name] for name in wanted}

    def _look(self, found: _State, place: NodePlace, free: dict[str, list[PersistentVolume]]) -> list[str]:
        """Reasons against the Node; without any, what to do there is noted down."""
        reasons = []
        bound = [self._objects.volume(claim.spec.volume_name) for claim in found.bound]
        if any(volume is not None and not reaches(place, volume.spec.node_affinity) for volume in bound):
            reasons.append(NODE_CONFLICT)
        elif None in bound:
            reasons.append(NO_VOLUME)
        todo = NodeVolumes()
        if problem := self._place_delayed(found.delayed, place, free, todo):
            reasons.append(problem)
        if not reasons:
            found.by_node[place.name] = todo
        return reasons

    def _place_delayed(
        self, claims: list[PersistentVolumeClaim], place: NodePlace, free: dict[str, list[PersistentVolume]], todo: NodeVolumes
    ) -> str:
        chosen: set[str] = set()
        for claim in sorted(claims, key=requested_bytes):
            selected = claim.metadata.annotations.get(names.SELECTED_NODE)
            if selected is not None and selected != place.name:
                return NO_MATCH
            volume = None
            if selected is None:
                volume = best_match(claim, free[claim_class(claim)], node=place, excluded=chosen, delayed=True)
            if volume is not None:
                chosen.add(volume.metadata.name)
                todo.bindings.append((volume, claim))
            elif problem := self._provisioning_problem(claim, place):
                return problem
            else:
                todo.provisions.append(claim)
        return ""

    def _provisioning_problem(self, claim: PersistentVolumeClaim, place: NodePlace) -> str:
        held = self._objects.storage_class(claim_class(claim))
        if held is None or held.provisioner in ("", names.NO_PROVISIONER) or not topology_allows(held.allowed_topologies, place.labels):
            return NO_MATCH
        driver = self._objects.csi_driver(held.provisioner)
        if driver is None or not driver.spec.storage_capacity:
            return ""
        enough = any(
            _limit(capacity) >= requested_bytes(claim) and capacity.node_topology is not None
            and selector_from_label_selector(capacity.node_topology).matches(place.labels)
            for capacity in self._objects.capacities(held.metadata.name)
        )
        return "" if enough else NO_SPACE


def _limit(capacity: CSIStorageCapacity) -> int:
    """The largest volume that can be made there; -1 if it is not known."""
    text = capacity.maximum_volume_size or capacity.capacity
    return parse_bytes(text) if text else -1
