"""From facts to nftables commands: small differences, slots that stay, addresses with one owner."""

from __future__ import annotations

import random

import pytest

from kube.apimachinery.meta import NamespacedName
from netns.conntrack import Socket
from node_agent.proxy import stale
from node_agent.proxy.facts import NOTHING, Endpoint, Pick, Route, ServiceFacts, Vip
from node_agent.proxy.ledger import Ledger, Transaction, deal, elements
from node_agent.proxy.table import add_chain

WEB, OTHER = NamespacedName("default", "web"), NamespacedName("default", "other")
VIP = Vip("10.96.0.80", "tcp", 80)


def endpoints(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(f"10.244.1.{number}", 8080) for number in numbers)


def facts(*numbers: int, vip: Vip = VIP, affinity_s: int = 0) -> ServiceFacts:
    return ServiceFacts({vip: Route(Pick(endpoints(*numbers), affinity_s))}, (vip.address,))


def commands(transaction: Transaction) -> list[str]:
    return [line.replace(" ip kubonsai-proxy", "") for line in transaction.text().splitlines()]


def test_new_service_brings_its_chain_and_elements() -> None:
    transaction, _ = Ledger().change({WEB: facts(1, 2)})

    assert commands(transaction) == [
        "add chain pick-2",
        "add rule pick-2 meta mark set numgen random mod 2",
        "add rule pick-2 dnat ip to ip daddr . meta l4proto . th dport . meta mark map @endpoints",
        "add element services { 10.96.0.80 . tcp . 80 : goto pick-2 }",
        "add element endpoints { 10.96.0.80 . tcp . 80 . 0 : 10.244.1.1 . 8080, 10.96.0.80 . tcp . 80 . 1 : 10.244.1.2 . 8080 }",
        "add element cluster_ips { 10.96.0.80 }",
    ]


def test_replaced_endpoint_is_one_element() -> None:
    ledger = Ledger()
    ledger.change({WEB: facts(1, 2, 3)})

    transaction, _ = ledger.change({WEB: facts(1, 3, 4)})

    assert commands(transaction) == [
        "delete element endpoints { 10.96.0.80 . tcp . 80 . 1 }",
        "add element endpoints { 10.96.0.80 . tcp . 80 . 1 : 10.244.1.4 . 8080 }",
    ]


def test_removed_endpoint_leaves_its_slot_to_the_last() -> None:
    ledger = Ledger()
    ledger.change({WEB: facts(1, 2, 3, 4), OTHER: facts(1, 2, 3, vip=Vip("10.96.0.81", "tcp", 80))})

    transaction, _ = ledger.change({WEB: facts(2, 3, 4)})

    assert commands(transaction) == [
        "delete element services { 10.96.0.80 . tcp . 80 }",
        "delete element endpoints { 10.96.0.80 . tcp . 80 . 0, 10.96.0.80 . tcp . 80 . 3 }",
        "add element services { 10.96.0.80 . tcp . 80 : goto pick-3 }",
        "add element endpoints { 10.96.0.80 . tcp . 80 . 0 : 10.244.1.4 . 8080 }",
    ]


def test_unchanged_service_is_no_transaction() -> None:
    ledger = Ledger()
    ledger.change({WEB: facts(1, 2)})

    transaction, changes = ledger.change({WEB: facts(1, 2), OTHER: NOTHING})

    assert not transaction
    assert changes == []


def test_last_endpoint_gone_refuses_and_deleted_service_leaves_nothing() -> None:
    ledger = Ledger()
    ledger.change({WEB: facts(1)})

    refused, _ = ledger.change({WEB: facts()})
    gone, _ = ledger.change({WEB: NOTHING})

    assert "add element services { 10.96.0.80 . tcp . 80 : goto refuse }" in commands(refused)
    assert commands(gone) == ["delete element services { 10.96.0.80 . tcp . 80 }", "delete element cluster_ips { 10.96.0.80 }"]


