"""What `docker inspect` says of a cluster's containers, as this project sees them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from launcher.cluster.status import UNHEALTHY, ProcessInfo
from launcher.compose.paths import CONTROL_PLANE, OUTPUT

PROVIDER_LABEL: Final = "io.kubonsai.provider=compose"
PROJECT_LABEL: Final = "com.docker.compose.project"
NODE_SERVICES: Final = (CONTROL_PLANE, "node")
ONE_SHOTS: Final = ("init", "addons")
UNITS: Final = {"B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 10**6, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30, "TiB": 1 << 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    id: str
    name: str                       # kubonsai-node-1, or kubonsai_node_1 with docker-compose 1.29
    service: str                    # of docker-compose.yml
    number: int                     # counts from 1
    state: str = "running"          # created, running, paused, restarting, removing, exited, dead
    exit_code: int = 0
    health: str = ""                # starting, healthy, unhealthy; "" without a health check
    pid: int = 0                    # as the engine's machine sees it
    started_at: datetime | None = None
    restarts: int = 0
    address: str = ""               # on the compose network
    api_port: int = 0               # of the control plane's node and of init: where the API is, on 127.0.0.1
    output: str = ""                # of init: the folder on the engine's machine where it puts the kubeconfig

    @property
    def is_node(self) -> bool:
        return self.service in NODE_SERVICES

    @property
    def node(self) -> str:
        """The Node that it is, or whose network it is in; "" for one-shots."""
        if self.service == "node":
            return f"node-{self.number}"
        return "" if self.service in ONE_SHOTS else CONTROL_PLANE

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def finished(self) -> bool:
        """A one-shot that has done its work."""
        return self.service in ONE_SHOTS and self.state == "exited" and self.exit_code == 0

    @property
    def trouble(self) -> str:
        """Why it is not as it should be; "" when it is."""
        if self.finished or (self.running and self.health != UNHEALTHY):
            return ""
        return f"exited ({self.exit_code})" if self.state == "exited" else UNHEALTHY if self.running else self.state


def parse_containers(inspected: str) -> list[Container]:
    """From `docker inspect`, of a project of either compose: control plane first, nodes by number, one-shots last."""
    found = [_container(entry) for entry in json.loads(inspected) if _label(entry, "oneoff") != "True"]
    return sorted(found, key=lambda c: (c.service in ONE_SHOTS, c.service == "node", c.service, c.number))


def parse_memory(stats: str) -> dict[str, int]:
    """From `docker stats --no-stream --no-trunc --format '{{json .}}'`: container's id -> bytes."""
    entries = [json.loads(line) for line in stats.splitlines() if line.startswith("{")]
    return {entry["ID"]: parse_size(entry["MemUsage"].partition("/")[0].strip()) for entry in entries}


def parse_size(text: str) -> int:
    """ "24.5MiB" -> bytes; 0 for what is no amount, as "--" for a container that does not run."""
    digits = text.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    try:
        return int(float(digits) * UNITS[text[len(digits):]])
    except (KeyError, ValueError):
        return 0


def process_info(container: Container, memory: dict[str, int], now: datetime) -> ProcessInfo:
    up_s = (now - container.started_at).total_seconds() if container.running and container.started_at else 0.0
    note = container.trouble or ("starting" if container.health == "starting" else "")
    return ProcessInfo(
        name=container.service, node=container.node, pid=container.pid if container.running else 0, uptime_seconds=round(max(up_s, 0.0), 1),
        memory_bytes=memory.get(container.id, 0), restarts=container.restarts, log_file="", note=note,
    )


def _container(entry: dict[str, Any]) -> Container:
    state, health = entry["State"], (entry["State"].get("Health") or {}).get("Status", "")
    networks = list((entry["NetworkSettings"].get("Networks") or {}).values())
    return Container(
        id=entry["Id"], name=entry["Name"].removeprefix("/"), service=_label(entry, "service"),
        number=int(_label(entry, "container-number") or 1), state=state["Status"], exit_code=state["ExitCode"],
        health="" if health == "none" else health, pid=state["Pid"], started_at=_instant(state["StartedAt"]),
        restarts=entry.get("RestartCount", 0), address=networks[0].get("IPAddress", "") if networks else "", api_port=_api_port(entry),
        output=next((mount["Source"] for mount in entry.get("Mounts") or () if mount["Destination"] == str(OUTPUT)), ""),
    )


def _label(entry: dict[str, Any], name: str) -> str:
    return str((entry["Config"].get("Labels") or {}).get(f"com.docker.compose.{name}", ""))


def _api_port(entry: dict[str, Any]) -> int:
    for binding in (entry["HostConfig"].get("PortBindings") or {}).get("6443/tcp") or ():
        if str(binding.get("HostPort", "")).isdigit():
            return int(binding["HostPort"])
    for line in entry["Config"].get("Env") or ():
        name, _, value = line.partition("=")
        if name == "KUBONSAI_API_PORT" and value.isdigit():
            return int(value)
    return 0


def _instant(text: str) -> datetime | None:
    """RFC 3339 with nanoseconds; the year 1 is "never"."""
    instant = datetime.fromisoformat(text) if text else None
    if instant is None or instant.year <= 1:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
