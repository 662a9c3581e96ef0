"""A Docker engine of our own, from nothing: Debian's docker.io in a room of its own, with a base image made on the spot.

    with Engine() as engine:
        engine.build(ROOT, "kubonsai")
        engine.compose("up", "-d", project="shop")
        engine.enter("curl", "-s", "http://127.0.0.1:8080/")      # published ports are on the loopback of the engine's network
        engine.restart()

The host's network is not touched: bridges, addresses and rules are the room's (room.py). A build needs the way to the outside,
which the room has not, so for that one step the same images are served by an engine without bridge and rules in the host's
network. Without pytest: python -m tests.compose.engine shell | up | down
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final

from launcher.testing.cluster import CommandFailed, eventually, run
from tests.compose.base_image import base_archive, base_names
from tests.compose.room import Room, children, sweep

ROOT: Final = Path(__file__).resolve().parents[2]
START_S: Final = 60.0
STOP_S: Final = 90.0                     # dockerd grants each container its grace, then ends itself
BUILD_S: Final = 1800.0
# For the build alone: no bridge, no rule, no switch of the host's is touched.
WITHOUT_NETWORK: Final = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false")
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
# What would lead the clients elsewhere, or change what they do.
FOREIGN: Final = (
    "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_DEFAULT_PLATFORM", "DOCKER_API_VERSION",
    "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES",
)


class EngineError(Exception):
    """The engine does not start, stop or do what is asked; the message ends with its log."""


class AnyEngine:
    """What a test asks of an engine, whosever it is: the clients, and a way to what containers publish."""

    own: ClassVar[bool]                  # ours: may be restarted

    @property
    def environment(self) -> dict[str, str]:
        """What the clients need beside the environment of this process."""
        raise NotImplementedError

    def docker(self, *arguments: str, timeout_s: float = 120.0, stdin: str | None = None) -> str:
        """Standard output of `docker ...`. Raises CommandFailed."""
        return run([_client("docker"), *arguments], timeout_s=timeout_s, environment=self.environment, stdin=stdin)

    def compose(
        self, *arguments: str, project: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None, timeout_s: float = 300.0
    ) -> str:
        """Standard output of docker-compose for the docker-compose.yml in `folder`. Raises CommandFailed."""
        compose = [_client("docker-compose")] if shutil.which("docker-compose") else [_client("docker"), "compose"]
        where = ["--project-directory", str(folder), "--file", str(folder / "docker-compose.yml")]
        known = {**self.environment, "COMPOSE_PROJECT_NAME": project, **(environment or {})}
        return run([*compose, *where, *arguments], timeout_s=timeout_s, environment=known)

    def enter(self, *command: str, timeout_s: float = 180.0) -> str:
        """Standard output of a command of the host's where published ports are on loopback. Raises CommandFailed."""
        raise NotImplementedError

    def build(self, context: Path, tag: str) -> None:
        """`docker build` with a way to the outside. Raises CommandFailed."""
        raise NotImplementedError

    def restart(self) -> None:
        """As `systemctl restart docker`: containers get their grace, and those whose policy says so are started again."""
        raise NotImplementedError


class ExistingEngine(AnyEngine):
    """The engine that DOCKER_HOST, or Docker's own default, names. It is somebody's: nothing of it is started or stopped."""

    own = False

    @property
    def environment(self) -> dict[str, str]:
        return {}

    @staticmethod
    def answers() -> bool:
        try:
            run(["docker", "version"], timeout_s=10)
        except (CommandFailed, OSError):
            return False
        return True

    def enter(self, *command: str, timeout_s: float = 180.0) -> str:
        return run(command, timeout_s=timeout_s)

    def build(self, context: Path, tag: str) -> None:
        self.docker("build", "--tag", tag, str(context), timeout_s=BUILD_S)

    def restart(self) -> None:
        raise EngineError("an engine that is somebody's is not restarted")


