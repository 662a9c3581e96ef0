"""Rules for containers: names, images, ports, environment, mounts, resources, probes. Follows core/validation/validation.go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.resource_lists import validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    INT32_MAX,
    config_key_problems,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    env_name_problems,
    forbidden,
    invalid,
    ip_problems,
    not_negative,
    not_supported,
    port_name_problems,
    port_number_problems,
    range_problem,
    required,
    value_not_found,
)

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_ENV_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS: Final = frozenset({
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs",
    "status.podIP", "status.podIPs",
})


def validate_containers(containers: Sequence[JsonObject], volumes: Mapping[str, Any], path: str, taken: set[str]) -> list[Cause]:
    """Rules for one list of containers; `taken` collects names across the lists of a Pod."""
    causes: list[Cause] = []
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        name = container.get("name") or ""
        if not name:
            causes.append(required(f"{at}.name"))
        else:
            causes += each(f"{at}.name", name, dns_label_problems(name))
            if name in taken:
                causes.append(duplicate(f"{at}.name", name))
            taken.add(name)
        causes += _validate_image(container, at)
        causes += validate_ports(container.get("ports") or (), f"{at}.ports")
        causes += _validate_env(container.get("env") or (), f"{at}.env")
        causes += _validate_env_from(container.get("envFrom") or (), f"{at}.envFrom")
        causes += _validate_mounts(container.get("volumeMounts") or (), volumes, f"{at}.volumeMounts")
        causes += validate_requirements(container.get("resources") or {}, f"{at}.resources")
        causes += _validate_probes(container, at)
        causes += _validate_security(container.get("securityContext") or {}, f"{at}.securityContext")
    return causes


def _validate_image(container: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    image = container.get("image") or ""
    if not image:
        causes.append(required(f"{path}.image"))
    elif image.strip() != image:
        causes.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("imagePullPolicy")
    if not policy:
        causes.append(required(f"{path}.imagePullPolicy"))
    elif policy not in PULL_POLICIES:
        causes.append(not_supported(f"{path}.imagePullPolicy", policy, PULL_POLICIES))
    message = container.get("terminationMessagePolicy")
    if message not in {"File", "FallbackToLogsOnError"}:
        causes.append(not_supported(f"{path}.terminationMessagePolicy", message or "", ("FallbackToLogsOnError", "File")))
    return causes


def validate_ports(ports: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if name := port.get("name"):
            causes += each(f"{at}.name", name, port_name_problems(name))
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            names.add(name)
        if not port.get("containerPort"):
            causes.append(required(f"{at}.containerPort"))
        else:
            causes += each(f"{at}.containerPort", port["containerPort"], port_number_problems(port["containerPort"]))
        if port.get("hostPort"):
            causes += each(f"{at}.hostPort", port["hostPort"], port_number_problems(port["hostPort"]))
        if port.get("hostIP"):
            causes += each(f"{at}.hostIP", port["hostIP"], ip_problems(port["hostIP"]))
        if not port.get("protocol"):
            causes.append(required(f"{at}.protocol"))
        elif port["protocol"] not in PROTOCOLS:
            causes.append(not_supported(f"{at}.protocol", port["protocol"], PROTOCOLS))
    return causes


def validate_host_ports(containers: Sequence[JsonObject], path: str, *, host_network: bool) -> list[Cause]:
    """No two containers want the same port of the node; in the node's network both numbers are one."""
    causes: list[Cause] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number, port in enumerate(container.get("ports") or ()):
            at = f"{path}[{index}].ports[{number}]"
            host_port = port.get("hostPort") or 0
            if host_network and host_port and host_port != port.get("containerPort"):
                causes.append(invalid(f"{at}.containerPort", port.get("containerPort"), "must match `hostPort` when `hostNetwork` is true"))
            if not host_port:
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{host_port}"
            if key in taken:
                causes.append(duplicate(f"{at}.hostPort", key))
            taken.add(key)
    return causes


