"""The runtime's face: sandboxes, images, containers and exec of one node, put together. The kubelet's Protocol describes what it uses."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from kube.apimachinery.go_text import go_error
from node_agent.runtime.attach import AttachSession, open_attach
from node_agent.runtime.cgroups import detect_cgroups
from node_agent.runtime.conmon import Tools
from node_agent.runtime.containers import Containers
from node_agent.runtime.execs import ExecSession, exec_sync, open_exec
from node_agent.runtime.image_pulls import Access, PullCredential, PullSecretId
from node_agent.runtime.layers import mount_image
from node_agent.runtime.model import (
    Amounts,
    ContainerConfig,
    ContainerRecord,
    ExecResult,
    Image,
    PodCgroupError,
    Resources,
    RuntimeServiceError,
    Sandbox,
    SandboxConfig,
    merged,
)
from node_agent.runtime.node_images import NodeImages
from node_agent.runtime.registry.access import RegistrySettings
from node_agent.runtime.sandbox import SandboxStore

PROGRAMS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_tools(run_dir: Path, path: str = PROGRAMS_PATH, timeout_s: float = 120.0) -> Tools:
    """Raises RuntimeServiceError naming the missing program."""
    paths = {}
    for program in ("conmon", "runc"):
        found = shutil.which(program, path=path)
        if found is None:
            raise RuntimeServiceError(f"{program} is not installed (apt-get install {program})")
        paths[program] = found
    root = run_dir / "runc"
    root.mkdir(parents=True, exist_ok=True)
    return Tools(conmon=paths["conmon"], runc=paths["runc"], runc_root=str(root), timeout_s=timeout_s)


class ConmonRuntime:
    """conmon and runc on overlay. `on_exit` is called in the event loop for every container that ends."""

    name = "kubonsai"

    def __init__(
        self, *, root_dir: Path, run_dir: Path, images_dir: Path, netns_prefix: str, on_exit: Callable[[ContainerRecord], None],
        now: Callable[[], float] = time.time, programs_path: str = PROGRAMS_PATH, timeout_s: float = 120.0,
        registries: RegistrySettings | None = None,
    ) -> None:
        self._tools = find_tools(run_dir, programs_path, timeout_s)
        self._sandboxes = SandboxStore(root_dir, run_dir, netns_prefix, now)
        self.node_images = NodeImages(images_dir, root_dir, registries or RegistrySettings())
        self._containers = Containers(root_dir, run_dir, self._tools, detect_cgroups(), now, on_exit)
        self._by_pod: dict[str, Sandbox] = {}

    async def start(self) -> None:
        """Takes over what an earlier run left: sandboxes and containers go on undisturbed."""
        found, gone = await asyncio.to_thread(self._sandboxes.load)
        self._by_pod = {sandbox.config.uid: sandbox for sandbox in found}
        self._containers.start()
        for sandbox in gone:
            self._containers.remove_empty_pod_cgroup(sandbox.config.cgroup)

    def close(self) -> None:
        """Lets go; containers live on."""
        self._containers.close()
        self.node_images.close()

    # -- sandboxes

    def sandbox(self, pod_uid: str) -> Sandbox | None:
        return self._by_pod.get(pod_uid)

    def sandboxes(self) -> Sequence[Sandbox]:
        return list(self._by_pod.values())

    async def create_sandbox(self, config: SandboxConfig) -> Sandbox:
        """Raises PodCgroupError, RuntimeServiceError; nothing of it stays then."""
        def create() -> Sandbox:
            try:
                self._containers.set_pod_cgroup(config.cgroup, config.resources)
            except OSError as error:
                raise PodCgroupError(f"failed to create container for {_group_name(config.cgroup)} : {go_error(error)}") from error
            return self._sandboxes.create(config)

        try:
            sandbox = await asyncio.to_thread(create)
        except (OSError, RuntimeServiceError) as error:
            with suppress(OSError):
                await asyncio.to_thread(self._containers.remove_pod_cgroup, config.cgroup)
            if isinstance(error, RuntimeServiceError):
                raise
            raise RuntimeServiceError(f"failed to create sandbox: {go_error(error)}") from error
        self._by_pod[config.uid] = sandbox
        return sandbox

    async def update_sandbox(self, sandbox: Sandbox) -> None:
        """Raises RuntimeServiceError when it cannot be written down; it counts all the same."""
        self._by_pod[sandbox.config.uid] = sandbox
        try:
            await asyncio.to_thread(self._sandboxes.save, sandbox)
        except OSError as error:
            raise RuntimeServiceError(f"failed to write down the sandbox: {error}") from error

    async def resize_pod(self, pod_uid: str, resources: Resources) -> None:
        """Of the Pod's own cgroup the limits that are given. Raises RuntimeServiceError."""
        await self._containers.resize_pod(pod_uid, self._by_pod[pod_uid].config.cgroup, resources)
        sandbox = self._by_pod[pod_uid]
        config = msgspec.structs.replace(sandbox.config, resources=merged(sandbox.config.resources, resources))
        await self.update_sandbox(msgspec.structs.replace(sandbox, config=config))

    async def resize_container(self, container_id: str, resources: Resources, amounts: Amounts) -> None:
        """The same of a container; `amounts` is remembered as what it was given. Raises RuntimeServiceError."""
        await self._containers.resize(self._record(container_id), resources, amounts)

    def memory_in_use(self, cgroup: str) -> int:
        """Bytes of a Pod's or container's cgroup, with what the kernel could drop."""
        return self._containers.memory_in_use(cgroup)

    async def stop_sandbox(self, pod_uid: str) -> None:
        """Namespaces and the Pod's cgroup go; records and root filesystems of its ended containers stay."""
        sandbox = self._by_pod.get(pod_uid)
        if sandbox is None:
            return

        def remove() -> None:
            self._sandboxes.remove(sandbox)
            self._containers.remove_pod_cgroup(sandbox.config.cgroup)

        await asyncio.to_thread(remove)
        self._by_pod.pop(pod_uid, None)

    async def remove_pod(self, pod_uid: str) -> None:
        """Containers, running or not, and the sandbox: nothing of the Pod stays but its logs."""
        for record in self._containers.list(pod_uid):
            await self._containers.remove(record)
        await self.stop_sandbox(pod_uid)

    async def remove_orphan_cgroups(self, parent: str, known: Callable[[], set[str]]) -> None:
        """Of Pods that nobody knows: a kubelet was killed while it made or removed them."""
        def remove() -> None:
            for uid, path in self._containers.pod_groups(parent).items():
                if uid not in known():
                    self._containers.remove_pod_cgroup(path)

        await asyncio.to_thread(remove)

    # -- images

    async def find_image(self, reference: str) -> Image | None:
        return await self.node_images.store.find(reference)

    async def pull_image(self, reference: str, credential: PullCredential | None = None) -> Image:
        """Asks the registry. Raises RuntimeServiceError."""
        return await self.node_images.pull(reference, credential)

    def image_access(self, image_id: str) -> Mapping[str, Access] | None:
        """Who may run it, by repository; None: everybody."""
        return self.node_images.access(image_id)

    async def grant_image(self, image_id: str, repository: str, secret: PullSecretId) -> None:
        await self.node_images.grant(image_id, repository, secret)

    async def mount_image(self, image: Image, place: Path) -> None:
        """Its files, read-only, on a directory that is made here; idempotent. Raises RuntimeServiceError."""
        try:
            await self.node_images.use(image)
            await asyncio.to_thread(mount_image, image.layers, place)
        except OSError as error:
            raise RuntimeServiceError(f"failed to mount image volume: {go_error(error)}") from error

    def images(self) -> list[Image]:
        return self.node_images.store.list()

    # -- containers

    def containers(self, pod_uid: str = "") -> Sequence[ContainerRecord]:
        return self._containers.list(pod_uid)

    def container(self, container_id: str) -> ContainerRecord | None:
        return self._containers.get(container_id)

    async def create_container(self, config: ContainerConfig) -> ContainerRecord:
        sandbox = self._by_pod.get(config.pod_uid)
        image = await self.find_image(config.image)
        if sandbox is None or image is None:
            raise RuntimeServiceError(f"failed to create container: {'sandbox' if sandbox is None else 'image'} not found")
        try:
            await self.node_images.use(image)
        except OSError as error:
            raise RuntimeServiceError(f"failed to create container: {go_error(error)}") from error
        return await self._containers.create(config, image, sandbox)

    async def start_container(self, container_id: str) -> None:
        await self._containers.start_one(self._record(container_id))

    async def stop_container(self, container_id: str, grace_s: float) -> None:
        await self._containers.stop(self._record(container_id), grace_s)

    async def wait_container(self, container_id: str) -> None:
        await self._containers.wait(self._record(container_id))

    async def remove_container(self, container_id: str) -> None:
        if (record := self._containers.get(container_id)) is not None:
            await self._containers.remove(record)

    # -- inside a container

    async def exec(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        """Runs a command to its end. Raises TimeoutError, and RuntimeServiceError if it could not be started."""
        return await exec_sync(self._tools, self._running(container_id), self._containers.bundle(container_id), command, timeout_s)

    async def open_exec(self, container_id: str, command: Sequence[str], *, tty: bool, stdin: bool) -> ExecSession:
        record = self._running(container_id)
        return await open_exec(self._tools, record, self._containers.bundle(container_id), command, tty=tty, stdin=stdin)

    async def open_attach(self, container_id: str) -> AttachSession:
        return await open_attach(self._running(container_id), self._containers.bundle(container_id))

    def reopen_log(self, container_id: str) -> None:
        """After the log file was renamed: conmon opens a new one under the old name. Raises OSError, also when conmon is gone."""
        control = os.open(self._containers.bundle(container_id) / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(control, b"2 0 0\n")
        finally:
            os.close(control)

    def _record(self, container_id: str) -> ContainerRecord:
        record = self._containers.get(container_id)
        if record is None:
            raise RuntimeServiceError(f"container {container_id} not found")
        return record

    def _running(self, container_id: str) -> ContainerRecord:
        record = self._record(container_id)
        if not record.running:
            raise RuntimeServiceError(f"container is in CONTAINER_{record.state.upper()} state")
        return record


def _group_name(path: str) -> str:
    """As the kubelet names a Pod's cgroup: [kubepods burstable pod1234]."""
    _, _, below = path.partition("/kubepods/")
    return f"[kubepods {below.replace('/', ' ')}]"
