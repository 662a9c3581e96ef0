"""A container's environment."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kube.api.core_v1 import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectFieldSelector,
    Pod,
    ResourceFieldSelector,
    ResourceRequirements,
    SecretEnvSource,
    Service,
    ServicePort,
    ServiceSpec,
)
from kube.api.meta_v1 import ObjectMeta
from node_agent.kubelet.env_files import EnvFileError, env_file_value
from node_agent.kubelet.environment import ContainerConfigError, PodFacts, expand, make_environment, service_variables
from tests.support.pods import container, pod

DATA = {("configmap", "settings"): {"color": "red", "size": "9"}, ("secret", "keys"): {"token": "t0p"}}


def lookup(kind: str, name: str) -> Mapping[str, str] | None:
    return DATA.get((kind, name))


def environment(wanted: Container, *services: Service, of: Pod | None = None) -> dict[str, str]:
    facts = PodFacts(
        pod=of or pod(wanted), pod_ip="10.244.1.5", host_ip="172.30.0.11", node_name="node1", allocatable={"memory": "1Gi", "cpu": "2"},
    )
    return dict(make_environment(wanted, facts, services, lookup))


def service(name: str, address: str, *ports: ServicePort, namespace: str = "default") -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace=namespace), spec=ServiceSpec(cluster_ip=address, ports=ports))


@pytest.mark.parametrize(("text", "result"), [
    ("$(A)", "1"), ("x$(A)y$(B)", "x1y2"), ("$(NONE)", "$(NONE)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("$$", "$"), ("$(A", "$(A"),
    ("$(a$(A))", "$(a$(A))"),
])
def test_references_expand(text: str, result: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == result


def test_values_may_refer_to_earlier_ones() -> None:
    values = {"A": "1", "B": "$(A)2", "C": "$(LATER)", "LATER": "x"}

    found = environment(container(env=tuple(EnvVar(name=name, value=value) for name, value in values.items())))

    assert found == {"A": "1", "B": "12", "C": "$(LATER)", "LATER": "x"}


@pytest.mark.req("POD-08")
def test_fields_and_resources() -> None:
    paths = ("metadata.name", "metadata.labels['app']", "spec.nodeName", "status.podIP", "status.hostIP", "metadata.uid")
    fields = [EnvVarSource(field_ref=ObjectFieldSelector(field_path=path)) for path in paths]
    env = tuple(EnvVar(name=f"V{number}", value_from=source) for number, source in enumerate(fields))
    limits = EnvVar(name="CPU", value_from=EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.cpu")))
    memory = EnvVar(name="MEM", value_from=EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi")))
    wanted = container(env=(*env, limits, memory), resources=ResourceRequirements(limits={"cpu": "1500m"}))

    found = environment(wanted)

    assert list(found.values()) == ["web", "web", "node1", "10.244.1.5", "172.30.0.11", pod().metadata.uid, "2", "1024"]


def test_from_config_maps_and_secrets() -> None:
    sources = (
        EnvFromSource(prefix="S_", config_map_ref=ConfigMapEnvSource(name="settings")),
        EnvFromSource(secret_ref=SecretEnvSource(name="keys")),
        EnvFromSource(config_map_ref=ConfigMapEnvSource(name="none", optional=True)),
    )
    key = EnvVar(name="SIZE", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="settings", key="size")))

    assert environment(container(env_from=sources, env=(key,))) == {"S_color": "red", "S_size": "9", "token": "t0p", "SIZE": "9"}


@pytest.mark.parametrize(("name", "key", "message"), [
    ("none", "x", 'configmap "none" not found'), ("settings", "x", "couldn't find key x in ConfigMap default/settings"),
])
def test_missing_references_are_named(name: str, key: str, message: str) -> None:
    reference = EnvVar(name="A", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name=name, key=key)))

    with pytest.raises(ContainerConfigError) as error:
        environment(container(env=(reference,)))

    assert str(error.value) == message


def test_service_variables() -> None:
    web = service("web-app", "10.96.0.80", ServicePort(name="http", port=80), ServicePort(name="dns", port=53, protocol="UDP"))

    assert service_variables([web], "default", links=True) == {
        "WEB_APP_SERVICE_HOST": "10.96.0.80", "WEB_APP_SERVICE_PORT": "80",
        "WEB_APP_SERVICE_PORT_HTTP": "80", "WEB_APP_SERVICE_PORT_DNS": "53",
        "WEB_APP_PORT": "tcp://10.96.0.80:80", "WEB_APP_PORT_80_TCP": "tcp://10.96.0.80:80", "WEB_APP_PORT_80_TCP_PROTO": "tcp",
        "WEB_APP_PORT_80_TCP_PORT": "80", "WEB_APP_PORT_80_TCP_ADDR": "10.96.0.80", "WEB_APP_PORT_53_UDP": "udp://10.96.0.80:53",
        "WEB_APP_PORT_53_UDP_PROTO": "udp", "WEB_APP_PORT_53_UDP_PORT": "53", "WEB_APP_PORT_53_UDP_ADDR": "10.96.0.80",
    }


def test_only_the_own_namespace_and_kubernetes_are_linked() -> None:
    services = [
        service("kubernetes", "10.96.0.1", ServicePort(port=443)), service("other", "10.96.0.2", ServicePort(port=1)),
        service("mine", "10.96.0.3", ServicePort(port=1), namespace="team"), service("headless", "None", namespace="team"),
    ]

    linked = service_variables(services, "team", links=True)
    bare = service_variables(services, "team", links=False)

    assert {name for name in linked if name.endswith("SERVICE_HOST")} == {"KUBERNETES_SERVICE_HOST", "MINE_SERVICE_HOST"}
    assert {name for name in bare if name.endswith("SERVICE_HOST")} == {"KUBERNETES_SERVICE_HOST"}


def test_values_may_refer_to_what_envfrom_brings_and_to_services() -> None:
    source = EnvFromSource(prefix="1-", config_map_ref=ConfigMapEnvSource(name="settings"))
    env = (EnvVar(name="A", value="$(1-color) $(WEB_SERVICE_HOST)"), EnvVar(name="1-color", value="$(1-color)der"))

    found = environment(container(env_from=(source,), env=env), service("web", "10.96.0.80"))

    assert (found["A"], found["1-color"], found["1-size"]) == ("red 10.96.0.80", "redder", "9")


FILE = """# settings
  COLOR='red'   # not blue

