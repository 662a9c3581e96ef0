"""A container's environment: envFrom, env with references, Service variables, $(VAR). Pure; follows pkg/kubelet/kubelet_pods.go."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kube.api.core_v1 import Container, EnvVarSource, FileKeySelector, Pod, ResourceFieldSelector, Service
from kube.apimachinery.go_text import go_quoted
from kube.apimachinery.quantity import Quantity
from node_agent.kubelet.env_files import EnvFileError, env_file_value
from node_agent.kubelet.resources import limits_of, pod_level, requests_of

# Returns the data of a ConfigMap ("configmap") or Secret ("secret") of the Pod's namespace, or None if there is none.
Lookup = Callable[[str, str], Mapping[str, str] | None]
# Returns the text of a file of one of the Pod's volumes: (volume, path). None: there is no such volume. Raises ContainerConfigError.
Files = Callable[[str, str], str | None]
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


class ContainerConfigError(Exception):
    """The container's specification refers to something that is not there; the message is upstream's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What of a Pod is known on its node only."""

    pod: Pod
    pod_ip: str
    host_ip: str
    node_name: str
    allocatable: Mapping[str, str]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) becomes its value, $$ a dollar; what is unknown stays as it stands."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(text: str, variables: Mapping[str, str]) -> str:
    """The same where every name has to have a value. Raises ContainerConfigError."""
    names = {match[1] for match in _REFERENCE.finditer(text) if match[1] is not None}
    if missing := sorted(name for name in names if not variables.get(name)):
        raise ContainerConfigError(f"missing value for {', '.join(missing)}")
    return expand(text, variables)


def make_environment(
    container: Container, facts: PodFacts, services: Iterable[Service], lookup: Lookup, files: Files | None = None,
) -> tuple[tuple[str, str], ...]:
    """What comes later in the container's list wins. Raises ContainerConfigError."""
    result: dict[str, str] = {}
    for source in container.env_from:
        result.update(_all_of(source.prefix, "configmap", source.config_map_ref, facts, lookup))
        result.update(_all_of(source.prefix, "secret", source.secret_ref, facts, lookup))
    links = facts.pod.spec.enable_service_links is not False
    from_services = service_variables(services, facts.pod.metadata.namespace, links=links)
    known = ChainMap(result, from_services)
    for variable in container.env:
        if variable.value_from is not None and not variable.value:
            if variable.value_from.file_key_ref is not None:
                value = _from_file(variable.value_from.file_key_ref, files)
            else:
                value = _referenced(variable.name, variable.value_from, container, facts, lookup)
            if value is None:
                continue
        else:
            value = expand(variable.value, known)
        result[variable.name] = value
    for name, value in from_services.items():
        result.setdefault(name, value)
    return tuple(result.items())


def _from_file(reference: FileKeySelector, files: Files | None) -> str | None:
    text = files(reference.volume_name, reference.path) if files is not None else None
    if text is None:
        raise ContainerConfigError(f'cannot find the volume "{reference.volume_name}" referenced by FileKeyRef')
    try:
        value = env_file_value(text, reference.key)
    except EnvFileError as error:
        raise ContainerConfigError("couldn't parse env file") from error
    if not value and not reference.optional:
        raise ContainerConfigError(f'environment variable key "{reference.key}" not found in file "{reference.path}"')
    return value or None


def _all_of(prefix: str, kind: str, reference: object, facts: PodFacts, lookup: Lookup) -> Mapping[str, str]:
    if reference is None:
        return {}
    name, optional = getattr(reference, "name", ""), getattr(reference, "optional", None)
    data = lookup(kind, name)
    if data is None:
        if optional:
            return {}
        raise ContainerConfigError(f'{kind} "{name}" not found')
    return {prefix + key: value for key, value in data.items()}


def _referenced(name: str, source: EnvVarSource, container: Container, facts: PodFacts, lookup: Lookup) -> str | None:
    if source.field_ref is not None:
        return field_value(source.field_ref.field_path, facts)
    if source.resource_field_ref is not None:
        return resource_value(source.resource_field_ref, container, facts)
    for kind, display, reference in (
        ("configmap", "ConfigMap", source.config_map_key_ref), ("secret", "Secret", source.secret_key_ref),
    ):
        if reference is None:
            continue
        data = lookup(kind, reference.name)
        if data is None:
            if reference.optional:
                return None
            raise ContainerConfigError(f'{kind} "{reference.name}" not found')
        if reference.key not in data:
            if reference.optional:
                return None
            raise ContainerConfigError(
                f"couldn't find key {reference.key} in {display} {facts.pod.metadata.namespace}/{reference.name}")
        return data[reference.key]
    return None


def field_value(path: str, facts: PodFacts) -> str:
    """The downward API's fields. Raises ContainerConfigError for an unknown one."""
    metadata, spec = facts.pod.metadata, facts.pod.spec
    if match := re.fullmatch(r"metadata\.(annotations|labels)\['([^']*)'\]", path):
        return (metadata.annotations if match[1] == "annotations" else metadata.labels).get(match[2], "")
    if path in ("metadata.annotations", "metadata.labels"):
        pairs = metadata.annotations if path.endswith("annotations") else metadata.labels
        return "".join(f"{key}={go_quoted(value)}\n" for key, value in sorted(pairs.items())).rstrip("\n")
    simple = {
        "metadata.name": metadata.name, "metadata.namespace": metadata.namespace, "metadata.uid": metadata.uid,
        "spec.nodeName": facts.node_name, "spec.serviceAccountName": spec.service_account_name, "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip, "status.podIP": facts.pod_ip, "status.podIPs": facts.pod_ip,
    }
    if path not in simple:
        raise ContainerConfigError(f"unsupported fieldPath: {path}")
    return simple[path]


def resource_value(selector: ResourceFieldSelector, container: Container, facts: PodFacts) -> str:
    """In units of the divisor, rounded up. A limit that is not set is the Pod's own, or what the node can allocate."""
    if selector.container_name and selector.container_name != container.name:
        everyone = (*facts.pod.spec.containers, *facts.pod.spec.init_containers)
        found = next((other for other in everyone if other.name == selector.container_name), None)
        if found is None:
            raise ContainerConfigError(f"container {selector.container_name} not found")
        container = found
    kind, _, name = selector.resource.partition(".")
    amount = (limits_of(container) if kind == "limits" else requests_of(container)).get(name)
    if amount is None and kind == "limits":
        amount = pod_level(facts.pod, "limits").get(name) or facts.allocatable.get(name)
    if amount is None:
        amount = "0"
    value = Quantity.parse(amount)
    divisor = Quantity.parse(selector.divisor or "0")
    if not divisor:
        divisor = Quantity.parse("1")
    return str(-(-value.milli_value() // max(divisor.milli_value(), 1)))


def service_variables(services: Iterable[Service], namespace: str, *, links: bool) -> dict[str, str]:
    """FOO_SERVICE_HOST and Docker's link variables. Always of the Service kubernetes; with links, of the namespace's own too."""
    chosen: dict[str, Service] = {}
    for service in services:
        name, home = service.metadata.name, service.metadata.namespace
        if service.spec.cluster_ip in ("", "None"):
            continue
        if home == namespace and (links or name == "kubernetes"):
            chosen[name] = service
        elif home == "default" and name == "kubernetes":
            chosen.setdefault(name, service)
    variables: dict[str, str] = {}
    for name in sorted(chosen):
        variables.update(_variables_of(chosen[name]))
    return variables


def _variables_of(service: Service) -> dict[str, str]:
    prefix = service.metadata.name.upper().replace("-", "_")
    host, ports = service.spec.cluster_ip, service.spec.ports
    if not ports:
        return {f"{prefix}_SERVICE_HOST": host}
    variables = {f"{prefix}_SERVICE_HOST": host, f"{prefix}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            variables[f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        address = f"{protocol}://{host}:{port.port}"
        if index == 0:
            variables[f"{prefix}_PORT"] = address
        link = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        variables |= {link: address, f"{link}_PROTO": protocol, f"{link}_PORT": str(port.port), f"{link}_ADDR": host}
    return variables
