"""`logs` for containers: those of one component, out of one container or several, where lines of several components may be mixed.

A node's container holds the lines of kubelet and kube-proxy. Ours begin with an instant, a level and who speaks; a line without goes
with the one before it (a traceback), as far as the two have not spoken at the same time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from kube.process.config import ConfigError
from launcher.cluster.provider import ALIASES, LogQuery
from launcher.compose.provider_containers import Container
from launcher.compose.provider_engine import docker_command, stream

AGENTS = ("kubelet", "kube-proxy")
PROXY_SPEAKERS = frozenset({"kube-proxy", "proxier"})
COMMON_SPEAKERS = frozenset({"informer", "reflector", "events"})      # both processes have them, and a line does not say whose
LOOK_S = 0.5                # a container that has ended may be started again
OURS = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ (?P<speaker>\S+) ")
ENDED = re.compile(r"(?P<component>[a-z-]+)/\S* ended with ")         # process 1 about one of its children


def components(containers: Sequence[Container]) -> list[str]:
    """What `logs` takes: the services, and what runs in the nodes' containers."""
    services = {c.service for c in containers}
    return sorted(services | ({*AGENTS} if any(c.is_node for c in containers) else set()))


def choose(query: LogQuery, containers: Sequence[Container]) -> list[Container]:
    """Raises ConfigError for a component or a node that is not there."""
    component, known = ALIASES.get(query.component, query.component), components(containers)
    if component not in known:
        raise ConfigError(f"no component {query.component!r}; there are: {', '.join(known)}")
    having = [c for c in containers if (c.is_node if component in AGENTS else c.service == component)]
    chosen = [c for c in having if query.node in ("", c.node)]
    if not chosen:
        nodes = ", ".join(c.node for c in having if c.node)
        raise ConfigError(f"no log of {component} on {query.node!r}; it is on: {nodes or 'no node'}")
    return chosen


class Filter:
    """Whether a line is a component's. One per container, since a line may follow another."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._last = True

    def __call__(self, line: str) -> bool:
        if self._component not in AGENTS:
            return True
        if found := OURS.match(line):
            speaker = found["speaker"]
            self._last = speaker in COMMON_SPEAKERS or (speaker in PROXY_SPEAKERS) == (self._component == "kube-proxy")
        elif found := ENDED.match(line):
            self._last = found["component"] == self._component
        return self._last


def tail(container: Container, lines: int) -> list[str]:
    """The last lines of a container, whoever wrote them."""
    with stream(docker_command("logs", "--tail", str(lines), container.id)) as client:
        return [line for line in _lines(client) if line.strip()]


def print_logs(query: LogQuery, containers: Sequence[Container]) -> int:
    """The end of each chosen container's lines; with `follow` what comes after it too, until Ctrl-C. Raises ConfigError."""
    component = ALIASES.get(query.component, query.component)
    chosen = choose(query, containers)
    width = max(len(c.node or c.service) for c in chosen)
    prefixes = {c.id: f"{c.node or c.service:<{width}} | " if len(chosen) > 1 else "" for c in chosen}
    wanted, seen = {c.id: Filter(component) for c in chosen}, {}
    for container in chosen:
        shown: deque[str] = deque(maxlen=max(query.tail, 0))
        with stream(docker_command("logs", "--timestamps", container.id)) as client:
            for instant, line in _stamped(_lines(client)):
                seen[container.id] = instant
                if wanted[container.id](line):
                    shown.append(line)
        _write(prefixes[container.id] + line for line in shown)
    if query.follow:
        _follow(chosen, seen, wanted, prefixes)
    return 0


def _follow(chosen: Sequence[Container], seen: dict[str, str], wanted: dict[str, Filter], prefixes: dict[str, str]) -> None:
    over = threading.Event()
    followers = [_Follower(c.id, seen.get(c.id, ""), wanted[c.id], prefixes[c.id], over) for c in chosen]
    try:
        for follower in followers:
            follower.start()
        while any(follower.is_alive() for follower in followers) and not over.wait(LOOK_S):
            pass
    finally:
        over.set()
        for follower in followers:
            follower.end()


class _Follower(threading.Thread):
    """Passes on what a container says after `seen`, over its restarts, until it is removed or nobody reads any more."""

    def __init__(self, container: str, seen: str, wanted: Callable[[str], bool], prefix: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._container, self._seen, self._wanted, self._prefix, self._over = container, seen, wanted, prefix, over
        self._client: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        try:
            while not self._over.wait(LOOK_S if self._client else 0):
                since = ["--since", self._seen] if self._seen else []
                self._client = stream(docker_command("logs", "--follow", "--timestamps", *since, self._container))
                for instant, line in _stamped(_lines(self._client)):
                    if instant > self._seen and self._wanted(line):
                        _write([self._prefix + line])
                    self._seen = max(self._seen, instant)
                if self._client.wait() != 0:        # there is no such container any more
                    return
        except BrokenPipeError:
            self._over.set()

    def end(self) -> None:
        if self._client is not None:
            self._client.kill()
            self._client.wait()


def _lines(client: subprocess.Popen[bytes]) -> Iterator[str]:
    assert client.stdout is not None
    for line in client.stdout:
        yield line.decode(errors="replace").rstrip("\r\n")


def _stamped(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What `--timestamps` puts before each line, and the line. All have nine digits of a second: they compare as text."""
    for line in lines:
        instant, _, rest = line.partition(" ")
        if instant[:1].isdigit():       # else the client's own word, that there is no such container
            yield instant, rest


def _write(lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text)
    sys.stdout.flush()
