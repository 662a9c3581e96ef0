"""Name and type -> what stands there: the DNS-based service discovery specification, by table."""

from __future__ import annotations

import pytest

from addons.coredns.kubernetes.lookup import PODS_DISABLED, PODS_INSECURE, PODS_VERIFIED, Lookup
from addons.coredns.kubernetes.objects import Pod, PodStatus, ServiceKey
from addons.coredns.kubernetes.store import KubernetesStore
from kube.api.meta_v1 import ObjectMeta
from tests.support.dns import endpoint_slice, fill, service

ZONE = "cluster.local."


@pytest.fixture
def store() -> KubernetesStore:
    filled = KubernetesStore()
    fill(filled)
    return filled


def hosts(store: KubernetesStore, name: str, pods: str = PODS_INSECURE) -> list[str] | None:
    """The hosts behind a name; None: no such name."""
    found = Lookup(store, pods).forward(f"{name}.{ZONE}" if name else ZONE, ZONE)
    return [target.host for target in found.targets] if found.exists else None


@pytest.mark.req("DNS-02")
@pytest.mark.parametrize(("name", "expected"), [
    pytest.param("kubernetes.default.svc", ["10.96.0.1"], id="a service"),
    pytest.param("dual.default.svc", ["10.96.7.8", "fd00::8"], id="two families"),
    pytest.param("hello.kube-system.svc", None, id="another namespace"),
    pytest.param("hello.nowhere.svc", None, id="no such namespace"),
    pytest.param("nobody.default.svc", None, id="no such service"),
    pytest.param("hello.default", None, id="neither svc nor pod"),
    pytest.param("default.svc", [], id="a namespace exists, without addresses"),
    pytest.param("nowhere.svc", None, id="no such namespace either"),
    pytest.param("svc", [], id="the name svc"),
    pytest.param("", [], id="the zone"),
    pytest.param("a.b.c.hello.default.svc", None, id="too long"),
])
def test_service_names(store: KubernetesStore, name: str, expected: list[str] | None) -> None:
    assert hosts(store, name) == expected


@pytest.mark.req("DNS-04", "DNS-06")
@pytest.mark.parametrize(("name", "expected"), [
    pytest.param("web.default.svc", ["10.244.1.5", "10.244.2.6", "10.244.2.7"], id="ready endpoints only"),
    pytest.param("web-0.web.default.svc", ["10.244.1.5"], id="by hostname"),
    pytest.param("10-244-2-7.web.default.svc", ["10.244.2.7"], id="by address where there is no hostname"),
    pytest.param("10-244-1-5.web.default.svc", None, id="not by address where there is one"),
    pytest.param("10-244-3-3.web.default.svc", None, id="not ready"),
    pytest.param("empty.default.svc", None, id="no endpoint"),
    pytest.param("noports.default.svc", ["10.244.1.9"], id="endpoints without ports"),
])
def test_headless_names(store: KubernetesStore, name: str, expected: list[str] | None) -> None:
    assert hosts(store, name) == expected


@pytest.mark.req("DNS-05")
@pytest.mark.parametrize(("name", "expected"), [
    pytest.param("_http._tcp.hello.default.svc", [80], id="named port"),
    pytest.param("_metrics._tcp.hello.default.svc", [9090], id="the other one"),
    pytest.param("_http._udp.hello.default.svc", None, id="other protocol"),
    pytest.param("_nope._tcp.hello.default.svc", None, id="no such port"),
    pytest.param("_http._tcp.web.default.svc", [8080, 8080, 8080], id="headless: the endpoints' port"),
    pytest.param("hello.default.svc", [80, 9090], id="every port"),
])
def test_ports(store: KubernetesStore, name: str, expected: list[int] | None) -> None:
    found = Lookup(store).forward(f"{name}.{ZONE}", ZONE)

    assert ([target.port for target in found.targets] if found.exists else None) == expected


@pytest.mark.req("DNS-07", "DNS-13")
@pytest.mark.parametrize(("name", "mode", "expected"), [
    pytest.param("1-2-3-4.default.pod", PODS_INSECURE, ["1.2.3.4"], id="insecure: any address"),
    pytest.param("1-2-3-4.default.pod", PODS_DISABLED, None, id="disabled"),
    pytest.param("1-2-3-4.default.pod", PODS_VERIFIED, None, id="verified: no such pod"),
    pytest.param("10-244-1-5.default.pod", PODS_VERIFIED, ["10.244.1.5"], id="verified"),
    pytest.param("10-244-1-5.kube-system.pod", PODS_VERIFIED, None, id="verified: other namespace"),
    pytest.param("1-2-3-4.nowhere.pod", PODS_INSECURE, None, id="no such namespace"),
    pytest.param("1-2-3-400.default.pod", PODS_INSECURE, None, id="no address"),
    pytest.param("fd00--5.default.pod", PODS_INSECURE, ["fd00::5"], id="IPv6"),
    pytest.param("4.3.2.1.default.pod", PODS_INSECURE, None, id="dotted"),
    pytest.param("default.pod", PODS_INSECURE, [], id="a namespace"),
])
def test_pod_names(store: KubernetesStore, name: str, mode: str, expected: list[str] | None) -> None:
    store.set_pod(Pod(metadata=ObjectMeta(name="web-0", namespace="default"), status=PodStatus("10.244.1.5")))

    assert hosts(store, name, mode) == expected


@pytest.mark.req("DNS-14")
@pytest.mark.parametrize(("name", "expected"), [
    pytest.param("1.0.96.10.in-addr.arpa.", ["kubernetes.default.svc.cluster.local."], id="service"),
    pytest.param("5.1.244.10.in-addr.arpa.", ["web-0.web.default.svc.cluster.local."], id="endpoint with hostname"),
    pytest.param("7.2.244.10.in-addr.arpa.", ["10-244-2-7.web.default.svc.cluster.local."], id="endpoint without"),
    pytest.param("8." + "0." * 27 + "0.0.d.f.ip6.arpa.", ["dual.default.svc.cluster.local."], id="IPv6"),
    pytest.param("9.9.9.9.in-addr.arpa.", None, id="unknown address"),
    pytest.param("96.10.in-addr.arpa.", None, id="part of an address"),
])
def test_addresses(store: KubernetesStore, name: str, expected: list[str] | None) -> None:
    found = Lookup(store).reverse(name, ZONE)

    assert ([target.host for target in found.targets] if found.exists else None) == expected


def test_a_changed_slice_replaces_what_it_held(store: KubernetesStore) -> None:
    store.set_slice(endpoint_slice("web-1", "web", ready=["10.244.9.9"]))

    assert hosts(store, "web.default.svc") == ["10.244.9.9"]
    assert not Lookup(store).reverse("5.1.244.10.in-addr.arpa.", ZONE).exists


def test_a_deleted_service_is_gone_in_both_directions(store: KubernetesStore) -> None:
    store.remove_service(ServiceKey("default", "hello"))

    assert hosts(store, "hello.default.svc") is None
    assert not Lookup(store).reverse("7.7.96.10.in-addr.arpa.", ZONE).exists


def test_every_answer_names_what_would_change_it(store: KubernetesStore) -> None:
    changed: list[object] = []
    missing = Lookup(store).forward("later.default.svc.cluster.local.", ZONE)
    store.add_listener(changed.append)

    store.set_service(service("later", ips=["10.96.1.1"]))

    assert missing.tags & set(changed)
