"""A room of its own for a program that rearranges the machine it runs on: its own PIDs, mounts and network, in one folder.

    keeper    `unshare` on the outside; the kernel ends it when the test process dies, however that dies
      init    process 1 inside; with it the kernel ends every process of the room: daemons, shims, containers
        ...   entered by `nsenter`

So mounts, links, routes and rules exist inside only and go with the last process: none of them needs to be found and undone.
What does outlive the processes is a folder and cgroups of one name. The folder holds a record, locked by its owner while
that lives: a record that nobody holds was left by a run that was killed, and `sweep` removes what belongs to it.

/run is empty inside. Daemons put sockets of fixed names there, and whoever speaks through the system bus of the host
(Docker to firewalld) would change the host.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launcher.testing.cluster import eventually

PLACE: Final = Path("/var/tmp")                 # on a disk, and short: a unix socket's path may have 107 bytes
PREFIX: Final = "kubonsai-test-"
RECORD: Final = "room.json"
END_S: Final = 30.0

# Mounts come in from the host, as they do for a daemon of the host's, and none goes out. Zombies of others are process 1's
# to bury; one that ignores SIGCHLD leaves it to the kernel.
FURNISH: Final = """
set -e
mount --make-rshared /
mkdir "$1/run"
for file in "$(readlink -f /etc/resolv.conf)" /run/systemd/resolve/resolv.conf; do
    case $file in
        /run/*) [ ! -f "$file" ] || cp --parents "$file" "$1" ;;
    esac
done
mount -t tmpfs -o mode=755 kubonsai-test /run
cp -a "$1/run/." /run/
ip link set lo up
echo ready
exec env --ignore-signal=CHLD sleep infinity >/dev/null
"""


class RoomError(Exception):
    """The room cannot be made, or does not end; the message says what the machine answered."""


@dataclass(slots=True)
class Room:
    """`open` makes it, `close` leaves nothing of it. A kept room outlives the process that made it, until `sweep(kept=True)`."""

    kept: bool = False
    folder: Path = field(init=False)
    _keeper: subprocess.Popen[str] | None = None
    _record: int = -1                            # the descriptor that holds the lock

    @property
    def name(self) -> str:
        """Of the folder and of the cgroup below every hierarchy's root."""
        return self.folder.name

    @property
    def keeper(self) -> int:
        if self._keeper is None:
            raise RoomError("the room is not open")
        return self._keeper.pid

    def open(self) -> Room:
        """Raises RoomError. What a failure leaves, `close` removes."""
        if os.geteuid() != 0:
            raise RoomError("namespaces, mounts and cgroups of a Docker engine need root")
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=PLACE))
        self._record = _locked_record(self.folder)
        self._note(kept=self.kept)
        fetter = [] if self.kept else ["setpriv", "--pdeathsig", "KILL"]
        unshare = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--net", "--propagation", "slave", "--mount-proc"]
        with (self.folder / "room.log").open("w") as log:
            self._keeper = subprocess.Popen(
                [*fetter, *unshare, "sh", "-c", FURNISH, "sh", str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )
        assert self._keeper.stdout
        with self._keeper.stdout as answer:
            if answer.readline() != "ready\n":
                raise RoomError(f"a room cannot be made: {(self.folder / 'room.log').read_text().strip()}")
        init = children(self._keeper.pid)[0]
        self._note(kept=self.kept, init=init, started=_started(init))
        return self

    def command(self, *command: str, host_network: bool = False) -> list[str]:
        """What runs a command in the room; with the host's network instead of the room's own where that is asked for."""
        spaces = {"mount": "mnt", "pid": "pid_for_children", **({} if host_network else {"net": "net"})}
        return ["nsenter", *(f"--{option}=/proc/{self.keeper}/ns/{file}" for option, file in spaces.items()), "--", *command]

    def on_its_network(self, *command: str) -> list[str]:
        """What runs a command of the host's, with the host's files, in the room's network."""
        return ["nsenter", f"--net=/proc/{self.keeper}/ns/net", "--", *command]

    def close(self) -> None:
        """Idempotent. Raises RoomError when something of it does not end."""
        if not hasattr(self, "folder"):
            return
        if self.folder.exists():
            _remove(self.folder)
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
            self._keeper = None
        self.forget()

    def forget(self) -> None:
        """Gives the record back: a kept room is then anybody's to sweep."""
        if self._record >= 0:
            os.close(self._record)
            self._record = -1

    def _note(self, **facts: object) -> None:
        os.pwrite(self._record, json.dumps(facts).encode().ljust(200), 0)


def sweep(*, kept: bool = False) -> list[str]:
    """Removes the rooms of runs that were killed, and those that were kept when `kept`; their names."""
    return [folder.name for folder in sorted(PLACE.glob(f"{PREFIX}*")) if _swept(folder, kept=kept)]


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cgroups(name: str) -> list[Path]:
    """Every cgroup at or below `name`, the deepest first; both cgroup versions."""
    tops = [top for top in (*Path("/sys/fs/cgroup").glob(f"*/{name}"), Path("/sys/fs/cgroup", name)) if top.is_dir()]
    return [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def _swept(folder: Path, *, kept: bool) -> bool:
    try:
        if folder.stat().st_uid != os.geteuid():             # anybody may write here, and the record says what to end
            return False
        with (folder / RECORD).open("r+") as record:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not kept and _facts(folder).get("kept") and _init(folder):
                return False
            _remove(folder)
            return True
    except (BlockingIOError, FileNotFoundError):             # its run lives, or somebody else has removed it
        return False


def _remove(folder: Path) -> None:
    """Processes, then cgroups, then files; the record last, so that an interrupted removal is found again."""
    if init := _init(folder):
        _end(*init)
    try:
        eventually(lambda: not _without_cgroups(folder.name), within_s=END_S)
    except AssertionError as error:
        raise RoomError(f"cgroups of {folder.name} stay busy: {cgroups(folder.name)}") from error
    for path in folder.iterdir():
        if path.name == RECORD:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(folder)


def _without_cgroups(name: str) -> list[Path]:
    """Removes what can be; what is left. A cgroup is busy for a moment after its last process."""
    for folder in cgroups(name):
        try:
            folder.rmdir()
        except OSError:
            continue
    return cgroups(name)


def _end(pid: int, started: str) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _started(pid) == started:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            # Process 1 is gone only after all others of its namespace.
            if not select.select([handle], [], [], END_S)[0]:
                raise RoomError(f"process {pid} and those below it do not end")
    except (ProcessLookupError, FileNotFoundError):
        pass
    finally:
        os.close(handle)


def _init(folder: Path) -> tuple[int, str] | None:
    """Process 1 of the room, if it lives: its PID out here, and when it started."""
    facts = _facts(folder)
    try:
        if facts.get("init") and _started(facts["init"]) == facts["started"]:
            return facts["init"], facts["started"]
    except FileNotFoundError:
        pass
    return None


def _started(pid: int) -> str:
    """In ticks since boot: with it a PID means one process only."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _facts(folder: Path) -> dict[str, Any]:
    text = (folder / RECORD).read_text().strip()
    facts: dict[str, Any] = json.loads(text) if text else {}
    return facts


def _locked_record(folder: Path) -> int:
    """Locked before it has its name: nobody sees it free."""
    record = os.open(folder / "new", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(record, fcntl.LOCK_EX)
    os.rename(folder / "new", folder / RECORD)
    return record
