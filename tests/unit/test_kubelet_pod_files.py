"""/etc/hosts and /etc/resolv.conf of a Pod."""

from __future__ import annotations

from typing import Any

import pytest

from kube.api.core_v1 import HostAlias, PodDNSConfig, PodDNSConfigOption
from node_agent.kubelet.pod_files import (
    Resolver,
    fit_limits,
    hosts_file,
    kernel_hostname,
    node_hosts_file,
    parse_resolv_conf,
    pod_domain,
    pod_hostname,
    pod_resolver,
)
from tests.support.pods import pod

MACHINE = Resolver(("192.0.2.53",), ("example.org",), ("edns0",))
UPSTREAM = "search example.org\nnameserver 192.0.2.53\noptions edns0\n"
OWN = PodDNSConfig(nameservers=("1.2.3.4",), searches=("a.b",), options=(PodDNSConfigOption(name="ndots", value="2"),))
CLUSTER = "search default.svc.cluster.local svc.cluster.local cluster.local example.org\nnameserver 10.96.0.10\noptions ndots:5\n"


@pytest.mark.req("DNS-08")
@pytest.mark.parametrize(("spec", "text"), [
    pytest.param({}, CLUSTER, id="ClusterFirst"),
    pytest.param({"dns_policy": "Default"}, UPSTREAM, id="Default"),
    pytest.param({"host_network": True}, UPSTREAM, id="ClusterFirst on the host network"),
    pytest.param({"host_network": True, "dns_policy": "ClusterFirstWithHostNet"}, CLUSTER, id="ClusterFirstWithHostNet"),
    pytest.param({"dns_policy": "None", "dns_config": OWN}, "search a.b\nnameserver 1.2.3.4\noptions ndots:2\n", id="None"),
    pytest.param(
        {"dns_config": PodDNSConfig(options=(PodDNSConfigOption(name="ndots", value="1"), PodDNSConfigOption(name="rotate")))},
        CLUSTER.replace("ndots:5", "ndots:1 rotate"), id="dnsConfig overrides",
    ),
])
def test_resolv_conf(spec: dict[str, Any], text: str) -> None:
    assert pod_resolver(pod(**spec), ("10.96.0.10",), "cluster.local", MACHINE).text() == text


def test_the_machines_file_is_read() -> None:
    text = "# x\nnameserver 1.1.1.1\nsearch a b\nsearch c d ; e\noptions ndots:2\n"

    assert parse_resolv_conf(text) == Resolver(("1.1.1.1",), ("c", "d"), ("ndots:2",))


def test_hosts_name_the_pod_and_its_aliases() -> None:
    text = hosts_file("10.244.1.5", "web", "sub.default.svc.cluster.local", [HostAlias(ip="1.2.3.4", hostnames=("foo", "bar"))])

    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.244.1.5\tweb.sub.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("# Entries added by HostAliases.\n1.2.3.4\tfoo\tbar\n")


def test_long_names_are_cut_to_a_host_name() -> None:
    long = pod(hostname="a" * 62 + "-b")

    assert pod_hostname(long) == "a" * 62


@pytest.mark.parametrize(("spec", "name"), [
    pytest.param({"subdomain": "sub"}, "web", id="short by default"),
    pytest.param({"subdomain": "sub", "set_hostname_as_fqdn": True}, "web.sub.default.svc.cluster.local", id="full when asked for"),
    pytest.param({"set_hostname_as_fqdn": True}, "web", id="no domain"),
    pytest.param({"subdomain": "sub", "hostname_override": "db.example.org"}, "db.example.org", id="override"),
])
def test_what_the_kernel_calls_the_pod(spec: dict[str, Any], name: str) -> None:
    assert kernel_hostname(pod(**spec), "cluster.local") == name


def test_a_full_name_that_is_too_long_for_the_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"FQDN a+\.sub\.default\.svc\.cluster\.local is too long \(64 .* max, 76 characters"):
        kernel_hostname(pod(hostname="a" * 46, subdomain="sub", set_hostname_as_fqdn=True), "cluster.local")


def test_an_overridden_name_has_no_domain() -> None:
    assert pod_domain(pod(hostname_override="db", subdomain="sub"), "cluster.local") == ""


@pytest.mark.parametrize(("resolver", "fits", "warning"), [
    pytest.param(
        Resolver(("1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4")), Resolver(("1.1.1.1", "2.2.2.2", "3.3.3.3")),
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        "the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3", id="nameservers"),
    pytest.param(
        Resolver((), ("a." * 127, "b.c")), Resolver((), ("b.c",)),
        "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: b.c", id="a long search path"),
])
def test_what_resolvers_cannot_take_is_left_out_and_told(resolver: Resolver, fits: Resolver, warning: str) -> None:
    assert fit_limits(resolver) == (fits, [warning])


def test_pods_of_the_hosts_network_have_aliases_too() -> None:
    text = node_hosts_file("127.0.0.1 localhost\n", [HostAlias(ip="1.2.3.4", hostnames=("foo",))])

    assert text.splitlines() == [
        "# Kubernetes-managed hosts file (host network).", "127.0.0.1 localhost", "", "# Entries added by HostAliases.", "1.2.3.4\tfoo"]
