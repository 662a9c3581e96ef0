"""The zygote: imports what the components share, then forks each of them, and forks it again when it ends.

It has one thread, no event loop and no gRPC channel, so that a fork is safe and its heap, frozen, stays shared: measured with eight
processes, 0.40 s and 100 MB (PSS) against 1.83 s and 335 MB with an interpreter each. It serves between one import and the next: etcd
needs none of them, the apiserver only the first ones, and both start while the rest is still to come.

It knows nothing of Kubernetes: it is given `ProcessSpec`s on a unix socket (zygote_client.py) and keeps them running, in their
namespaces, with a delay that doubles while one keeps failing. Components do not end with it; whoever starts a new zygote first ends
those that the earlier one left (zygote_client.end_leftovers).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec
import setproctitle

from launcher.cluster import cgroups
from launcher.cluster.zygote_client import FIRST_INHERITED_FD, MAX_MESSAGE, ProcessSpec, ProcessState, Reply, Request, start_ticks

# The apiserver first, for which all wait; its largest libraries one by one, so that no request waits for all of them. Then the
# scheduler, which has more to import by itself (numpy), and the supervisor before the cloud-controller-manager, which calls it.
PRELOADED = (
    "asyncio", "grpc", "aiohttp.web", "kube.api.core_v1", "cryptography.x509", "control_plane.apiserver.authorization.authorizer",
    "control_plane.apiserver.app", "launcher.cluster.shared_decoders", "control_plane.scheduler.app", "control_plane.controllers.app",
    "node_agent.kubelet.app", "node_agent.proxy.app", "launcher.cluster.supervisor", "control_plane.cloud.app",
)
NAMESPACE_FLAGS = {"net": 0x40000000, "uts": 0x04000000, "mnt": 0x00020000}
RESTART_DELAYS_S = (0.05, 0.2, 1.0, 2.0, 5.0, 10.0)
STABLE_AFTER_S = 10.0       # a process that lived this long starts again at the first delay
STOP_GRACE_S = 5.0


@dataclass(slots=True)
class Child:
    spec: ProcessSpec
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    restarts: int = -1
    start_after: float | None = 0.0       # monotonic; None: not to be started
    kill_after: float | None = None       # SIGTERM was sent; SIGKILL follows then
    last_code: int = 0

    def state(self) -> ProcessState:
        return ProcessState(
            name=self.spec.name, node=self.spec.node, pid=self.pid, started_at=self.started_at,
            start_ticks=start_ticks(self.pid) if self.pid else 0, restarts=max(self.restarts, 0), log_file=self.spec.log_file,
            last_code=self.last_code,
        )


class Zygote:
    def __init__(self, cluster: str, run_dir: Path, api_sockets: Sequence[int], preload: Sequence[str] = ()) -> None:
        self.cluster = cluster
        self.table_file = run_dir / "processes.json"
        self.socket_file = run_dir / "zygote.sock"
        self.api_sockets = tuple(api_sockets)
        self.to_import = list(reversed(preload))
        self.children: dict[str, Child] = {}
        self.stopping = False
        self.began = time.time()
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = socket.socketpair()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def run(self) -> None:
        self._open()
        while not (self.stopping and not any(child.pid for child in self.children.values())):
            events = self.selector.select(self._next_timer_s())
            for key, _ in events:
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is self.wake_read:
                    self.wake_read.recv(4096)
                else:
                    self._serve(key.fileobj)  # type: ignore[arg-type]  # the only other file objects are connections
            self._reap()
            self._run_timers()
            if self.to_import and not events:       # whoever asks comes first
                import_for_all(self.to_import.pop())
                self._run_timers()
        self.socket_file.unlink(missing_ok=True)
        self.table_file.unlink(missing_ok=True)

    def _open(self) -> None:
        self.wake_read.setblocking(False)
        self.wake_write.setblocking(False)
        signal.set_wakeup_fd(self.wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._shut_down())
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        self.socket_file.unlink(missing_ok=True)
        self.listener.bind(str(self.socket_file))
        self.socket_file.chmod(0o600)
        self.listener.listen(16)
        self.selector.register(self.listener, selectors.EVENT_READ)

    # --- requests

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        connection.settimeout(5.0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
        self.selector.register(connection, selectors.EVENT_READ)

    def _serve(self, connection: socket.socket) -> None:
        try:
            message = connection.recv(MAX_MESSAGE)
            if message:
                connection.send(msgspec.json.encode(self._answer(message)))
                return
        except OSError:
            pass
        self.selector.unregister(connection)
        connection.close()

    def _answer(self, message: bytes) -> Reply:
        try:
            request = msgspec.json.decode(message, type=Request)
        except msgspec.MsgspecError as error:
            return Reply(error=str(error))
        if request.op == "ensure":
            for spec in request.specs:
                self.ensure(spec)
            self._run_timers()
        elif request.op == "stop":
            for key in request.keys:
                self._stop(key)
        elif request.op == "restart":
            for key in request.keys:
                self._terminate(self.children.get(key))
        elif request.op == "shutdown":
            self._shut_down()
        return Reply(zygote_pid=os.getpid(), processes=tuple(child.state() for child in self.children.values()))

    def ensure(self, spec: ProcessSpec) -> None:
        child = self.children.get(spec.key)
        if child is None:
            self.children[spec.key] = Child(spec)
            return
        changed, child.spec = child.spec != spec, spec
        if changed:
            self._terminate(child)
        if not child.pid:
            child.start_after, child.failures = 0.0, 0

    def _stop(self, key: str) -> None:
        if (child := self.children.get(key)) is None:
            return
        child.start_after = None
        if child.pid:
            self._terminate(child)
        else:
            del self.children[key]

    def _terminate(self, child: Child | None) -> None:
        if child is not None and child.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
            child.kill_after = time.monotonic() + STOP_GRACE_S

    def _shut_down(self) -> None:
        self.stopping = True
        for key in list(self.children):
            self._stop(key)

    # --- time and death

    def _next_timer_s(self) -> float | None:
        if self.to_import:
            return 0.0
        times = [child.kill_after for child in self.children.values() if child.pid and child.kill_after is not None]
        times += [child.start_after for child in self.children.values() if not child.pid and child.start_after is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _run_timers(self) -> None:
        now, changed = time.monotonic(), False
        for child in self.children.values():
            if child.pid and child.kill_after is not None and child.kill_after <= now:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
                child.kill_after = None
            elif not child.pid and self._may_start(child) and child.start_after is not None and child.start_after <= now:
                self._start(child)
                changed = True
        if changed:
            self._write_table()

    def _may_start(self, child: Child) -> bool:
        return not self.stopping and child.spec.module not in self.to_import

    def _reap(self) -> None:
        by_pid = {child.pid: key for key, child in self.children.items() if child.pid}
        changed = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if (key := by_pid.get(pid)) is not None:
                self._ended(key, status)
                changed = True
        if changed:
            self._write_table()

    def _ended(self, key: str, status: int) -> None:
        child = self.children[key]
        lived_s = time.time() - child.started_at
        child.pid, child.kill_after = 0, None
        if child.start_after is None or self.stopping:
            del self.children[key]
            return
        child.failures = 0 if lived_s > STABLE_AFTER_S else child.failures + 1
        delay_s = RESTART_DELAYS_S[min(max(child.failures - 1, 0), len(RESTART_DELAYS_S) - 1)]
        child.start_after = time.monotonic() + delay_s
        child.last_code = code = os.waitstatus_to_exitcode(status)
        print(f"{key} ended with {code} after {lived_s:.1f} s, starts again in {delay_s} s", file=sys.stderr, flush=True)  # noqa: T201

    def _write_table(self) -> None:
        temporary = self.table_file.with_suffix(".tmp")
        own = ProcessState(
            name="zygote", node="", pid=os.getpid(), started_at=self.began, start_ticks=start_ticks(os.getpid()), restarts=0, log_file="",
        )
        temporary.write_bytes(msgspec.json.encode([own, *(child.state() for child in self.children.values() if child.pid)]))
        temporary.replace(self.table_file)

    # --- birth

    def _start(self, child: Child) -> None:
        child.restarts += 1
        child.started_at = time.time()
        child.pid = os.fork()
        if child.pid == 0:
            self._become(child.spec)

    def _become(self, spec: ProcessSpec) -> NoReturn:
        code = 1
        try:
            enter(spec, self.api_sockets if spec.api_socket else ())
            setproctitle.setproctitle(f"{spec.name} --cluster {self.cluster}" + (f" --node {spec.node}" if spec.node else ""))
            if not spec.module:
                os.execvpe(spec.arguments[0], spec.arguments, {**os.environ, **spec.environment})
            os.environ.update(spec.environment)
            code = importlib.import_module(spec.module).main(list(spec.arguments))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def import_for_all(module: str) -> None:
    """Its objects stay where they are and are left alone by later collections, in the children too: either would unshare their pages.

    A module that cannot be imported is reported; the process that needs it will fail with the same error. See gc.freeze in Python's docs.
    """
    gc.disable()
    try:
        with without_public_authorities():
            importlib.import_module(module)
    except Exception:
        traceback.print_exc()
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def without_public_authorities() -> Iterator[None]:
    """aiohttp reads the machine's CA bundle when it is imported, for clients that name no CA: a tenth of the time of all imports.

    The components' clients name the CA that they trust. One that does not trusts nobody.
    """
    held = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(held, os.devnull))
    try:
        yield
    finally:
        for name, value in held.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def enter(spec: ProcessSpec, inherited: Sequence[int]) -> None:
    """Turns the freshly forked child into a process of its own: session, signals, files, cgroup, namespaces."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    log = os.open(spec.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # high copies first, so that no dup2 below overwrites a socket that is still to be moved
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in inherited]
    for target, descriptor in enumerate(high, FIRST_INHERITED_FD):
        os.dup2(descriptor, target)
        os.set_inheritable(target, True)
    os.closerange(FIRST_INHERITED_FD + len(high), 65536)
    if spec.cgroup:
        cgroups.join(spec.cgroup)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptors = [(os.open(path, os.O_RDONLY | os.O_CLOEXEC), NAMESPACE_FLAGS[kind]) for kind, path in spec.namespaces.items()]
    for descriptor, flag in descriptors:
        if libc.setns(descriptor, flag) != 0:
            raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")
        os.close(descriptor)
    os.chdir("/")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="zygote")
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--run-dir", required=True, type=Path)
    parser.add_argument("--api-socket", type=int, action="append", default=[], help="inherited descriptor of a listening socket")
    options = parser.parse_args(argv)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"     # numpy must not start threads: a fork would lose them
    setproctitle.setproctitle(f"zygote --cluster {options.cluster}")
    Zygote(options.cluster, options.run_dir, options.api_socket, PRELOADED).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
