"""Addresses of a node's Pods."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube.api.core_v1 import Node, NodeAddress, NodeSpec, NodeStatus
from kube.api.meta_v1 import ObjectMeta
from netns.overlay import Peer
from node_agent.kubelet.network import host_veth_name, peers_of
from node_agent.kubelet.network_addresses import AddressesExhaustedError, AddressPool

CIDR = "10.244.1.0/29"        # six usable addresses


def test_addresses_are_dealt_in_order_without_the_first_and_the_last(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, CIDR)
    assert [pool.hold(f"pod{number}") for number in range(6)] == [f"10.244.1.{number}" for number in range(1, 7)]


def test_holder_keeps_its_address_also_over_a_restart(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, CIDR)
    held = {holder: pool.hold(holder) for holder in ("a", "b", "c")}

    again = AddressPool(tmp_path, CIDR)

    assert {holder: again.hold(holder) for holder in ("c", "b", "a")} == held
    assert again.holders() == ["a", "b", "c"]


def test_freed_address_rests_until_all_others_were_dealt(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, CIDR)
    assert pool.hold("a") == "10.244.1.1"
    pool.release("a")

    later = [AddressPool(tmp_path, CIDR).hold(f"pod{number}") for number in range(6)]

    assert later == ["10.244.1.2", "10.244.1.3", "10.244.1.4", "10.244.1.5", "10.244.1.6", "10.244.1.1"]


def test_full_range_is_named(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, CIDR)
    for number in range(6):
        pool.hold(f"pod{number}")

    with pytest.raises(AddressesExhaustedError, match=r"no addresses available in range 10\.244\.1\.0/29"):
        pool.hold("one more")
    pool.release("pod3")
    assert pool.hold("one more") == "10.244.1.4"


def test_release_is_idempotent(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, CIDR)
    pool.hold("a")
    pool.release("a")
    pool.release("a")
    assert pool.holders() == []


def test_interface_names_fit_the_kernel() -> None:
    name = host_veth_name("2f1c1b4e-0000-4000-8000-000000000000")
    assert len(name) == 15
    assert name == host_veth_name("2f1c1b4e-0000-4000-8000-000000000000") != host_veth_name("2f1c1b4e-0000-4000-8000-000000000001")


def node(name: str, address: str = "", pod_cidr: str = "") -> Node:
    addresses = (NodeAddress(type="Hostname", address=name), NodeAddress(type="InternalIP", address=address)) if address else ()
    return Node(metadata=ObjectMeta(name=name), spec=NodeSpec(pod_cidr=pod_cidr), status=NodeStatus(addresses=addresses))


def test_peers_are_the_other_nodes_that_are_complete() -> None:
    nodes = [
        node("node1", "172.30.0.11", "10.244.1.0/24"),
        node("node2", "172.30.0.12", "10.244.2.0/24"),
        node("node3", "172.30.0.13"),
        node("node4", pod_cidr="10.244.4.0/24"),
    ]
    assert peers_of(nodes, "node1") == [Peer("172.30.0.12", "10.244.2.0/24")]
