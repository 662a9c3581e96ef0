"""Images for containers and image volumes: present, built in, pulled, or not to be had. Follows pkg/kubelet/images/image_manager.go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from kube.api.core_v1 import Container, ObjectReference, Pod, Secret, Volume
from kube.apimachinery.go_text import go_duration
from kube.apimachinery.meta import NamespacedName
from node_agent.kubelet import event_names as names
from node_agent.kubelet.backoff import Backoff
from node_agent.kubelet.pod_status import Waiting
from node_agent.kubelet.pull_secrets import Keyring, PullSecretError, pull_secrets, secret_ids
from node_agent.kubelet.seams import Events, PodRuntime
from node_agent.runtime.image_pulls import PullCredential
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.references import InvalidImageNameError, is_image_id, parse_reference

ALWAYS, NEVER = "Always", "Never"
MISSING_SECRETS = "FailedToRetrieveImagePullSecret"


class ImageUnavailableError(Exception):
    """`waiting` is what the container's status says, `image` what could not be had, as the Pod names it."""

    def __init__(self, waiting: Waiting, image: str = "") -> None:
        super().__init__(waiting.message)
        self.waiting = waiting
        self.image = image


class ImageManager:
    """`max_pulls`: at a time on this node, others wait; 0 is no limit. The kubelet's serializeImagePulls is 1."""

    def __init__(
        self, runtime: PodRuntime, events: Events, now: Callable[[], float],
        read_secret: Callable[[NamespacedName], Awaitable[Secret]] | None = None, max_pulls: int = 0,
    ) -> None:
        self._runtime = runtime
        self._events = events
        self._now = now
        self._read_secret = read_secret
        self._slots = asyncio.Semaphore(max_pulls) if max_pulls else None
        self._backoff = Backoff()
        self._told: set[tuple[str, str]] = set()             # Pod uid, built-in image: said once
        self._failed_at: dict[str, tuple[float, str]] = {}

    async def ensure(self, pod: Pod, container: Container) -> Image:
        """Raises ImageUnavailableError."""
        reference = names.container_ref(pod, container)
        try:
            return await self._ensure(pod, reference, container.image, container.image_pull_policy)
        except ImageUnavailableError as error:
            self._events.event(reference, "Warning", names.FAILED, f"Error: {error.waiting.reason}")
            raise

    async def ensure_volume(self, pod: Pod, container: Container, volume: Volume) -> Image:
        """The image of an image volume, for a container that mounts it. Raises ImageUnavailableError."""
        assert volume.image is not None
        try:
            return await self._ensure(pod, names.pod_ref(pod), volume.image.reference, volume.image.pull_policy)
        except ImageUnavailableError as error:
            self._events.event(names.container_ref(pod, container), "Warning", names.FAILED, f"Error: {error.waiting.reason}")
            raise

    def retry_after_s(self, pod: Pod, image: str) -> float:
        """Until the next pull may be tried."""
        key = _key(pod, image)
        failed_at, _ = self._failed_at.get(key, (0.0, ""))
        return self._backoff.remaining_s(key, failed_at, self._now())

    def forget(self, pod_uid: str) -> None:
        self._backoff.forget(pod_uid)
        self._told = {told for told in self._told if told[0] != pod_uid}
        for key in [key for key in self._failed_at if key.startswith(pod_uid)]:
            del self._failed_at[key]

    async def _ensure(self, pod: Pod, reference: ObjectReference, name: str, policy: str) -> Image:
        image = await self._inspect(reference, name)
        # A built-in image is as current as it can be: pull policy Always has nothing to fetch.
        if image is not None and image.builtin:
            self._tell_present(pod, reference, name, image)
            return image
        credentials = await self._credentials(pod, name)
        if image is not None and policy != ALWAYS and await self._may_use(image, name, credentials):
            self._tell_present(pod, reference, name, image)
            return image
        if policy == NEVER:
            message = f'Container image "{name}" is not present with pull policy of Never'
            self._events.event(reference, "Warning", names.ERR_IMAGE_NEVER_PULL, message)
            raise ImageUnavailableError(Waiting(names.ERR_IMAGE_NEVER_PULL, message), name)
        return await self._pull(pod, reference, name, credentials)

    async def _inspect(self, reference: ObjectReference, name: str) -> Image | None:
        """What this machine has under the name now."""
        try:
            return await self._runtime.find_image(name)
        except InvalidImageNameError as error:
            message = f'Failed to apply default image tag "{name}": {error}'
            self._events.event(reference, "Warning", names.INSPECT_FAILED, message)
            raise ImageUnavailableError(Waiting(names.INVALID_IMAGE_NAME, message), name) from error
        except RuntimeServiceError as error:
            message = f'Failed to inspect image "{name}": {error}'
            self._events.event(reference, "Warning", names.INSPECT_FAILED, message)
            raise ImageUnavailableError(Waiting(names.IMAGE_INSPECT_ERROR, message), name) from error

    def _tell_present(self, pod: Pod, reference: ObjectReference, name: str, image: Image) -> None:
        present = f'Container image "{name}" already present on machine and can be accessed by the pod'
        self._events.event(reference, "Normal", names.PULLED, present)
        if image.builtin and (pod.metadata.uid, image.name) not in self._told:
            self._told.add((pod.metadata.uid, image.name))
            text = f'Image "{name}" is the built-in {image.name}, made on this machine; no registry was asked'
            self._events.event(reference, "Normal", names.BUILT_IN, text)

    # -- whose images

    async def _credentials(self, pod: Pod, name: str) -> list[PullCredential]:
        """Those of the Pod's Secrets that fit the image."""
        if not pod.spec.image_pull_secrets or self._read_secret is None:
            return []
        secrets, missing = await pull_secrets(pod, self._read_secret)
        if missing:
            text = f"Unable to retrieve some image pull secrets ({', '.join(missing)}); attempting to pull the image may not succeed."
            self._events.event(pod, "Warning", MISSING_SECRETS, text)
        try:
            return Keyring(secrets).lookup(parse_reference(name).name)
        except PullSecretError as error:
            raise ImageUnavailableError(Waiting(names.ERR_IMAGE_PULL, str(error)), name) from error

    async def _may_use(self, image: Image, name: str, credentials: Sequence[PullCredential]) -> bool:
        """What was pulled with a Secret is for Pods with that Secret, or one of the same content (KubeletEnsureSecretPulledImages)."""
        try:
            by_repository = self._runtime.image_access(image.id)
        except RuntimeServiceError:
            return False                        # who cannot know asks the registry
        if by_repository is None:
            return True
        repository = image.name if is_image_id(name) else parse_reference(name).name
        access = by_repository.get(repository)
        if access is None or access.everyone:
            return access is not None
        known = access.admits(secret_ids(credentials))
        if known is not None and known not in access.secrets:
            await self._runtime.grant_image(image.id, repository, known)
        return known is not None

    # -- pulling

    async def _pull(self, pod: Pod, reference: ObjectReference, name: str, credentials: Sequence[PullCredential]) -> Image:
        key = _key(pod, name)
        if self.retry_after_s(pod, name) > 0:
            message = f'Back-off pulling image "{name}"'
            self._events.event(reference, "Normal", names.BACK_OFF, message)
            cause = self._failed_at[key][1]
            raise ImageUnavailableError(Waiting(names.IMAGE_PULL_BACK_OFF, f"{message}: {names.ERR_IMAGE_PULL}: {cause}"), name)
        self._events.event(reference, "Normal", names.PULLING, f'Pulling image "{name}"')
        asked = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                if self._slots is not None:
                    await stack.enter_async_context(self._slots)
                began = time.monotonic()
                image = await self._pull_with(name, credentials)
                ended = time.monotonic()
        except RuntimeServiceError as error:
            now = self._now()
            self._backoff.next(key, now)
            self._failed_at[key] = (now, str(error))
            self._events.event(reference, "Warning", names.FAILED, f'Failed to pull image "{name}": {error}')
            raise ImageUnavailableError(Waiting(names.ERR_IMAGE_PULL, str(error)), name) from error
        took = f"{go_duration(ended - began)} ({go_duration(ended - asked)} including waiting)"
        self._events.event(
            reference, "Normal", names.PULLED, f'Successfully pulled image "{name}" in {took}. Image size: {image.size} bytes.')
        return image

    async def _pull_with(self, name: str, credentials: Sequence[PullCredential]) -> Image:
        """With each credential until one is taken. Raises RuntimeServiceError with all that was said."""
        failures: list[RuntimeServiceError] = []
        for credential in credentials or (None,):
            try:
                return await self._runtime.pull_image(name, credential)
            except RuntimeServiceError as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        raise RuntimeServiceError("[" + ", ".join(dict.fromkeys(map(str, failures))) + "]") from failures[0]


def _key(pod: Pod, image: str) -> str:
    return f"{pod.metadata.uid}_{image}"
