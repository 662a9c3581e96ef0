"""A Docker engine as its own clients speak to it: `docker`, and `docker compose` or docker-compose 1.29. Never through a shell."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping

from launcher.cluster.errors import LauncherError

ANSWER_TIMEOUT_S = 20.0
CALL_TIMEOUT_S = 60.0
END_TIMEOUT_S = 15.0        # what an interrupted client is granted for an orderly end
DEFAULT_HOST = "unix:///var/run/docker.sock"
OUR_PYTHON = ("PYTHONPATH", "PYTHONSAFEPATH")
COLORS = re.compile(r"\x1b\[[\d;]*m")
MAX_LINES = 8               # of a client's words in an error


class EngineUnavailable(LauncherError):
    """There is no client, or the engine does not answer; the message says what to do."""


class CallFailed(LauncherError):
    """The engine refused; the message ends with its words."""


def has_client() -> bool:
    return shutil.which("docker") is not None


def docker(*arguments: str, timeout_s: float = CALL_TIMEOUT_S) -> str:
    """Standard output of `docker ARGUMENTS`. Raises EngineUnavailable, CallFailed."""
    done = _run(docker_command(*arguments), timeout_s)
    if done.returncode != 0:
        raise refusal(f"docker {arguments[0]}", done.stderr)
    return done.stdout


def docker_command(*arguments: str) -> list[str]:
    """Raises EngineUnavailable."""
    if not has_client():
        raise EngineUnavailable(
            "docker is not installed; on Debian: apt-get install docker.io docker-compose (only --provider compose needs it)")
    return ["docker", *arguments]


def inspect(kind: str, names: Iterable[str]) -> str:
    """JSON: a list of those that are (still) there. `kind`: "container", "image", ..."""
    names = list(names)
    if not names:
        return "[]"
    done = _run(docker_command(kind, "inspect", *names), CALL_TIMEOUT_S)
    if done.returncode != 0 and "no such" not in done.stderr.lower():
        raise refusal(f"docker {kind} inspect", done.stderr)
    return done.stdout or "[]"


def labelled(kind: str, *labels: str) -> list[dict[str, str]]:
    """Containers ("ps") or volumes ("volume") that carry all the labels ("key=value"): what the client says of each."""
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    words = ("ps", "--all", "--no-trunc") if kind == "ps" else (kind, "ls")
    return [json.loads(line) for line in docker(*words, *filters, "--format", "{{json .}}", timeout_s=ANSWER_TIMEOUT_S).splitlines()]


@functools.cache
def compose_command() -> tuple[str, ...]:
    """The plugin where there is one, else docker-compose. Raises EngineUnavailable."""
    if _run(docker_command("compose", "version"), ANSWER_TIMEOUT_S).returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise EngineUnavailable("docker compose is not installed: neither the plugin (docker-compose-plugin) nor docker-compose; "
                            "on Debian: apt-get install docker-compose")


def check_engine() -> None:
    """Raises EngineUnavailable."""
    compose_command()
    docker("version", "--format", "{{.Server.Version}}", timeout_s=ANSWER_TIMEOUT_S)


def client_environment() -> dict[str, str]:
    """This process's, but for our own way to Python modules: docker-compose 1.29 is a Python program with others."""
    return {key: value for key, value in os.environ.items() if key not in OUR_PYTHON}


def _run(command: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False,
            env=client_environment())
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(silence("")) from error


def run_long(command: Iterable[str], environment: Mapping[str, str]) -> str:
    """Runs a client to its end, whatever time that takes; what it printed. Raises CallFailed, EngineUnavailable.

    It has a session of its own: Ctrl-C is ours, and it ends in order, with what the engine was asked for done or not.
    """
    words = list(command)
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**client_environment(), **environment}, start_new_session=True,
    ) as client:
        try:
            output, _ = client.communicate()
        except BaseException:
            _end(client)
            raise
    if client.returncode != 0:
        raise refusal(" ".join(words[:2] if words[0] == "docker" else words[:1]), output)
    return output


def _end(client: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(client.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.communicate(timeout=END_TIMEOUT_S)
            return


def stream(command: list[str]) -> subprocess.Popen[bytes]:
    """A client whose words are read as they come, both of its outputs in one."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def refusal(what: str, words: str) -> LauncherError:
    """The error for a client that failed: the engine's silence, or its own words."""
    try:
        answer = _run(docker_command("version", "--format", "{{.Server.Version}}"), ANSWER_TIMEOUT_S)
    except EngineUnavailable as error:
        return error
    if answer.returncode != 0:
        return EngineUnavailable(silence(answer.stderr))
    return CallFailed(f"{what}: {summary(words)}")


def summary(words: str) -> str:
    """The lines of a client's output that say what went wrong, or else its last ones."""
    lines = [line for line in (COLORS.sub("", line).strip() for line in words.splitlines()) if line]
    telling = [line for line in lines if line.lower().startswith("error")] or [line for line in lines if "error" in line.lower()]
    return "\n".join((telling or lines)[-MAX_LINES:]) or "no word of why"


def silence(words: str) -> str:
    """What to say, and to do, when the engine does not answer."""
    reason = " (permission denied)" if "permission denied" in words.lower() else ""
    return f"Docker's engine does not answer at {engine_host()}{reason}: is it running, may this user use it (group docker)?"


def engine_host() -> str:
    """Where the client looks for it: DOCKER_HOST, or its context."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    probe = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    with contextlib.suppress(OSError, EngineUnavailable):
        found = _run(probe, ANSWER_TIMEOUT_S)
        if found.returncode == 0 and found.stdout.strip():
            return found.stdout.strip()
    return DEFAULT_HOST
