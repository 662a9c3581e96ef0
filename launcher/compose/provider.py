"""The provider `compose`: docker-compose.yml, by the CLI's words. Nodes are containers; the engine is the state, nothing is kept here.

A cluster is a compose project of the cluster's name whose containers and volumes carry our label. What stands in this checkout is only
the folder where init puts the kubeconfig (.kubonsai, or .kubonsai/NAME); while `up` or `down` works, it is the lock as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import yaml

from kube.process.config import YAML_LOADER, ConfigError
from launcher.cluster import kubeconfig
from launcher.cluster.errors import DownIncomplete, LauncherError, NotReady, UpFailed
from launcher.cluster.progress import Progress
from launcher.cluster.provider import LogQuery, Machine, MachineAction, ReadyCluster, UpOptions
from launcher.cluster.settings import ClusterSettings
from launcher.cluster.state import down_first, locked_folder
from launcher.compose import provider_access as access
from launcher.compose import provider_engine as engine
from launcher.compose import provider_machines as machines
from launcher.compose.provider_containers import PROJECT_LABEL, PROVIDER_LABEL, Container, parse_containers, parse_memory, process_info
from launcher.compose.provider_engine import CallFailed
from launcher.compose.provider_folder import FOLDER, output_folder
from launcher.compose.provider_logs import print_logs, tail

if TYPE_CHECKING:
    from launcher.cluster.status import ClusterStatus

COMPOSE_FILE = Path(__file__).resolve().parents[2] / "docker-compose.yml"
DEFAULT_NODES = 3
READY_S, READY_PER_NODE_S = 120.0, 5.0
STATS_TIMEOUT_S = 30.0
DOWN_S = 60.0
RETRY_S = 0.5
CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"


def cluster_names() -> list[str]:
    """Every cluster of this kind that the engine knows of. Raises EngineUnavailable."""
    kept = [entry["Labels"] for kind in ("ps", "volume") for entry in engine.labelled(kind, PROVIDER_LABEL)]
    labels = [dict(pair.partition("=")[::2] for pair in text.split(",")) for text in kept]
    return sorted({found[PROJECT_LABEL] for found in labels if PROJECT_LABEL in found})


class ComposeCluster:
    kind: ClassVar[str] = "compose"

    def __init__(self, name: str) -> None:
        """Raises ConfigError for a name that no cluster can have."""
        self.settings = ClusterSettings(name=name)
        self.name = name
        self._labels = (PROVIDER_LABEL, f"{PROJECT_LABEL}={name}")

    def containers(self) -> list[Container]:
        """Raises EngineUnavailable, as nearly all here does."""
        return parse_containers(engine.inspect("container", [entry["ID"] for entry in engine.labelled("ps", *self._labels)]))

    def volumes(self) -> list[str]:
        return [entry["Name"] for entry in engine.labelled("volume", *self._labels)]

    def exists(self) -> bool:
        return bool(engine.labelled("ps", *self._labels) or self.volumes())

    def check(self, command: str) -> None:
        engine.check_engine()
        if not COMPOSE_FILE.exists():
            raise ConfigError(f"{COMPOSE_FILE} is missing: --provider compose needs a checkout")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        try:
            lock = contextlib.ExitStack()
            lock.enter_context(locked_folder(output_folder(self.name), lambda folder: folder.mkdir(parents=True, exist_ok=True)))
        except OSError as error:
            raise ConfigError(f"{error.filename}: {error.strerror}; KUBONSAI_OUTPUT names another folder for the kubeconfig") from error
        with lock:
            yield

    # --- up and down

    def check_options(self, options: UpOptions) -> None:
        if options.config:
            raise ConfigError("--config is for clusters of namespaces; of containers one chooses --nodes, --api-port, "
                              "and all else in docker-compose.yml")
        if options.addons:
            folder = f"addons/{options.addons[0].replace('-', '_')}/manifests/"
            raise ConfigError(f"--addons is for clusters of namespaces; here, once it is up: kubectl apply -f {folder}")
        nodes, port = options.nodes, options.api_port
        ClusterSettings(name=self.name, nodes=DEFAULT_NODES if nodes is None else nodes, api_port=port or 0)
        held = access.api_port(self.containers())
        if port and held and port != held:
            raise ConfigError(f"the API of cluster {self.name!r} is at port {held}; {down_first(self.name)}")
        if port and not held and not access.is_free(port):
            raise ConfigError(f"port {port} on 127.0.0.1 is in use; choose another --api-port, or none for a free one")

    def up(self, options: UpOptions, progress: Progress) -> ReadyCluster:
        """A second `up` starts what is stopped, and adds or removes nodes when it is told another number of them."""
        held = self.containers()
        nodes = options.nodes or len(machines.node_containers(held)) or DEFAULT_NODES
        named = f"{nodes} node{'s' if nodes > 1 else ''}"
        port = access.api_port(held) or options.api_port or access.free_port()
        if options.build or not has_image():
            with progress.step(f"building the image {image_name()}"):
                tidy = ["--force-rm"] if engine.compose_command() == ("docker-compose",) else []     # also after a failure; the plugin does
                self._compose("build", *tidy, "init", port=port)
        if gone := machines.surplus(held, nodes):
            with progress.step(f"removing {', '.join(container.node for container in gone)}"):
                engine.docker("rm", "--force", "--volumes", *(container.id for container in gone))
        keep = ["--no-recreate"] if held and not options.build else []
        with progress.step(f"starting the containers of {named}"):
            self._compose("up", "--detach", *keep, "--scale", f"node={nodes - 1}", port=port)
        with progress.step(f"{named} and cluster DNS are Ready"):
            self._forget_machines()
            self._wait(nodes)
            if nodes == 1 and not held:     # as a cluster of namespaces with one node, and as kubeadm's manual has it
                self._untaint()
        settings, target = self.settings, kubeconfig.user_file()
        kubeconfig.merge(target, access.renamed(access.read_kubeconfig(self.admin_kubeconfig()), settings.context, settings.user))
        look = (f"{' '.join(engine.compose_command())} -p {self.name} ps", "the containers; a node's Pods: docker exec NODE ip netns list")
        return ReadyCluster(
            name=self.name, server=f"https://127.0.0.1:{port}", created=not held, context=settings.context, kubeconfig=target, look=look)

    def _untaint(self) -> None:
        try:
            self._in_control_plane("kubectl", "taint", "nodes", "control-plane", f"{CONTROL_PLANE_TAINT}-")
        except CallFailed as error:
            if "not found" not in str(error):      # it was untainted before an earlier `down --keep-data`
                raise

    def _forget_machines(self) -> None:
        """Those without a container: removed now, or by other means, or when an earlier `down` kept the data of more."""
        nodes = machines.node_containers(self.containers())
        keeper = next((c for c in nodes if c.running), None)
        if keeper is not None and (gone := sorted({*machines.recorded(keeper)} - {c.node for c in nodes})):
            machines.forget(keeper, gone)
            # The cloud-controller-manager would, a few seconds later.
            self._in_control_plane("kubectl", "delete", "node", "--ignore-not-found", "--", *gone)

    def _wait(self, nodes: int) -> None:
        limit_s = READY_S + READY_PER_NODE_S * nodes
        try:
            self._in_control_plane("kubonsai", "wait", "--nodes", str(nodes), "--timeout", f"{limit_s:g}")
        except CallFailed as error:
            raise NotReady(f"cluster {self.name!r} is not ready: {error}") from error

    def _in_control_plane(self, *command: str) -> None:
        apiserver = next((c for c in self.containers() if c.service == "apiserver" and c.running), None)
        if apiserver is None:
            raise UpFailed(f"the apiserver of cluster {self.name!r} does not run; `./kubonsai logs apiserver` says why")
        engine.run_long(engine.docker_command("exec", apiserver.id, *command), {})

    def _compose(self, *arguments: str, port: int) -> None:
        environment = {"KUBONSAI_API_PORT": str(port), "KUBONSAI_OUTPUT": str(output_folder(self.name))}
        engine.run_long([*engine.compose_command(), "-f", str(COMPOSE_FILE), "-p", self.name, *arguments], environment)

    def down(self, progress: Progress, *, keep_data: bool = False) -> None:
        held = self.containers()
        file = access.kubeconfig_file(self.name, held)
        with progress.step("removing containers and networks" if keep_data else "removing containers, networks and volumes"):
            self._remove(held, keep_data=keep_data)
        with progress.step("removing the kubeconfig"):
            with contextlib.suppress(ConfigError):      # a kubeconfig that cannot be read holds nothing of ours
                kubeconfig.remove(kubeconfig.user_file(), self.settings.context, self.settings.user)
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
                if file.parent.parent == FOLDER:
                    file.parent.rmdir()
        mine = f"label=com.docker.compose.project={self.name}"
        networks = engine.docker("network", "ls", "--format", "{{.Name}}", "--filter", mine).split()
        left = [c.name for c in self.containers()] + networks + ([] if keep_data else self.volumes())
        if left:
            raise DownIncomplete("could not be removed: " + ", ".join(left))

    def _remove(self, held: list[Container], *, keep_data: bool) -> None:
        """An engine that was asked to make a container by somebody who was then interrupted may make it a moment later."""
        deadline = time.monotonic() + DOWN_S
        while True:
            try:
                self._compose("down", "--remove-orphans", *([] if keep_data else ["--volumes"]), port=access.api_port(held) or 6443)
                if not keep_data and (volumes := self.volumes()):       # of a docker-compose.yml that was another
                    engine.docker("volume", "rm", *volumes)
            except CallFailed:
                if time.monotonic() > deadline:
                    raise
            if not self.containers() or time.monotonic() > deadline:
                return
            time.sleep(RETRY_S)

    # --- what one looks at

    def status(self) -> ClusterStatus:
        return asyncio.run(self._status())

    async def _status(self) -> ClusterStatus:
        from launcher.cluster.status import ClusterStatus, api_view

        held = self.containers()
        server = f"https://127.0.0.1:{port}" if (port := access.api_port(held)) else ""
        usage = asyncio.create_task(asyncio.to_thread(self._memory, held), name="docker stats")
        try:
            with access.admin_files(access.read_kubeconfig(access.kubeconfig_file(self.name, held))) as tls:
                nodes, pods, error = await api_view(server, tls)
        except LauncherError as unreadable:
            nodes, pods, error = [], {}, str(unreadable)
        memory, now = await usage, datetime.now(UTC)
        return ClusterStatus(
            name=self.name, context=self.settings.context, server=server, nodes=nodes, pods=pods, error=error, logs=self.logs_place(),
            processes=[process_info(container, memory, now) for container in held if not container.finished],
        )

    def _memory(self, held: list[Container]) -> dict[str, int]:
        running = [container.id for container in held if container.running]
        if not running:
            return {}
        with contextlib.suppress(LauncherError):        # one of them has ended meanwhile
            words = ("stats", "--no-stream", "--no-trunc", "--format", "{{json .}}")
            return parse_memory(engine.docker(*words, *running, timeout_s=STATS_TIMEOUT_S))
        return {}

    def admin_kubeconfig(self) -> Path:
        file = access.kubeconfig_file(self.name, self.containers())
        access.read_kubeconfig(file)
        return file

    def logs(self, query: LogQuery) -> int:
        return print_logs(query, self.containers())

    def log_tails(self, lines: int) -> list[tuple[str, list[str]]]:
        held = self.containers()
        troubled = [c for c in held if c.trouble or c.health == "starting"] or machines.node_containers(held)
        return [(f"{c.name}{f', {c.trouble}' if c.trouble else ''}", tail(c, lines)) for c in troubled]

    def logs_place(self) -> str:
        return f"{' '.join(engine.compose_command())} -p {self.name} logs"

    # --- nodes

    def machines(self) -> list[Machine]:
        return [machines.machine(container) for container in machines.node_containers(self.containers())]

    def change_machine(self, action: MachineAction, node: str) -> Machine | None:
        return machines.change(action, node, self.containers(), self._add_machine)

    def _add_machine(self) -> Container:
        held = self.containers()
        before = {container.id for container in held}
        workers = len(machines.node_containers(held))       # with the control plane's: one more than there are
        self._compose("up", "--no-start", "--no-recreate", "--scale", f"node={workers}", "node", port=access.api_port(held))
        for container in self.containers():
            if container.service == "node" and container.id not in before:
                engine.docker("start", container.id)
                return machines.find(self.containers(), container.node)
        raise LauncherError(f"docker compose made no further node for cluster {self.name!r}")

    def in_node_command(self, *command: str) -> list[str]:
        """Runs in a node, with standard input: nodes share the image store. Raises LauncherError when none runs."""
        for container in machines.node_containers(self.containers()):
            if container.running:
                return engine.docker_command("exec", "--interactive", container.id, *command)
        raise LauncherError(f"no node of cluster {self.name!r} runs; `./kubonsai up` starts them")


def image_name() -> str:
    """What docker-compose.yml calls the one image."""
    services = yaml.load(COMPOSE_FILE.read_text(), Loader=YAML_LOADER)["services"]  # noqa: S506  (a SafeLoader)
    return str(services["init"]["image"])


def has_image() -> bool:
    return engine.inspect("image", [image_name()]).strip() not in ("", "[]")
