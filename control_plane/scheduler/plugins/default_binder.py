"""DefaultBinder."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.framework import Code, CycleState, Status
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import Binding, ObjectReference, Pod
from kube.api.meta_v1 import ObjectMeta
from kube.api.meta_v1 import Status as ApiStatus
from kube.apimachinery.errors import ApiError
from kube.client.client import Client


class DefaultBinder:
    """Writes the decision to the Pod's binding subresource. Follows kube-scheduler's DefaultBinder."""

    name: ClassVar[str] = "DefaultBinder"

    def __init__(self, client: Client) -> None:
        self._client = client

    async def bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        binding = Binding(
            metadata=ObjectMeta(name=pod.key.name, namespace=pod.key.namespace, uid=pod.uid),
            target=ObjectReference(kind="Node", name=node_name),
        )
        try:
            await self._client.create_subresource(Pod, pod.key, "binding", binding, ApiStatus)
        except ApiError as error:
            return Status(Code.ERROR, str(error), self.name)
        return None
