"""Finds or makes the ReplicaSet of a Deployment's present template, and numbers it. Follows upstream's sync.go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from control_plane.controllers.deployment import rollout_annotations as notes
from control_plane.controllers.deployment.replica_sets import announce
from control_plane.controllers.deployment.rolling import max_surge, new_size, wanted
from control_plane.controllers.deployment.status import PROGRESSING, find, has_deadline, new_condition, with_condition
from control_plane.controllers.deployment.template import (
    find_new,
    same_template,
    selector_with_hash,
    size,
    template_hash,
    with_hash,
)
from kube.api.apps_v1 import Deployment, DeploymentStatus, ReplicaSet, ReplicaSetSpec
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.objects import controller_of, key_of, owner_reference
from kube.process.clock import Clock


class Rollout(NamedTuple):
    """A Deployment (its newest version) and its ReplicaSets, told apart."""

    deployment: Deployment
    new: ReplicaSet | None
    old: Sequence[ReplicaSet]

    @property
    def all_sets(self) -> list[ReplicaSet]:
        return [*self.old, *([] if self.new is None else [self.new])]


class Revisions:
    def __init__(self, client: Client, events: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._events = events
        self._clock = clock

    async def find(self, deployment: Deployment, replica_sets: Sequence[ReplicaSet], *, create: bool) -> Rollout:
        """With `create`, makes the new ReplicaSet if there is none. Writes the revision to both objects."""
        new = find_new(deployment, replica_sets)
        old = [rs for rs in replica_sets if new is None or rs.metadata.uid != new.metadata.uid]
        revision = notes.max_revision(old) + 1
        if new is not None:
            return await self._keep(deployment, new, old, revision)
        if not create:
            return Rollout(deployment, None, old)
        return await self._create(deployment, old, revision)

    async def _keep(self, deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet], revision: int) -> Rollout:
        held = new.metadata.annotations
        wanted_annotations = notes.for_new_replica_set(deployment.metadata.annotations, held, revision, None)
        if wanted_annotations != held or new.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
            new = await self._client.update(msgspec.structs.replace(
                new,
                metadata=msgspec.structs.replace(new.metadata, annotations=wanted_annotations),
                spec=msgspec.structs.replace(new.spec, min_ready_seconds=deployment.spec.min_ready_seconds),
            ))
        found = None
        if has_deadline(deployment) and find(deployment.status.conditions, PROGRESSING) is None:
            found = ("FoundNewReplicaSet", f'Found new replica set "{new.metadata.name}"')
        return Rollout(await self._note(deployment, notes.revision(new), found), new, old)

    async def _create(self, deployment: Deployment, old: Sequence[ReplicaSet], revision: int) -> Rollout:
        wanted_set = self._new_replica_set(deployment, old, revision)
        name = wanted_set.metadata.name
        created = True
        try:
            new = await self._client.create(wanted_set)
        except errors.AlreadyExists:
            new = await self._existing(deployment, wanted_set)
            created = False
        except errors.ApiError as error:
            if not any(cause.reason == "NamespaceTerminating" for cause in error.causes):
                await self._failed(deployment, f'Failed to create new replica set "{name}": {error}')
            raise
        if created and size(new) > 0:
            announce(self._events, deployment, name, 0, size(new))
        noted = ("NewReplicaSetCreated", f'Created new replica set "{name}"') if created and has_deadline(deployment) else None
        return Rollout(await self._note(deployment, revision, noted), new, old)

    def _new_replica_set(self, deployment: Deployment, old: Sequence[ReplicaSet], revision: int) -> ReplicaSet:
        digest = template_hash(deployment.spec.template, deployment.status.collision_count)
        template = with_hash(deployment.spec.template, digest)
        largest = wanted(deployment) + max_surge(deployment)
        return ReplicaSet(
            metadata=ObjectMeta(
                namespace=deployment.metadata.namespace, name=f"{deployment.metadata.name}-{digest}",
                labels=template.metadata.labels, owner_references=(owner_reference(deployment),),
                annotations=notes.for_new_replica_set(
                    deployment.metadata.annotations, {}, revision, (wanted(deployment), largest)),
            ),
            spec=ReplicaSetSpec(
                replicas=new_size(deployment, old, 0), min_ready_seconds=deployment.spec.min_ready_seconds,
                selector=selector_with_hash(deployment.spec.selector, digest), template=template,
            ),
        )

    async def _existing(self, deployment: Deployment, wanted_set: ReplicaSet) -> ReplicaSet:
        """Ours, and only the cache did not know yet; or another template with the same hash, then another try with another hash."""
        held = await self._client.get(ReplicaSet, key_of(wanted_set))
        owner = controller_of(held)
        ours = owner is not None and owner.uid == deployment.metadata.uid
        if ours and same_template(held.spec.template, deployment.spec.template):
            return held
        status = msgspec.structs.replace(
            deployment.status, collision_count=(deployment.status.collision_count or 0) + 1)
        await self._client.update_status(msgspec.structs.replace(deployment, status=status))
        raise errors.Conflict(f"replica set {key_of(wanted_set)}: its name is taken by another template")

    async def _failed(self, deployment: Deployment, message: str) -> None:
        if has_deadline(deployment):
            condition = new_condition(PROGRESSING, "False", "ReplicaSetCreateError", message, self._clock.now())
            await self._write_conditions(deployment, with_condition(deployment.status.conditions, condition))
        self._events.event(deployment, "Warning", "ReplicaSetCreateError", message)

    async def _note(self, deployment: Deployment, revision: int, progress: tuple[str, str] | None) -> Deployment:
        """The revision as an annotation of the Deployment, and (reason, message) as its Progressing condition."""
        annotations, conditions = deployment.metadata.annotations, deployment.status.conditions
        if progress is not None:
            conditions = with_condition(conditions, new_condition(PROGRESSING, "True", *progress, self._clock.now()))
        if annotations.get(notes.REVISION) == str(revision) and conditions == deployment.status.conditions:
            return deployment
        # Through /status, where an annotation does not count as a new generation.
        return await self._client.update_status(msgspec.structs.replace(
            deployment,
            metadata=msgspec.structs.replace(deployment.metadata, annotations={**annotations, notes.REVISION: str(revision)}),
            status=msgspec.structs.replace(deployment.status, conditions=conditions),
        ))

    async def _write_conditions(self, deployment: Deployment, conditions: tuple[object, ...]) -> Deployment:
        status: DeploymentStatus = msgspec.structs.replace(deployment.status, conditions=conditions)
        return await self._client.update_status(msgspec.structs.replace(deployment, status=status))
