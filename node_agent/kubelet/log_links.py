"""/var/log/containers: a link per container's log, which collectors of logs look for. Follows pkg/kubelet/kuberuntime (legacy.go).

The node's log directory ROOT/logs is /var/log in its mount namespace, and the links lead there: who has mounted the node's /var/log at the
same place can follow them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kube.api.core_v1 import Pod
from node_agent.runtime.model import ContainerRecord

NODE_LOGS = Path("/var/log")
_LONGEST = 255 - len(".log")        # of a file's name


def link_log(pod: Pod, record: ContainerRecord) -> None:
    """Raises OSError."""
    link, log = _link(pod, record), Path(record.config.log_path)
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(NODE_LOGS / log.relative_to(_root(record)))


def remove_log(pod: Pod, record: ContainerRecord) -> None:
    """With what was rotated, of a container that is forgotten while its Pod goes on."""
    log = Path(record.config.log_path)
    with suppress(OSError):
        for file in [_link(pod, record), *log.parent.glob(f"{log.name}*")]:
            file.unlink(missing_ok=True)


def remove_dead_links(logs: Path) -> None:
    """Those whose log is gone. Raises OSError."""
    folder = logs / "containers"
    for link in folder.iterdir() if folder.is_dir() else ():
        if link.is_symlink() and _is_dead(link.readlink(), logs):
            link.unlink(missing_ok=True)


def _is_dead(target: Path, logs: Path) -> bool:
    """What a Pod has put there that has the node's logs mounted is its own."""
    return target.is_relative_to(NODE_LOGS) and not (logs / target.relative_to(NODE_LOGS)).exists()


def _root(record: ContainerRecord) -> Path:
    """ROOT/logs of ROOT/logs/pods/POD/CONTAINER/N.log."""
    return Path(record.config.log_path).parents[3]


def _link(pod: Pod, record: ContainerRecord) -> Path:
    name = f"{pod.metadata.name}_{pod.metadata.namespace}_{record.name}-{record.id}"
    return _root(record) / "containers" / f"{name[:_LONGEST]}.log"
