"""Rules for probes and lifecycle hooks: one handler each, and sensible numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    NOT_NEGATIVE,
    each,
    forbidden,
    invalid,
    not_supported,
    port_name_problems,
    port_number_problems,
    regex_problem,
    required,
)

PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_NUMBERS: Final = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_PROBE_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "sleep")
_HEADER: Final = "[-A-Za-z0-9]+"
_SIGNAL_NAMES: Final = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU "
    "URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
_SIGNALS: Final = tuple(sorted((
    *(f"SIG{name}" for name in _SIGNAL_NAMES.split()), *(f"SIGRTMIN+{number}" for number in range(1, 16)),
    *(f"SIGRTMAX-{number}" for number in range(1, 15)),
)))
_WINDOWS_SIGNALS: Final = ("SIGKILL", "SIGTERM")


def validate_probes(container: JsonObject, path: str, grace_s: int | None) -> list[Cause]:
    causes: list[Cause] = []
    for kind in PROBES:
        if (probe := container.get(kind)) is not None:
            causes += _validate_probe(probe, f"{path}.{kind}", kind, grace_s)
    return causes


def _validate_probe(probe: JsonObject, path: str, kind: str, grace_s: int | None) -> list[Cause]:
    causes = _validate_handler(probe, path, _PROBE_HANDLERS, grace_s)
    for key in _NUMBERS:
        if (probe.get(key) or 0) < 0:
            causes.append(invalid(f"{path}.{key}", probe[key], NOT_NEGATIVE))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind == "readinessProbe":
        if grace is not None:
            causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
    elif probe.get("successThreshold") != 1:
        causes.append(invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1"))
    return causes


def validate_lifecycle(lifecycle: JsonObject, path: str, grace_s: int | None, system: str) -> list[Cause]:
    """`system`: the Pod's os.name, which decides what signals there are."""
    causes: list[Cause] = []
    for hook in ("postStart", "preStop"):
        if (handler := lifecycle.get(hook)) is not None:
            causes += _validate_handler(handler, f"{path}.{hook}", _HOOK_HANDLERS, grace_s)
    if (signal := lifecycle.get("stopSignal")) is not None:
        at = f"{path}.stopSignal"
        known = _WINDOWS_SIGNALS if system == "windows" else _SIGNALS
        if not system:
            causes.append(forbidden(at, "may not be set for containers with empty `spec.os.name`"))
        elif signal not in known:
            causes.append(not_supported(at, signal, known))
    return causes


def _validate_handler(handler: JsonObject, path: str, kinds: tuple[str, ...], grace_s: int | None) -> list[Cause]:
    causes: list[Cause] = []
    chosen = ""
    for kind in kinds:
        if (content := handler.get(kind)) is None:
            continue
        if chosen:
            causes.append(forbidden(f"{path}.{kind}", "may not specify more than 1 handler type"))
            continue
        chosen = kind
        if kind == "sleep":
            causes += _validate_sleep(content, f"{path}.sleep", grace_s)
        else:
            causes += _HANDLERS[kind](content, f"{path}.{kind}")
    return causes if chosen else [required(path, "must specify a handler type")]


def _validate_exec(action: JsonObject, path: str) -> list[Cause]:
    return [] if action.get("command") else [required(f"{path}.command")]


def _validate_http(action: JsonObject, path: str) -> list[Cause]:
    causes = [] if action.get("path") else [required(f"{path}.path")]
    causes += validate_port(action.get("port"), f"{path}.port")
    if action.get("scheme") not in {"HTTP", "HTTPS"}:
        causes.append(not_supported(f"{path}.scheme", action.get("scheme") or "", ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or ():
        name = header.get("name") or ""
        if not re.fullmatch(_HEADER, name):
            causes.append(invalid(f"{path}.httpHeaders", name, regex_problem(
                "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name")))
    return causes


def _validate_tcp(action: JsonObject, path: str) -> list[Cause]:
    return validate_port(action.get("port"), f"{path}.port")


def _validate_sleep(action: JsonObject, path: str, grace_s: int | None) -> list[Cause]:
    seconds = action.get("seconds") or 0
    if grace_s is None or 0 <= seconds <= grace_s:
        return []
    return [invalid(path, seconds, f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})")]


_HANDLERS: Final[dict[str, Callable[[JsonObject, str], list[Cause]]]] = {
    "exec": _validate_exec, "httpGet": _validate_http, "tcpSocket": _validate_tcp, "grpc": _validate_tcp,
}


def validate_port(port: int | str | None, path: str) -> list[Cause]:
    """A port by number or by name."""
    if isinstance(port, str):
        return each(path, port, port_name_problems(port))
    return each(path, port or 0, port_number_problems(port or 0))
