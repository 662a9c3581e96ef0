"""One container's life: created (files and overlay), running (conmon + runc), exited, removed without a trace.

The record on disk is written before and after each step, so that a kubelet killed in between finds out what stands. The bundle lies
below the runtime directory under a short name, because conmon's attach socket in it has to fit into 108 bytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from kube.apimachinery.go_text import go_error
from kube.process.log import get_logger
from node_agent.runtime import cgroups as cgroup_tree
from node_agent.runtime.cgroups import Cgroups
from node_agent.runtime.conmon import ConmonStart, Tools, abandon, create_container, release
from node_agent.runtime.exits import ExitWatcher
from node_agent.runtime.idmaps import discard_mapped, mapped_mounts, mount_mapped_overlay, open_root
from node_agent.runtime.layers import discard_overlay, mount_overlay
from node_agent.runtime.model import (
    Amounts,
    ContainerConfig,
    ContainerRecord,
    ContainerState,
    Image,
    ProcessUser,
    Resources,
    RuntimeServiceError,
    Sandbox,
    StartFailedError,
    merged,
)
from node_agent.runtime.processes import open_process, start_ticks
from node_agent.runtime.records import RecordStore
from node_agent.runtime.spec import granted_capabilities, oci_spec

OnChange = Callable[[ContainerRecord], None]
log = get_logger("runtime")


class Containers:
    """All containers of a node. `on_change` hears of every end."""

    def __init__(
        self, root_dir: Path, run_dir: Path, tools: Tools, cgroups: Cgroups, now: Callable[[], float], on_change: OnChange,
    ) -> None:
        self._records = RecordStore(root_dir / "containers")
        self._bundles = run_dir / "b"
        self._bundles.mkdir(parents=True, exist_ok=True)
        self._tools = tools
        self._cgroups = cgroups
        self._now = now
        self._on_change = on_change
        self._exits = ExitWatcher(root_dir / "exits", self._ended, now)
        self._all: dict[str, ContainerRecord] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._of_pod: dict[str, dict[str, ContainerRecord]] = {}
        self._recovering = False
        self._own_oom_score_adj = int(Path("/proc/self/oom_score_adj").read_text())
        self._bounding = granted_capabilities(_bounding_set())
        self._all_devices = cgroup_tree.all_devices()
        self._run_dir = run_dir

    def start(self) -> None:
        """Finds the containers of an earlier run again and watches those that live."""
        self._exits.start()
        self._recovering = True
        for record in self._records.load():
            self._know(record)
            if record.state is ContainerState.EXITED:
                self._ends[record.id].set()
                continue
            self._recover(record)
        self._recovering = False
        self._remove_strays()

    def _remove_strays(self) -> None:
        """Of containers that have no record any more: the kubelet was killed while it removed them, or conmon wrote later."""
        known = {container_id[:16] for container_id in self._all}
        for folder in (self._bundles, Path(self._tools.runc_root), self._exits.exit_file("")):
            for entry in folder.iterdir():
                if entry.name[:16] not in known:
                    log.info("removing what is left of a container", path=str(entry))
                    entry.unlink() if entry.is_file() else shutil.rmtree(entry, ignore_errors=True)

    def close(self) -> None:
        self._exits.close()

    def _recover(self, record: ContainerRecord) -> None:
        if record.state is ContainerState.CREATED:
            # The kubelet died between conmon's start and the record: its pid file tells whether anything runs.
            with suppress(OSError, ValueError):
                record.pid = int((self.bundle(record.id) / "pidfile").read_text())
                record.pid_start = start_ticks(record.pid) if self._runs_in(record.config.cgroup, record.pid) else 0
                record.conmon_pid = int((self.bundle(record.id) / "conmon.pid").read_text())
            if not record.pid or self._exec_fifo(record.id).exists():
                self._forget_unstarted(record)
                return
            record.started_at = record.started_at or self._now()
            record.state = ContainerState.RUNNING
            self._save(record)
        self._exits.watch(record.id, record.pid, record.pid_start, record.conmon_pid)

    def _know(self, record: ContainerRecord) -> None:
        self._all[record.id] = record
        self._of_pod.setdefault(record.config.pod_uid, {})[record.id] = record
        self._ends[record.id] = asyncio.Event()

    def _drop(self, record: ContainerRecord) -> None:
        self._all.pop(record.id, None)
        self._ends.pop(record.id, None)
        siblings = self._of_pod.get(record.config.pod_uid, {})
        siblings.pop(record.id, None)
        if not siblings:
            self._of_pod.pop(record.config.pod_uid, None)

    def _runs_in(self, group: str, pid: int) -> bool:
        return f"{group}\n" in Path(f"/proc/{pid}/cgroup").read_text()

    def _forget_unstarted(self, record: ContainerRecord) -> None:
        """It never ran, so it does not count as a run: made anew by whoever wants it."""
        abandon(record.id)      # conmon may still be at it
        try:
            cgroup_tree.kill_processes(self._cgroups, record.config.cgroup)
            self._discard(record)
        except OSError as error:
            self._finish(record, 128, "StartError", f"the kubelet restarted while the container was being started: {error}")
            return
        self._drop(record)

    def get(self, container_id: str) -> ContainerRecord | None:
        return self._all.get(container_id)

    def list(self, pod_uid: str = "") -> Sequence[ContainerRecord]:
        return [*(self._of_pod.get(pod_uid, {}) if pod_uid else self._all).values()]

    def bundle(self, container_id: str) -> Path:
        return self._bundles / container_id[:16]

    async def create(self, config: ContainerConfig, image: Image, sandbox: Sandbox) -> ContainerRecord:
        """Everything up to the process: record, root filesystem, bundle. Raises RuntimeServiceError."""
        container_id = secrets.token_hex(32)
        record = ContainerRecord(
            id=container_id, config=config, image_id=image.id, state=ContainerState.CREATED, created_at=self._now(),
            stop_signal=config.stop_signal or image.config.stop_signal, image=image.reference, image_ref=image.by_digest,
        )
        try:
            self._prepare(record, image, sandbox)
        except (OSError, ValueError) as error:
            self._discard_files(container_id)
            raise RuntimeServiceError(f"failed to create container: {go_error(error)}") from error
        self._know(record)
        return record

    def _prepare(self, record: ContainerRecord, image: Image, sandbox: Sandbox) -> None:
        self._records.save(record)
        bundle = self.bundle(record.id)
        bundle.mkdir()
        rootfs, config = self._mount(record, image, sandbox)
        if not self._cgroups.limits_huge_pages():           # runc refuses what it cannot set
            config = replace(config, resources=replace(config.resources, huge_pages={}))
        target = self._all.get(record.config.pid_target)
        if record.config.pid_target and (target is None or not target.running):
            raise ValueError(f"target container {record.config.pid_target!r} does not run")
        spec = oci_spec(
            config, image, sandbox, rootfs=rootfs, own_oom_score_adj=self._own_oom_score_adj, bounding=self._bounding,
            unified_cgroups=isinstance(self._cgroups, cgroup_tree.UnifiedCgroups), all_devices=self._all_devices,
            target_pid=target.pid if target is not None else 0,
        )
        (bundle / "config.json").write_text(json.dumps(spec))
        user = spec["process"]["user"]
        record.user = ProcessUser(user["uid"], user["gid"], tuple(user["additionalGids"]))    # saved when it runs
        log_path = Path(record.config.log_path)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_path.touch(0o640)

    def _mount(self, record: ContainerRecord, image: Image, sandbox: Sandbox) -> tuple[str, ContainerConfig]:
        directory, config = self._records.directory(record.id), record.config
        if not sandbox.user:
            return mount_overlay(image.layers, directory), config
        rootfs = mount_mapped_overlay(image.layers, directory, open_root(self._run_dir, record.id), sandbox.user, sandbox.first_id)
        return rootfs, replace(config, mounts=mapped_mounts(config.mounts, directory, sandbox.user))

    async def start_one(self, record: ContainerRecord) -> None:
        """Raises StartFailedError; the record then says EXITED, StartError, 128, as containerd reports it."""
        config = record.config
        start = ConmonStart(
            container_id=record.id, bundle=self.bundle(record.id), log_path=config.log_path, exits_dir=str(self._exits.exit_file("")),
            tty=config.tty, stdin=config.stdin, stdin_once=config.stdin_once,
        )
        try:
            record.pid, record.conmon_pid = await create_container(self._tools, start)
            record.pid_start = start_ticks(record.pid)
            await asyncio.wait_for(release(self._exec_fifo(record.id)), timeout=10)
        except (StartFailedError, OSError, TimeoutError) as error:
            message = f"failed to create containerd task: failed to create shim task: OCI runtime create failed: {error}"
            self._finish(record, 128, "StartError", message)
            raise StartFailedError(message) from error
        except asyncio.CancelledError:
            self._finish(record, 137, "", "", written=False)     # a kubelet that comes after this one starts it as if for the first time
            raise
        record.started_at = self._now()
        record.state = ContainerState.RUNNING
        self._save(record)
        self._exits.watch(record.id, record.pid, record.pid_start, record.conmon_pid)

    async def stop(self, record: ContainerRecord, grace_s: float) -> None:
        """The image's stop signal, then SIGKILL after `grace_s`; returns when the container has ended."""
        ended = self._ends[record.id]
        if record.state is ContainerState.CREATED:
            self._finish(record, 137, "Error", "")
        if ended.is_set():
            return
        if grace_s > 0:
            self.send_signal(record, _signal_number(record.stop_signal))
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), grace_s)
        if not ended.is_set():
            self.send_signal(record, signal.SIGKILL)
            await ended.wait()

    def send_signal(self, record: ContainerRecord, number: int) -> None:
        if (fd := open_process(record.pid, record.pid_start)) is not None:
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                pass
            finally:
                os.close(fd)

    async def wait(self, record: ContainerRecord) -> None:
        await self._ends[record.id].wait()

    async def remove(self, record: ContainerRecord) -> None:
        """Kills it if need be; leaves no mount, cgroup, directory or state of runc. The log stays."""
        if record.state is not ContainerState.EXITED:
            await self.stop(record, 0)
        self._exits.unwatch(record.id)
        await asyncio.to_thread(self._discard, record)
        self._drop(record)

    def _discard(self, record: ContainerRecord) -> None:
        cgroup_tree.remove_cgroup(self._cgroups, record.config.cgroup)
        shutil.rmtree(Path(self._tools.runc_root) / record.id, ignore_errors=True)
        self._exits.exit_file(record.id).unlink(missing_ok=True)
        self._discard_files(record.id)

    def _discard_files(self, container_id: str) -> None:
        directory = self._records.directory(container_id)
        discard_mapped(directory, open_root(self._run_dir, container_id))
        shutil.rmtree(self.bundle(container_id), ignore_errors=True)
        discard_overlay(directory)

    async def resize(self, record: ContainerRecord, resources: Resources, amounts: Amounts) -> None:
        """Changes the limits that are given, and what the record says of them. Raises RuntimeServiceError."""
        await self._update_cgroup(record.config.cgroup, resources)
        record.config = replace(record.config, resources=merged(record.config.resources, resources), amounts=amounts)
        with suppress(FileNotFoundError):       # it was removed meanwhile
            self._records.save(record)

    async def resize_pod(self, pod_uid: str, cgroup: str, resources: Resources) -> None:
        """Of a Pod's cgroup the limits that are given. Raises RuntimeServiceError."""
        # Version 1 lets no Pod have less CPU than a container below it was allowed, ended or not.
        ended = [record.config.cgroup for record in self.list(pod_uid) if record.state is ContainerState.EXITED]
        for path in ended:
            with suppress(OSError):
                self._cgroups.update(path, Resources(cpu_quota_us=-1))
        await self._update_cgroup(cgroup, resources)

    async def _update_cgroup(self, path: str, resources: Resources) -> None:
        try:
            await asyncio.to_thread(self._cgroups.update, path, resources)      # less memory may take the kernel a while
        except OSError as error:
            raise RuntimeServiceError(f"failed to update cgroup: {go_error(error)}") from error

    def memory_in_use(self, cgroup: str) -> int:
        """Bytes of a Pod's or a container's cgroup, with what the kernel could drop."""
        return self._cgroups.memory_in_use(cgroup)

    def set_pod_cgroup(self, path: str, resources: Resources) -> None:
        self._cgroups.create(path, resources)

    def pod_groups(self, parent: str) -> dict[str, str]:
        return cgroup_tree.pod_groups(self._cgroups, parent)

    def remove_empty_pod_cgroup(self, path: str) -> None:
        """Unless something runs in it."""
        if not cgroup_tree.processes(self._cgroups, path):
            self.remove_pod_cgroup(path)

    def remove_pod_cgroup(self, path: str) -> None:
        cgroup_tree.remove_cgroup(self._cgroups, path)

    def _exec_fifo(self, container_id: str) -> Path:
        return Path(self._tools.runc_root) / container_id / "exec.fifo"

    def _ended(self, container_id: str, exit_code: int | None, finished_at: float) -> None:
        record = self._all.get(container_id)
        if record is None or record.state is ContainerState.EXITED:
            return
        if exit_code is None:
            # As containerd tells it: killed, for its keeper is gone; or nobody knows, after a machine was off.
            code, reason = (255, "Unknown") if self._recovering else (137, "")
            self._finish(record, code, reason, "", finished_at)
        elif self._cgroups.oom_kills(record.config.cgroup) > 0:
            # Of any process of the container, as containerd says it: what its first process made of a child's end is its own affair.
            # Not conmon's "oom" file: an out-of-memory kill in the node's cgroup leaves one in every container below it.
            self._finish(record, exit_code, "OOMKilled", "", finished_at)
        else:
            self._finish(record, exit_code, "", "", finished_at)

    def _finish(
        self, record: ContainerRecord, exit_code: int, reason: str, message: str, finished_at: float = 0.0, *, written: bool = True,
    ) -> None:
        record.state = ContainerState.EXITED
        record.exit_code, record.reason, record.message = exit_code, reason, message
        record.finished_at = max(finished_at or self._now(), record.started_at)
        # Without a PID namespace of its own, or killed conmon: nothing of the container may outlive it.
        cgroup_tree.kill_processes(self._cgroups, record.config.cgroup)
        if written:
            self._save(record)
        if (event := self._ends.get(record.id)) is not None:
            event.set()
        log.info("container ended", container=record.name, id=record.id[:12], exit_code=exit_code, reason=reason or "-")
        self._on_change(record)

    def _save(self, record: ContainerRecord) -> None:
        """A full disk must not hide what runs: a kubelet that restarts finds the rest out from conmon's files and the process."""
        try:
            self._records.save(record)
        except FileNotFoundError:
            pass                                 # it was removed meanwhile
        except OSError as error:
            log.warning("record not written", container=record.name, id=record.id[:12], error=str(error))


def _signal_number(name: str) -> int:
    if name.isdigit():
        return int(name)
    return int(signal.Signals[name if name.startswith("SIG") else "SIG" + name])


def _bounding_set() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0
