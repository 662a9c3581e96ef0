"""What the CLI asks of a cluster, whatever the cluster is made of.

    namespaces    nodes are namespaces of this machine; needs root, no Docker    launcher/cluster/namespaces_provider.py
    compose       nodes are containers of a Docker engine                        launcher/compose/provider.py
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from launcher.cluster.progress import Progress

if TYPE_CHECKING:
    from launcher.cluster.status import ClusterStatus

MachineAction = Literal["add", "remove", "stop", "start", "disconnect", "connect"]

# What people type -> what the logs go by.
ALIASES = {"kube-apiserver": "apiserver", "kube-scheduler": "scheduler", "kube-controller-manager": "controller-manager"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """Flags of `up`; None and "" for those that were not given."""

    nodes: int | None = None
    api_port: int | None = None
    config: str = ""
    build: bool = False
    addons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    component: str
    node: str = ""              # "" for every node that has it
    follow: bool = False
    tail: int = 200             # lines, of each node


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCluster:
    name: str
    server: str                 # https://127.0.0.1:6443
    created: bool               # False: it was there and was repaired
    context: str
    kubeconfig: Path            # the user's, where the context is current
    look: tuple[str, str]       # a command that shows what the cluster is made of, and what one sees there


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    name: str                   # of its Node
    address: str
    running: bool
    connected: bool = True
    zone: str = ""
    provider_id: str = ""


class Provider(Protocol):
    """One cluster by its name, there or not. Every method raises ConfigError for wrong input, LauncherError for what went wrong."""

    kind: ClassVar[str]
    name: str

    def exists(self) -> bool:
        """Whether an `up` has begun it, and no `down` has ended it."""

    def check(self, command: str) -> None:
        """Raises ConfigError or LauncherError when this user cannot do it on this machine, with what to do."""

    def locked(self) -> AbstractContextManager[None]:
        """Waits until no other `up` or `down` works on it."""

    def check_options(self, options: UpOptions) -> None:
        """Raises ConfigError for what does not fit together, or does not fit what is there. Changes nothing."""

    def up(self, options: UpOptions, progress: Progress) -> ReadyCluster:
        """From nothing, or from what is there, to Ready."""

    def down(self, progress: Progress, *, keep_data: bool = False) -> None:
        """Nothing is left, or with `keep_data` only what the next `up` goes on with."""

    def status(self) -> ClusterStatus: ...

    def admin_kubeconfig(self) -> Path:
        """A file whose current context is the administrator's."""

    def logs(self, query: LogQuery) -> int:
        """Prints, and returns an exit code; or never returns, since the process has become another program."""

    def log_tails(self, lines: int) -> list[tuple[str, list[str]]]:
        """The end of what is worth a look after a failed `up`: name -> lines."""

    def logs_place(self) -> str:
        """A folder, or a command that shows them."""

    def machines(self) -> list[Machine]: ...

    def change_machine(self, action: MachineAction, node: str) -> Machine | None:
        """The new machine for "add", where `node` may be ""; else None."""