EMPTY= 'x'
TEXT='one
 two'
"""


@pytest.mark.parametrize(("key", "value"), [("COLOR", "red"), ("TEXT", "one\n two"), ("EMPTY", ""), ("NONE", "")])
def test_a_file_of_variables(key: str, value: str) -> None:
    assert env_file_value(FILE, key) == value


@pytest.mark.parametrize(("text", "message"), [
    ("A", "line 1: missing '='"), ("\n='x'", "line 2: empty variable name"), ("A ='x'", "line 1: whitespace before '=' is not allowed"),
    ("A=x", "line 1: value must be enclosed in single quotes"), ("A='x", "starting at line 1: unclosed single quote"),
    ("A='x' y", "line 1: unexpected content after closing quote"), ("A=", "line 1: value must be enclosed in single quotes"),
])
def test_a_file_that_is_none_of_variables_is_refused(text: str, message: str) -> None:
    with pytest.raises(EnvFileError) as error:
        env_file_value(text, "B")

    assert str(error.value) == f"invalid environment variable format {'' if message.startswith('starting') else 'at '}{message}"


@pytest.mark.parametrize(("reference", "outcome"), [
    (FileKeySelector(volume_name="v", path="env", key="COLOR"), "red"),
    (FileKeySelector(volume_name="v", path="env", key="NONE", optional=True), None),
    (FileKeySelector(volume_name="v", path="env", key="NONE"), 'environment variable key "NONE" not found in file "env"'),
    (FileKeySelector(volume_name="w", path="env", key="COLOR"), 'cannot find the volume "w" referenced by FileKeyRef'),
])
def test_variables_from_a_volume(reference: FileKeySelector, outcome: str | None) -> None:
    wanted = container(env=(EnvVar(name="A", value_from=EnvVarSource(file_key_ref=reference)),))
    facts = PodFacts(pod=pod(wanted), pod_ip="", host_ip="", node_name="node1", allocatable={})

    def files(volume: str, _: str) -> str | None:
        return FILE if volume == "v" else None

    if outcome is None or " " not in outcome:
        assert dict(make_environment(wanted, facts, (), lookup, files)).get("A") == outcome
    else:
        with pytest.raises(ContainerConfigError, match=outcome):
            make_environment(wanted, facts, (), lookup, files)


@pytest.mark.parametrize(("own", "whole", "value"), [
    pytest.param("1Gi", "2Gi", "1024", id="the container's"), pytest.param("", "2Gi", "2048", id="the Pod's"),
    pytest.param("", "", "1024", id="the node's"),
])
def test_a_limit_is_the_nearest_that_is_set(own: str, whole: str, value: str) -> None:
    source = EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi"))
    wanted = container(env=(EnvVar(name="A", value_from=source),), resources=ResourceRequirements(limits={"memory": own} if own else {}))

    found = environment(wanted, of=pod(wanted, resources=ResourceRequirements(limits={"memory": whole}) if whole else None))

    assert found["A"] == value
