"""Nodes as containers, one at a time: what `node add | remove | stop | start` and a smaller `up --nodes` do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from control_plane.cloud.records import SUFFIX
from kube.process.config import ConfigError
from launcher.cluster.provider import Machine, MachineAction
from launcher.compose import paths
from launcher.compose.provider_containers import Container
from launcher.compose.provider_engine import docker

NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def node_containers(containers: Sequence[Container]) -> list[Container]:
    return [container for container in containers if container.is_node]


def surplus(containers: Sequence[Container], nodes: int) -> list[Container]:
    """The workers that are too many, youngest number first. The control plane stays."""
    workers = sorted((c for c in node_containers(containers) if c.node != paths.CONTROL_PLANE), key=lambda c: -c.number)
    return workers[:max(0, len(workers) - (nodes - 1))]


def machine(container: Container) -> Machine:
    return Machine(
        name=container.node, address=container.address or "-", running=container.running, provider_id=f"kubonsai://{paths.CLUSTER}/{container.node}")


def find(containers: Sequence[Container], node: str) -> Container:
    """Raises ConfigError."""
    nodes = node_containers(containers)
    for container in nodes:
        if container.node == node:
            return container
    raise ConfigError(f"no machine {node!r}; there are: {', '.join(c.node for c in nodes)}")


def recorded(keeper: Container) -> list[str]:
    """Every machine with a record and without a process that holds its lock. `keeper`: a node that runs."""
    script = f'cd {paths.MACHINES} && for file in *{SUFFIX}; do flock --nonblock --shared "./$file" true && echo "$file"; done; true'
    names = [file.removesuffix(SUFFIX) for file in docker("exec", keeper.id, "sh", "-c", script).splitlines()]
    return [name for name in names if NODE_NAME.fullmatch(name)]        # nodes write that folder


def forget(keeper: Container, nodes: Sequence[str]) -> None:
    """Disks, and records among the machines: upon that the cloud-controller-manager deletes the Nodes."""
    traces = [str(path) for node in nodes for path in (paths.MACHINES / f"{node}{SUFFIX}", paths.NODES / node)]
    docker("exec", keeper.id, "rm", "-rf", "--", *traces)


def remove(containers: Sequence[Container], gone: Container) -> None:
    docker("rm", "--force", "--volumes", gone.id)
    keeper = next((c for c in node_containers(containers) if c.running and c is not gone), None)
    if keeper is not None:
        forget(keeper, [gone.node])


def change(action: MachineAction, node: str, containers: Sequence[Container], add: Callable[[], Container]) -> Machine | None:
    """Raises ConfigError for what a container cannot do. `add` makes one more."""
    if action == "add":
        if node:
            raise ConfigError("docker compose numbers its containers itself: say `node add` without a name")
        return machine(add())
    if action in ("disconnect", "connect"):
        raise ConfigError(f"{action} is for clusters of namespaces: a container that is taken off its network loses its address; "
                          "`node stop` and `node start` do work")
    container = find(containers, node)
    if action == "start":
        docker("start", container.id)
    elif action == "stop":
        if container.running:
            docker("kill", container.id)
    elif container.node == paths.CONTROL_PLANE:
        raise ConfigError("the control plane runs there")
    else:
        remove(containers, container)
    return None
