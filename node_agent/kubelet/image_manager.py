"""Images for containers: present, built in, or not to be had. Follows pkg/kubelet/images/image_manager.go."""

from __future__ import annotations

from collections.abc import Callable

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet import event_names as names
from node_agent.kubelet.backoff import Backoff
from node_agent.kubelet.pod_status import Waiting
from node_agent.kubelet.seams import Events, PodRuntime
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.references import InvalidImageNameError


class ImageUnavailableError(Exception):
    """`waiting` is what the container's status says."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(waiting.message)
        self.waiting = waiting


class ImageManager:
    def __init__(self, runtime: PodRuntime, events: Events, now: Callable[[], float]) -> None:
        self._runtime = runtime
        self._events = events
        self._now = now
        self._backoff = Backoff()
        self._told: set[tuple[str, str]] = set()             # Pod uid, built-in image: said once
        self._failed_at: dict[str, tuple[float, str]] = {}

    async def ensure(self, pod: Pod, container: Container) -> Image:
        """Raises ImageUnavailableError."""
        try:
            return await self._ensure(pod, container)
        except ImageUnavailableError as error:
            self._events.event(names.container_ref(pod, container), "Warning", names.FAILED, f"Error: {error.waiting.reason}")
            raise

    async def _ensure(self, pod: Pod, container: Container) -> Image:
        reference, name = names.container_ref(pod, container), container.image
        image = await self._inspect(pod, container)
        # A built-in image is as current as it can be: pull policy Always has nothing to fetch.
        if image is not None and (image.builtin or container.image_pull_policy != "Always"):
            present = f'Container image "{name}" already present on machine and can be accessed by the pod'
            self._events.event(reference, "Normal", names.PULLED, present)
            if image.builtin and (pod.metadata.uid, image.name) not in self._told:
                self._told.add((pod.metadata.uid, image.name))
                text = f'Image "{name}" is the built-in {image.name}, made on this machine; no registry was asked'
                self._events.event(reference, "Normal", names.BUILT_IN, text)
            return image
        if container.image_pull_policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._events.event(reference, "Warning", names.ERR_IMAGE_NEVER_PULL, message)
            raise ImageUnavailableError(Waiting(names.ERR_IMAGE_NEVER_PULL, message))
        return await self._pull(pod, container)

    async def _inspect(self, pod: Pod, container: Container) -> Image | None:
        """What this machine has under the name now."""
        reference, name = names.container_ref(pod, container), container.image
        try:
            return await self._runtime.find_image(name)
        except InvalidImageNameError as error:
            message = f'Failed to apply default image tag "{name}": {error}'
            self._events.event(reference, "Warning", names.INSPECT_FAILED, message)
            raise ImageUnavailableError(Waiting(names.INVALID_IMAGE_NAME, message)) from error
        except RuntimeServiceError as error:
            message = f'Failed to inspect image "{name}": {error}'
            self._events.event(reference, "Warning", names.INSPECT_FAILED, message)
            raise ImageUnavailableError(Waiting(names.IMAGE_INSPECT_ERROR, message)) from error

    def retry_after_s(self, pod: Pod, container: Container) -> float:
        """Until the next pull may be tried."""
        key = _key(pod, container)
        failed_at, _ = self._failed_at.get(key, (0.0, ""))
        return self._backoff.remaining_s(key, failed_at, self._now())

    def forget(self, pod_uid: str) -> None:
        self._backoff.forget(pod_uid)
        self._told = {told for told in self._told if told[0] != pod_uid}
        for key in [key for key in self._failed_at if key.startswith(pod_uid)]:
            del self._failed_at[key]

    async def _pull(self, pod: Pod, container: Container) -> Image:
        reference, key, name = names.container_ref(pod, container), _key(pod, container), container.image
        if self.retry_after_s(pod, container) > 0:
            message = f'Back-off pulling image "{name}"'
            self._events.event(reference, "Normal", names.BACK_OFF, message)
            cause = self._failed_at[key][1]
            raise ImageUnavailableError(Waiting(names.IMAGE_PULL_BACK_OFF, f"{message}: {names.ERR_IMAGE_PULL}: {cause}"))
        self._events.event(reference, "Normal", names.PULLING, f'Pulling image "{name}"')
        try:
            return await self._runtime.pull_image(name)
        except RuntimeServiceError as error:
            now = self._now()
            self._backoff.next(key, now)
            self._failed_at[key] = (now, str(error))
            self._events.event(reference, "Warning", names.FAILED, f'Failed to pull image "{name}": {error}')
            raise ImageUnavailableError(Waiting(names.ERR_IMAGE_PULL, str(error))) from error


def _key(pod: Pod, container: Container) -> str:
    return f"{pod.metadata.uid}_{container.image}"
