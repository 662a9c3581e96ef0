"""Pods from a folder of manifests (staticPodPath): they run whatever the API says, and show themselves there as mirror Pods.

    folder ── inotify ──> static_manifests.py ──> workers (the Pod, uid = hash of its file)
                                 └─────────────> mirror Pod in the API: made when missing, made anew when the file changes, and what
                                                 happens to it there changes nothing here; it carries the status
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from kube.api.core_v1 import Node, Pod
from kube.api.meta_v1 import OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.static_manifests import MIRROR, ManifestError, content_hash, static_pod
from node_agent.kubelet.status_manager import StatusManager
from node_agent.runtime.syscalls import IN_CLOSE_WRITE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO
from node_agent.runtime.watches import watching

SETTLE_S = 0.1          # an editor writes, renames, deletes: looked at once
RETRY_S = 5.0
FOLDER_EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
log = get_logger("static-pods")


class StaticPods:
    """`on_mirror` and `on_mirror_gone` are told what the API has; `run()` keeps folder, workers and mirrors in step."""

    def __init__(
        self, folder: Path, node_name: str, client: Client, clock: Clock, workers: PodWorkers, statuses: StatusManager,
        own_node: Callable[[], Node | None],
    ) -> None:
        self._folder = folder
        self._node_name = node_name
        self._client = client
        self._clock = clock
        self._workers = workers
        self._statuses = statuses
        self._own_node = own_node
        self._pods: dict[NamespacedName, Pod] = {}              # as the files say
        self._mirrors: dict[NamespacedName, Pod] = {}           # as the API says
        self._refused: dict[str, str] = {}                      # file -> why, told once
        self._changed = asyncio.Event()

    def on_mirror(self, mirror: Pod) -> None:
        key = _key(mirror)
        self._mirrors[key] = mirror
        self._changed.set()

    def on_mirror_gone(self, mirror: Pod) -> None:
        key = _key(mirror)
        if (held := self._mirrors.get(key)) is not None and held.metadata.uid == mirror.metadata.uid:
            del self._mirrors[key]
        self._changed.set()

    def on_static_ended(self) -> None:
        self._changed.set()

    async def begin(self) -> None:
        """Starts what the folder has; the mirrors that the API lists were told before."""
        await self._follow_files()

    async def run(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with watching(self._folder, FOLDER_EVENTS, self._changed.set) as watch_again:
            while True:
                self._changed.clear()
                self._folder.mkdir(parents=True, exist_ok=True)
                watch_again()                                   # it may be another folder by now
                await self._follow_files()
                settled = all([await self._reconcile(key) for key in list(self._mirrors.keys() | self._pods.keys())])
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if settled else RETRY_S):
                        await self._changed.wait()
                await asyncio.sleep(SETTLE_S)

    async def _follow_files(self) -> None:
        wanted = await asyncio.to_thread(self._read)
        for key in self._pods.keys() - wanted.keys():
            self._workers.end_static(self._pods[key].metadata.uid)
        for key, pod in wanted.items():
            held = self._pods.get(key)
            if held is None or held.metadata.uid != pod.metadata.uid:
                if held is not None:
                    self._workers.end_static(held.metadata.uid)
                mirror = self._mirrors.get(key)
                if mirror is not None and mirror.metadata.annotations[MIRROR] == content_hash(pod):
                    pod = msgspec.structs.replace(pod, status=mirror.status)
                    wanted[key] = pod
                self._statuses.hold(pod)
                self._workers.start_static(pod)
        self._pods = wanted

    async def _reconcile(self, key: NamespacedName) -> bool:
        """False: it has to be tried again."""
        pod, mirror, runs = self._pods.get(key), self._mirrors.get(key), self._workers.find(key.namespace, key.name)
        if runs is not None and runs.static and (pod is None or runs.uid != pod.metadata.uid):
            return True                                         # the one before is ending, and still shown; we are told when it has
        try:
            if mirror is not None and (pod is None or mirror.metadata.annotations[MIRROR] != content_hash(pod)
                                       or mirror.metadata.deletion_timestamp):
                await self._client.delete(Pod, key, grace_period_s=0, uid=mirror.metadata.uid)
                return True                                     # its going is told by the watch, and looked at then
            if pod is not None and mirror is None:
                mirror = await self._create_mirror(pod)
        except (errors.NotFound, errors.Conflict, errors.AlreadyExists):
            return True
        except errors.ApiError as error:
            log.warning("mirror pod not kept, trying again", pod=str(key), error=str(error))
            return False
        if pod is not None and mirror is not None:
            self._statuses.show_as(pod, mirror)
        return pod is None or mirror is not None

    async def _create_mirror(self, pod: Pod) -> Pod | None:
        node = self._own_node()
        if node is None:
            return None
        owner = OwnerReference(api_version="v1", kind="Node", name=self._node_name, uid=node.metadata.uid, controller=True)
        annotations = {**pod.metadata.annotations, MIRROR: content_hash(pod)}
        metadata = msgspec.structs.replace(pod.metadata, uid="", annotations=annotations, owner_references=(owner,))
        made = await self._client.create(msgspec.structs.replace(pod, metadata=metadata))
        self._mirrors.setdefault(_key(made), made)
        return made

    def _read(self) -> dict[NamespacedName, Pod]:
        found: dict[NamespacedName, Pod] = {}
        refused: dict[str, str] = {}
        now = to_rfc3339(self._clock.now())
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if path.name.startswith(".") or not path.is_file():
                continue
            try:
                pod = static_pod(path.read_bytes(), str(path), self._node_name, now)
                if _key(pod) in found:
                    raise ManifestError(f"another file has a Pod {_key(pod)}")
                found[_key(pod)] = pod
            except FileNotFoundError:
                continue
            except (ManifestError, OSError) as error:
                refused[path.name] = str(error)
                if self._refused.get(path.name) != str(error):
                    log.error("manifest not taken", file=path.name, error=str(error))
        self._refused = refused
        return found


def _key(pod: Pod) -> NamespacedName:
    return NamespacedName(pod.metadata.namespace, pod.metadata.name)
