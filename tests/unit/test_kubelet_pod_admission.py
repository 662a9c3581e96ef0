"""What a node refuses to run."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Container, Pod, PodSecurityContext, PodSpec, Sysctl
from kube.api.meta_v1 import ObjectMeta
from node_agent.kubelet.pod_admission import refusal_of
from node_agent.kubelet.sysctls import canonical_sysctl


def pod(*names: str, host_network: bool = False) -> Pod:
    sysctls = tuple(Sysctl(name=name, value="1") for name in names)
    return Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(
        containers=(Container(name="c"),), host_network=host_network, security_context=PodSecurityContext(sysctls=sysctls)))


@pytest.mark.parametrize(("names", "message"), [
    pytest.param((), None, id="none"),
    pytest.param(("net.ipv4.tcp_syncookies", "kernel.shm_rmid_forced"), None, id="safe"),
    pytest.param(("net/ipv4/tcp_syncookies",), None, id="safe, with slashes"),
    pytest.param(("vm.page-cluster",), 'forbidden sysctl: "vm.page-cluster" not allowlisted', id="the machine's"),
    pytest.param(("net.core.somaxconn",), 'forbidden sysctl: "net.core.somaxconn" not allowlisted', id="unsafe"),
    pytest.param(("/etc/passwd",), 'forbidden sysctl: ".etc.passwd" not allowlisted', id="no sysctl at all"),
])
def test_only_safe_sysctls_are_taken(names: tuple[str, ...], message: str | None) -> None:
    refusal = refusal_of(pod(*names))

    assert (refusal.message if refusal else None) == message


def test_sysctls_of_the_network_need_a_network_of_ones_own() -> None:
    refusal = refusal_of(pod("net.ipv4.tcp_syncookies", host_network=True))

    assert refusal is not None
    assert refusal == ("SysctlForbidden", 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled')


def test_separators_change_places_when_the_first_is_a_slash() -> None:
    assert canonical_sysctl("net/ipv4/conf/eno2.100/rp_filter") == "net.ipv4.conf.eno2/100.rp_filter"
    assert canonical_sysctl("net.ipv4.conf.eno2/100.rp_filter") == "net.ipv4.conf.eno2/100.rp_filter"