def test_hairpin_addresses_stay_while_any_service_has_them() -> None:
    ledger = Ledger()
    local = frozenset({"10.244.1.1"})
    ledger.change({WEB: facts(1)._replace(local=local), OTHER: facts(1, vip=Vip("10.96.0.81", "tcp", 80))._replace(local=local)})

    first, _ = ledger.change({WEB: NOTHING})
    second, _ = ledger.change({OTHER: NOTHING})

    assert not any("hairpin" in line for line in commands(first))
    assert "delete element hairpin { 10.244.1.1 . 10.244.1.1 }" in commands(second)


def test_address_claimed_twice_stays_with_its_first_owner_until_it_is_free() -> None:
    ledger = Ledger()
    ledger.change({WEB: facts(1)})
    ledger.change({OTHER: facts(2)})
    assert ledger.held(OTHER).routes == {}
    assert ledger.waiting_for(WEB, NOTHING) == {OTHER}

    transaction, _ = ledger.change({WEB: NOTHING, OTHER: facts(2)})

    assert "add element endpoints { 10.96.0.80 . tcp . 80 . 0 : 10.244.1.2 . 8080 }" in commands(transaction)
    assert ledger.waiting_for(OTHER, NOTHING) == set()


def test_slots_have_no_gaps_and_move_as_little_as_they_must() -> None:
    dice = random.Random(7)
    held = Route(Pick(()))
    for _ in range(500):
        wanted = endpoints(*dice.sample(range(1, 30), dice.randrange(0, 20)))
        new = deal(held, Route(Pick(wanted)))
        before, after = held.inside.endpoints, new.inside.endpoints
        assert sorted(after) == sorted(wanted)
        gone = len(set(before) - set(after))
        moved = sum(1 for slot, endpoint in enumerate(before[: len(after)]) if after[slot] != endpoint)
        assert moved <= gone
        held = new


def test_sticky_elements_remember_an_endpoint_by_its_address() -> None:
    found = {f"{element.where} {element.key}": data for element, data in elements(facts(1, affinity_s=60)).items()}

    mark = f"{endpoints(1)[0].mark:#010x}"
    assert found == {
        "services 10.96.0.80 . tcp . 80": "goto sticky-1-60",
        "sticky_slots 10.96.0.80 . tcp . 80 . 0": mark,
        f"sticky_endpoints 10.96.0.80 . tcp . 80 . {mark}": "10.244.1.1 . 8080",
    }


def test_marks_of_endpoints_differ_also_on_one_address() -> None:
    some = [Endpoint(f"10.244.{third}.{fourth}", number) for third in range(4) for fourth in range(1, 255) for number in (80, 8080, 9090)]
    marks = {endpoint.mark for endpoint in some}
    assert len(marks) == len(some)
    assert 0 not in marks


@pytest.mark.parametrize(("name", "first"), [
    ("pick-3", "meta mark set numgen random mod 3"),
    ("local-pick-3", "ct mark set 1"),
    ("sticky-3-60", "meta mark set 0"),
    ("local-sticky-3-60", "ct mark set 1"),
])
def test_a_chain_is_made_from_its_name(name: str, first: str) -> None:
    lines = add_chain(name).splitlines()
    assert lines[0] == f"add chain ip kubonsai-proxy {name}"
    assert lines[1] == f"add rule ip kubonsai-proxy {name} {first}"
    assert any("mod 3" in line and ("offset 32768" in line) == name.startswith("local") for line in lines)


DNS = Vip("10.96.0.10", "udp", 53)


@pytest.mark.parametrize(("old", "new", "answering"), [
    pytest.param(facts(1, 2, vip=DNS), facts(2, vip=DNS), {Socket("10.96.0.10", 53): {Socket("10.244.1.2", 8080)}}, id="one gone"),
    pytest.param(facts(1, vip=DNS), NOTHING, {Socket("10.96.0.10", 53): set()}, id="deleted"),
    pytest.param(facts(1, vip=DNS), facts(1, vip=DNS), {}, id="unchanged"),
    pytest.param(facts(1), facts(2), {}, id="tcp"),
])
def test_udp_flows_to_forget(old: ServiceFacts, new: ServiceFacts, answering: dict[Socket, set[Socket]]) -> None:
    assert stale.answering([(old, new)]) == answering