class Engine(AnyEngine):
    """One engine: `start` .. `stop`, or a context manager. After `stop` nothing is left of it. Raises RoomError, EngineError.

    `fresh`: base images are made anew. `kept`: it outlives this process; `python -m tests.compose.engine down` removes it.
    """

    own = True

    def __init__(self, *, fresh: bool = False, kept: bool = False) -> None:
        self.fresh = fresh
        self.room = Room(kept=kept)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            **dict.fromkeys(FOREIGN, ""), "DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.room.folder / "client"),
            "DOCKER_BUILDKIT": "0", "PATH": _path(),
        }

    @property
    def host(self) -> str:
        return f"unix://{self.room.folder}/docker.sock"

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Engine:
        """Also removes what engines of killed runs have left."""
        if not shutil.which("dockerd", path=_path()):
            raise EngineError("dockerd is not installed; ./kubonsai test --compose installs it")
        try:
            sweep()
            self.room.open()
            (self.room.folder / "client").mkdir()
            (self.room.folder / "daemon.json").write_text("{}")          # else the host's own would hold
            self._serve()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the containers without their grace. Idempotent, also after half a start."""
        self.room.close()
        if self._daemon is not None:
            self._daemon.wait()
            self._daemon = None

    def restart(self) -> None:
        """Returns when the engine answers; containers may still be on their way up."""
        self._halt()
        self._serve()

    def import_base(self, dockerfile: Path = ROOT / "Dockerfile") -> list[str]:
        """Makes and imports what a Dockerfile starts FROM; the names of those images. Raises BaseImageError, CommandFailed."""
        names = base_names(dockerfile.read_text())
        for name in names:
            if not self.docker("images", "--quiet", name).strip():
                archive = base_archive(self.room, name, fresh=self.fresh)
                self.docker("import", "--change", 'CMD ["bash"]', str(archive), name)
        return names

    def build(self, context: Path, tag: str) -> None:
        """Imports what the Dockerfile starts FROM. Containers of this engine are stopped for the time, and started as by `restart`."""
        self.import_base(context / "Dockerfile")
        self._halt()
        try:
            self._serve(host_network=True)
            arguments = [word for name in PROXIES if os.environ.get(name) for word in ("--build-arg", name)]
            self.docker("build", "--network", "host", *arguments, "--tag", tag, str(context), timeout_s=BUILD_S)
        finally:
            self._halt()
            self._serve()

    def enter(self, *command: str, timeout_s: float = 180.0) -> str:
        return run(self.room.on_its_network(*command), timeout_s=timeout_s)

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join((self.room.folder / "engine.log").read_text(errors="replace").splitlines()[-lines:])

    def _serve(self, *, host_network: bool = False) -> None:
        folder = self.room.folder
        # cgroupfs: systemd would be told PIDs of the room, which are others out here.
        command = [
            "dockerd", "--config-file", f"{folder}/daemon.json", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
            "--host", self.host, "--pidfile", f"{folder}/docker.pid", "--group", "root",
            "--cgroup-parent", f"/{self.room.name}", "--exec-opt", "native.cgroupdriver=cgroupfs",
            *(WITHOUT_NETWORK if host_network else ()),
        ]
        with (folder / "engine.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                self.room.command(*command, host_network=host_network), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PATH": _path()}, start_new_session=True,
            )
        eventually(self._has_answered, within_s=START_S)

    def _has_answered(self) -> bool:
        if self._daemon is None or self._daemon.poll() is not None:
            raise EngineError(f"dockerd has ended\n{self.log_tail()}")
        return bool(self.docker("version", "--format", "{{.Server.Version}}", timeout_s=10))

    def _halt(self) -> None:
        if self._daemon is None:
            return
        for pid in children(self._daemon.pid):                # nsenter's one child is dockerd
            os.kill(pid, signal.SIGTERM)
        try:
            self._daemon.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"dockerd does not end\n{self.log_tail()}") from error
        self._daemon = None


def _client(name: str) -> str:
    """Debian's own, which fits its engine, where there is one."""
    debian = Path("/usr/bin", name)
    return str(debian) if debian.exists() else name


def _path() -> str:
    """A plain `su` leaves the places of iptables and dockerd out."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"


def main(arguments: list[str] | None = None) -> int:
    description = "A Docker engine to play with, as the tests have it."
    parser = argparse.ArgumentParser(prog="python -m tests.compose.engine", description=description)
    parser.add_argument("what", choices=["shell", "up", "down"], help="shell: until it is left; up: until down")
    parser.add_argument("--build", metavar="TAG", help="build the repository's image first")
    parser.add_argument("--fresh", action="store_true", help="make the base image anew")
    options = parser.parse_args(arguments)
    if options.what == "down":
        print("removed:", *(sweep(kept=True) or ["nothing"]))
        return 0
    engine = Engine(fresh=options.fresh, kept=options.what == "up")
    engine.start()
    try:
        if options.build:
            engine.build(ROOT, options.build)
        if options.what == "up":
            print(f"export DOCKER_HOST={engine.host} DOCKER_BUILDKIT=0")
            print("# where published ports are:", *engine.room.on_its_network("bash"))
            engine.room.forget()
            return 0
        shell = engine.room.on_its_network(os.environ.get("SHELL", "/bin/sh"))
        code = subprocess.run(shell, env={**os.environ, **engine.environment}, check=False).returncode
    except BaseException:
        engine.stop()
        raise
    engine.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
