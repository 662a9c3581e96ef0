"""What no Pod owns any more: Pods that vanished while the kubelet was down, directories and logs that were left."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from kube.process.log import get_logger
from node_agent.kubelet.seams import Network, PodRuntime
from node_agent.runtime.model import ContainerState, RuntimeServiceError
from node_agent.volumes.plugin import VolumeError
from node_agent.volumes.pod_volumes import PodVolumes

PERIOD_S = 60.0
ORPHAN_GRACE_S = 5.0
log = get_logger("housekeeping")


class Housekeeping:
    """`known` gives the uids that have a worker; call `sweep` only once the first list of Pods is there."""

    def __init__(
        self, root_dir: Path, cgroup_parent: str, runtime: PodRuntime, network: Network, volumes: PodVolumes,
        known: Callable[[], set[str]], update_qos_groups: Callable[[], None],
    ) -> None:
        self._cgroup_parent = cgroup_parent
        self._root_dir = root_dir
        self._runtime = runtime
        self._network = network
        self._volumes = volumes
        self._known = known
        self._update_qos_groups = update_qos_groups

    async def run(self) -> None:
        while True:
            try:
                await self.sweep()
            except (RuntimeServiceError, OSError) as error:
                log.warning("clean-up failed, trying again later", error=str(error))
            await asyncio.sleep(PERIOD_S)

    async def sweep(self) -> None:
        known = self._known()
        held = {record.config.pod_uid for record in self._runtime.containers()}
        held |= {sandbox.config.uid for sandbox in self._runtime.sandboxes()}
        await asyncio.gather(*(self._remove_orphan(uid) for uid in held - known))
        if self._network.ready:
            await self._network.remove_all_but(self._known)
        await self._runtime.remove_orphan_cgroups(self._cgroup_parent, self._known)
        self._update_qos_groups()
        await self._remove_directories(known)
        await asyncio.to_thread(self._remove_logs, known)

    async def _remove_orphan(self, uid: str) -> None:
        log.info("removing a pod that is gone", uid=uid)
        alive = [record for record in self._runtime.containers(uid) if record.state is not ContainerState.EXITED]
        await asyncio.gather(*(self._runtime.stop_container(record.id, ORPHAN_GRACE_S) for record in alive))
        await self._network.remove(uid)
        await self._volumes.tear_down(uid)
        await self._runtime.remove_pod(uid)

    async def _remove_directories(self, known: set[str]) -> None:
        for directory in _entries(self._root_dir / "pods"):
            if directory.name not in known and directory.name not in self._known():
                try:
                    await self._volumes.tear_down(directory.name)
                except (OSError, VolumeError) as error:      # a mount stays: nothing behind it may be deleted, and the others need not wait
                    log.warning("volumes of a pod that is gone stay", uid=directory.name, error=str(error))
                    continue
                await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    def _remove_logs(self, known: set[str]) -> None:
        for directory in _entries(self._root_dir / "logs" / "pods"):
            if directory.name.rpartition("_")[2] not in known and directory.name.rpartition("_")[2] not in self._known():
                shutil.rmtree(directory, ignore_errors=True)


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []
