"""A running cluster, as a test (or a script) uses it: the real launcher, the real kubectl, the kernel's own tools."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


class CommandFailed(AssertionError):
    """A command of a test ended with an error; the message holds the command and all it printed."""


# What kubectls of the first years with WebSockets (1.32, say) write on a busy machine: an answer that comes before they are ready for it is
# lost to them. Later ones begin to read when they are.
OVERTAKEN = "Unknown stream id"


def tried(
    command: Sequence[str], *, timeout_s: float = 60.0, environment: dict[str, str] | None = None, stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command that may fail: exit code and both outputs. A kubectl that lost its answer is asked again. Raises CommandFailed in time."""
    for _ in range(5):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout_s, check=False, input=stdin,
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{' '.join(command)}: no end after {timeout_s:.0f} s\n{error.stdout!r}\n{error.stderr!r}") from error
        if OVERTAKEN not in done.stderr:
            break
    return done


def run(command: Sequence[str], *, timeout_s: float = 60.0, environment: dict[str, str] | None = None, stdin: str | None = None) -> str:
    """Standard output of a command; raises CommandFailed when it fails or takes too long."""
    done = tried(command, timeout_s=timeout_s, environment=environment, stdin=stdin)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def eventually(condition: Callable[[], T | None], *, within_s: float = 60.0, every_s: float = 0.05) -> T:
    """The condition's first true value. Asked again and again; its own assertions and failed commands count as "not yet"."""
    deadline = time.monotonic() + within_s
    last: object = None
    while True:
        try:
            last = value = condition()
            if value:
                return value
        except (AssertionError, KeyError, IndexError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {within_s:.0f} s; last: {last}")
        time.sleep(every_s)


@dataclass
class Cluster:
    """One cluster, made by `start` and gone after `stop`. Its kubeconfig is its own; the user's is not touched."""

    folder: Path                        # for the kubeconfig
    name: str = field(default_factory=lambda: f"t-{secrets.token_hex(3)}")
    nodes: int = 3

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.folder / f"{self.name}.conf")}

    def kubonsai(self, *arguments: str, timeout_s: float = 300.0) -> str:
        """Runs ./kubonsai COMMAND for this cluster."""
        return self._cli(arguments[0], "--name", self.name, *arguments[1:], timeout_s=timeout_s)

    def kubonsai_in(self, command: str, action: str, *arguments: str) -> str:
        """Runs ./kubonsai COMMAND ACTION for this cluster."""
        return self._cli(command, action, "--name", self.name, *arguments)

    def _cli(self, *arguments: str, timeout_s: float = 180.0) -> str:
        environment = {**self.environment, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        return run([sys.executable, "-m", "launcher.cli.main", *arguments], timeout_s=timeout_s, environment=environment)

    def start(self, *arguments: str) -> Cluster:
        self.kubonsai("up", "--nodes", str(self.nodes), *arguments)
        return self

    def stop(self) -> None:
        self.kubonsai("down")

    def kubectl(self, *arguments: str, timeout_s: float = 180.0, stdin: str | None = None) -> str:
        return run(["kubectl", *arguments], timeout_s=timeout_s, environment=self.environment, stdin=stdin)

    def get(self, *arguments: str) -> Any:
        """`kubectl get ... -o json`, decoded; the items of a list."""
        found = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def apply(self, manifest: str) -> str:
        """Applies YAML text."""
        return self.kubectl("apply", "-f", "-", stdin=manifest)

    def status(self) -> dict[str, Any]:
        """`./kubonsai status -o json`, also while not everything runs."""
        environment = {**self.environment, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", "launcher.cli.main", "status", "--name", self.name, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env={**os.environ, **environment})
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def process(self, name: str, node: str = "") -> dict[str, Any]:
        """One process of `status`; of any node when none is named. Raises KeyError."""
        for found in self.status()["processes"]:
            if found["name"] == name and node in ("", found["node"]):
                return dict(found)
        raise KeyError(f"{name} of {node or 'any node'}")

    def pods(self, namespace: str = "default", selector: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("pods", "-n", namespace, *(["-l", selector] if selector else []))
        return found

    def netns_of(self, pod: str, namespace: str = "default") -> str:
        """The Pod's name in `ip netns list`."""
        uid = self.get("pod", pod, "-n", namespace)["metadata"]["uid"].replace("-", "")[:8]
        names = [line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line]
        return next(name for name in names if name.endswith(uid))

    def in_pod(self, pod: str, *command: str, namespace: str = "default", timeout_s: float = 180.0) -> str:
        """Runs a program of this machine in the Pod's network namespace."""
        return run(["ip", "netns", "exec", self.netns_of(pod, namespace), *command], timeout_s=timeout_s)

    def in_node(self, node: str, *command: str, timeout_s: float = 180.0) -> str:
        return run(["ip", "netns", "exec", f"{self.name}-{node}", *command], timeout_s=timeout_s)

    def log_tails(self, lines: int = 15) -> str:
        files = sorted(Path("/var/log/kubonsai", self.name).glob("*.log"))
        return "\n".join(f"--- {f.name}\n" + "\n".join(f.read_text(errors="replace").splitlines()[-lines:]) for f in files)