def _validate_env(env: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(env):
        at = f"{path}[{index}]"
        name = variable.get("name") or ""
        causes += each(f"{at}.name", name, env_name_problems(name)) if name else [required(f"{at}.name")]
        if variable.get("valueFrom") is not None:
            causes += _validate_env_source(variable, f"{at}.valueFrom")
    return causes


def _validate_env_source(variable: JsonObject, path: str) -> list[Cause]:
    source = variable["valueFrom"]
    chosen = [key for key in _ENV_SOURCES if source.get(key) is not None]
    causes: list[Cause] = []
    if not chosen:
        causes.append(invalid(path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                                        "`fileKeyRef`"))
    elif variable.get("value"):
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(chosen) > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    if source.get("fieldRef") is not None:
        causes += validate_field_ref(source["fieldRef"], f"{path}.fieldRef", _ENV_FIELDS)
    if source.get("resourceFieldRef") is not None and not source["resourceFieldRef"].get("resource"):
        causes.append(required(f"{path}.resourceFieldRef.resource"))
    for key in ("configMapKeyRef", "secretKeyRef"):
        if source.get(key) is not None:
            causes += _validate_key_ref(source[key], f"{path}.{key}")
    return causes


def validate_field_ref(ref: JsonObject, path: str, known: frozenset[str]) -> list[Cause]:
    if not ref.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    field = ref.get("fieldPath") or ""
    if not field:
        return [required(f"{path}.fieldPath")]
    if field in known or field.startswith(("metadata.labels['", "metadata.annotations['")):
        return []
    return [invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")]


def _validate_key_ref(ref: JsonObject, path: str) -> list[Cause]:
    causes = [] if ref.get("name") else [required(f"{path}.name")]
    key = ref.get("key") or ""
    return causes + (each(f"{path}.key", key, config_key_problems(key)) if key else [required(f"{path}.key")])


def _validate_env_from(sources: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        chosen = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        if not chosen:
            causes.append(invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(chosen) > 1:
            causes.append(invalid(at, "", "may not have more than one field specified at a time"))
        for key in chosen:
            name = source[key].get("name") or ""
            causes += each(f"{at}.{key}.name", name, dns_subdomain_problems(name)) if name else [required(f"{at}.{key}.name")]
    return causes


def _validate_mounts(mounts: Sequence[JsonObject], volumes: Mapping[str, Any], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"{path}[{index}]"
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            causes.append(required(f"{at}.name"))
        elif name not in volumes:
            causes.append(value_not_found(f"{at}.name", name))
        if not where:
            causes.append(required(f"{at}.mountPath"))
        elif where in seen:
            causes.append(invalid(f"{at}.mountPath", where, "must be unique"))
        seen.add(where)
        if mount.get("subPath") and mount.get("subPathExpr"):
            causes.append(invalid(f"{at}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"))
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                causes += validate_relative_path(mount[key], f"{at}.{key}")
    return causes


def validate_relative_path(value: str, path: str) -> list[Cause]:
    """A path below something: not absolute, never climbing."""
    causes = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return [*causes, invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else causes


def _validate_probes(container: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(kind)) is None:
            continue
        at = f"{path}.{kind}"
        causes += _validate_handler(probe, at)
        for key in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
            causes += not_negative(f"{at}.{key}", probe.get(key))
        if (grace := probe.get("terminationGracePeriodSeconds")) is not None:
            if kind == "readinessProbe":
                causes.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"))
            elif grace <= 0:
                causes.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
        if kind != "readinessProbe" and probe.get("successThreshold") != 1:
            causes.append(invalid(f"{at}.successThreshold", probe.get("successThreshold"), "must be 1"))
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            causes += _validate_handler(handler, f"{path}.lifecycle.{hook}", also=("sleep",))
    return causes


def _validate_handler(handler: JsonObject, path: str, also: Iterable[str] = ()) -> list[Cause]:
    chosen = [key for key in (*_HANDLERS, *also) if handler.get(key) is not None]
    causes = [forbidden(f"{path}.{key}", "may not specify more than 1 handler type") for key in chosen[1:]]
    if not chosen:
        return [required(path, "must specify a handler type")]
    kind = chosen[0]
    at, content = f"{path}.{kind}", handler[kind]
    if kind == "exec" and not content.get("command"):
        causes.append(required(f"{at}.command"))
    if kind == "httpGet":
        if not content.get("path"):
            causes.append(required(f"{at}.path"))
        if content.get("scheme") not in {"HTTP", "HTTPS"}:
            causes.append(not_supported(f"{at}.scheme", content.get("scheme") or "", ("HTTP", "HTTPS")))
    if kind in {"httpGet", "tcpSocket"}:
        causes += validate_port(content.get("port"), f"{at}.port")
    if kind == "grpc":
        causes += each(f"{at}.port", content.get("port", 0), port_number_problems(content.get("port", 0)))
    return causes


def validate_port(port: int | str | None, path: str) -> list[Cause]:
    """A port by number or by name."""
    if isinstance(port, str):
        return each(path, port, port_name_problems(port))
    return each(path, port or 0, port_number_problems(port or 0))


def _validate_security(context: JsonObject, path: str) -> list[Cause]:
    causes = validate_ids(context, path)
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        causes.append(invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
    return causes


def validate_ids(context: JsonObject, path: str) -> list[Cause]:
    """Users and groups of a security context."""
    return [
        invalid(f"{path}.{key}", context[key], range_problem(0, INT32_MAX))
        for key in ("runAsUser", "runAsGroup", "fsGroup") if context.get(key) is not None and not 0 <= context[key] <= INT32_MAX
    ]
