"""A namespace of a running cluster, as a test uses it, and manifests that show only what the test is about."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import kubernetes
import kubernetes.stream

from launcher.testing.cluster import Cluster, CommandFailed, eventually, run, tried

Json = dict[str, Any]
STDOUT, STDERR, ERROR = 1, 2, 3     # channels of an exec
OFFICIAL: Any = kubernetes      # its types make everything optional; a test that finds None fails well enough


@dataclass(frozen=True)
class Space:
    """Every call works in the namespace."""

    cluster: Cluster
    namespace: str
    binary: str = "kubectl"

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout_s: float = 180.0, environment: dict[str, str] | None = None,
    ) -> str:
        """Standard output; a failing kubectl fails the test."""
        settings = {**self.cluster.environment, **(environment or {})}
        return run(self._command(arguments), timeout_s=timeout_s, environment=settings, stdin=stdin)

    def tried(
        self, *arguments: str, stdin: str | None = None, environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """The same for calls that may fail: exit code and both outputs."""
        settings = {**self.cluster.environment, **(environment or {})}
        return tried(self._command(arguments), timeout_s=180, environment=settings, stdin=stdin)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Following]:
        """A kubectl that goes on: logs -f, get -w."""
        following = Following(self._command(arguments), {**os.environ, **self.cluster.environment})
        try:
            yield following
        finally:
            following.kill()

    def in_host(self, *command: str) -> str:
        return run(command)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        """With the namespace, unless the test names one; flags of kubectl stand before `--`."""
        words = list(arguments)
        at = words.index("--") if "--" in words else len(words)
        own = [] if any(word.startswith("--namespace=") for word in words) else ["-n", self.namespace]
        return [self.binary, *words[:at], *own, *words[at:]]

    def refused(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard error of a kubectl that must fail."""
        done = self.tried(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} went well: {done.stdout}"
        return done.stderr

    def apply(self, *objects: Json) -> str:
        return self.kubectl("apply", "-f", "-", stdin=_manifest(objects))

    def create(self, *objects: Json) -> str:
        """Of bare objects; quicker than apply, and leaves no annotation."""
        return self.kubectl("create", "-f", "-", stdin=_manifest(objects))

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def items(self, *arguments: str) -> list[Json]:
        found: list[Json] = self.get(*arguments)["items"]
        return found

    def pod(self, name: str) -> Json:
        found: Json = self.get("pod", name)
        return found

    def ready(self, *pods: str, within_s: int = 120) -> None:
        names = [f"pod/{name}" for name in pods]
        self.kubectl("wait", "--for=condition=Ready", f"--timeout={within_s}s", *names, timeout_s=within_s * (1 + len(pods)))

    def run(self, *pods: Json) -> None:
        """Creates Pods and waits until they are Ready."""
        self.create(*pods)
        self.ready(*(pod["metadata"]["name"] for pod in pods))

    def exec(self, pod: str, *command: str, container: str = "") -> str:
        """Standard output of a program in a container (the first one), over WebSocket whatever kubectl there is. Raises CommandFailed."""
        container = container or self.pod(pod)["spec"]["containers"][0]["name"]
        with self.python_client() as client:
            try:
                call = OFFICIAL.stream.stream(
                    OFFICIAL.client.CoreV1Api(client).connect_get_namespaced_pod_exec, pod, self.namespace, container=container,
                    command=list(command), stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False,
                )
            except OFFICIAL.client.ApiException as error:
                raise CommandFailed(f"exec {command} in {pod}: {error.reason}") from error
            with hung_up(call):
                call.run_forever(timeout=120)
                output, errors, status = (call.read_channel(channel) for channel in (STDOUT, STDERR, ERROR))
        if (end := json.loads(status))["status"] != "Success":
            raise CommandFailed(f"exec {command} in {pod}: {end['message']}\n{output}\n{errors}")
        return str(output)

    def sh(self, pod: str, script: str, container: str = "") -> str:
        return self.exec(pod, "sh", "-c", script, container=container).strip()

    def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of every event about the object."""
        found = self.items("events", "--field-selector", f"involvedObject.name={name}")
        return [(event["reason"], event["message"]) for event in found]

    def tells(self, name: str, *wanted: tuple[str, str]) -> None:
        """Waits for events (reason, message) about the object: they come when they come, before or after its status."""
        eventually(lambda: set(wanted) <= set(self.events(name)))

    def listens(self, pod: str, *ports: int) -> None:
        """Waits until somebody in the Pod does: without a probe it is Ready before."""
        eventually(lambda: {str(port) for port in ports} <= set(re.findall(r":(\d+) ", self.sh(pod, "netstat -tln"))))

    def event(self, name: str, reason: str, within_s: float = 60.0) -> str:
        """The message of the object's first event with that reason."""
        message: str = eventually(lambda: [text for why, text in self.events(name) if why == reason], within_s=within_s)[0]
        return message

    def state(self, pod: str, container: int = 0) -> Json:
        """The container's status."""
        found: Json = self.pod(pod)["status"]["containerStatuses"][container]
        return found

    def waiting(self, pod: str) -> str:
        """The reason why the first container waits, or "" when it does not."""
        reason: str = self.state(pod)["state"].get("waiting", {}).get("reason", "")
        return reason

    def python_client(self, **changes: Any) -> Any:
        """The official client's ApiClient, logged in as the cluster's administrator."""
        configuration = OFFICIAL.client.Configuration()
        OFFICIAL.config.load_kube_config(self.cluster.environment["KUBECONFIG"], client_configuration=configuration)
        for name, value in changes.items():
            setattr(configuration, name, value)
        return OFFICIAL.client.ApiClient(configuration)

    def watch(self, call: Any, **options: Any) -> Iterator[Json]:
        """The official client's watch of one of its list calls, in the namespace."""
        yield from OFFICIAL.watch.Watch().stream(call, self.namespace, **options)

    def curl(self, pod: str, *arguments: str, timeout_s: float = 60.0) -> str:
        """The machine's own curl in the Pod's network; every call is a new connection."""
        return self.cluster.in_pod(pod, "curl", "-sS", "-m", "20", *arguments, namespace=self.namespace, timeout_s=timeout_s)

    def knows(self, pod: str, name: str, *addresses: str) -> None:
        """Waits until every server of the cluster's DNS, asked from the Pod, has these addresses of a name."""
        servers = [each["status"]["podIP"] for each in self.cluster.pods("kube-system", "k8s-app=kube-dns")]
        eventually(lambda: all({*self.dig(pod, "+short", f"@{server}", name).split()} == {*addresses} for server in servers))

    def dig(self, pod: str, *arguments: str) -> str:
        return self.cluster.in_pod(pod, "dig", "+tries=2", "+time=3", *arguments, namespace=self.namespace)


@contextmanager
def hung_up(call: Any) -> Iterator[None]:
    """Closes a stream of the official client, its socket too: that is left open when the server was the first to say goodbye."""
    try:
        yield
    finally:
        call.close()
        call.sock.shutdown()


class Following:
    """A running command and what it has printed so far."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def finish(self, within_s: float = 60.0) -> str:
        """All it has printed when it ends by itself."""
        self._process.wait(timeout=within_s)
        self._reader.join(timeout=within_s)
        return self.text

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


def _manifest(objects: Sequence[Json]) -> str:
    return "\n".join(json.dumps(thing) for thing in objects)


def container(name: str = "main", script: str = "exec sleep 1000", **fields: Any) -> Json:
    """A busybox shell; it ends at once when told to, because PID 1 ignores signals that it does not handle."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **fields}


def pod(name: str, *containers: Json, labels: dict[str, str] | None = None, **spec: Any) -> Json:
    """Ends within a second, so that deleting the namespace does not keep the cluster busy."""
    metadata: Json = {"name": name, "labels": labels or {"app": name}}
    body = {"terminationGracePeriodSeconds": 1, "containers": list(containers) or [container()], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


def server(name: str = "main", answer: str = "$(hostname)", port: int = 8080, **fields: Any) -> Json:
    """A container that answers HTTP requests; the answer is expanded by its shell, once."""
    script = f'mkdir -p /www; echo "{answer}" >/www/index.html; exec httpd -f -p {port} -h /www'
    probe = {"httpGet": {"path": "/", "port": port}, "periodSeconds": 1, "timeoutSeconds": 30}
    return container(name, script, readinessProbe=probe, ports=[{"name": "http", "containerPort": port}], **fields)


def deployment(name: str, *containers: Json, replicas: int = 1, **spec: Any) -> Json:
    template = pod(name, *containers)
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": template["spec"]}, **spec,
        },
    }


def service(name: str, *, port: int = 80, target: int | str = 8080, selector: str = "", **spec: Any) -> Json:
    ports = [{"name": "http", "port": port, "targetPort": target}]
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": selector or name}, "ports": ports, **spec},
    }


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
