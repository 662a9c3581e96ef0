"""What the kernel holds of every Service, and changes to it as nftables commands.

A change is the difference of two sets of map elements, the held ones and the wanted ones. An endpoint keeps its slot as long as it can, so
that the difference stays small: a replaced endpoint is one element, a removed one leaves its slot to the last.

The ledger is changed when a transaction is *made*; if the kernel then refuses it, the ledger is thrown away and the table written anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from kube.apimachinery.meta import NamespacedName
from node_agent.proxy import table
from node_agent.proxy.facts import NOTHING, Endpoint, Pick, Route, ServiceFacts, Vip
from node_agent.proxy.table import TABLE


class Element(NamedTuple):
    where: str            # the map or set
    key: str


Elements = dict[Element, str]       # to its data; "" in sets


class Change(NamedTuple):
    service: NamespacedName
    old: ServiceFacts
    new: ServiceFacts


class Transaction:
    """Element changes of several Services, to be applied at once."""

    def __init__(self) -> None:
        self._gone: dict[str, list[str]] = defaultdict(list)
        self._new: dict[str, list[str]] = defaultdict(list)
        self._chains: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._gone or self._new)

    def add_chain(self, name: str) -> None:
        self._chains.append(name)

    def replace(self, held: Mapping[Element, str], wanted: Mapping[Element, str]) -> None:
        # A key whose data changes must be deleted first: adding it over the old data is refused (EEXIST).
        for element, data in held.items():
            if wanted.get(element) != data:
                self._gone[element.where].append(element.key)
        for element, data in wanted.items():
            if held.get(element) != data:
                self._new[element.where].append(f"{element.key} : {data}" if data else element.key)

    def text(self) -> str:
        """Chains first, since verdicts name them; deletions before additions, since a key may be in both."""
        return "\n".join((
            *(table.add_chain(name) for name in self._chains),
            *(f"delete element ip {TABLE} {where} {{ {', '.join(keys)} }}" for where, keys in self._gone.items()),
            *(f"add element ip {TABLE} {where} {{ {', '.join(keys)} }}" for where, keys in self._new.items()),
        ))


class Ledger:
    def __init__(self) -> None:
        self._held: dict[NamespacedName, ServiceFacts] = {}
        self._owner: dict[Vip, NamespacedName] = {}
        self._rivals: dict[Vip, set[NamespacedName]] = defaultdict(set)
        self._cluster_ips: Counter[str] = Counter()
        self._local: Counter[str] = Counter()
        self._chains: set[str] = set()

    def held(self, service: NamespacedName) -> ServiceFacts:
        return self._held.get(service, NOTHING)

    def change(self, plans: Mapping[NamespacedName, ServiceFacts]) -> tuple[Transaction, list[Change]]:
        """The transaction that takes the kernel from what it holds of these Services to their plans, and what it changes.

        A Vip belongs to the Service that had it first; another that claims it too gets it when it is free, in the same transaction even.
        """
        transaction = Transaction()
        changed: list[Change] = []
        cluster_ips, local = Counter[str](), Counter[str]()
        for service, plan in plans.items():
            self._release(service, plan)
        for service, plan in plans.items():
            old = self.held(service)
            new = self._claim(service, plan, old)
            if new == old:
                continue
            self._need_chains(transaction, new)
            transaction.replace(elements(old), elements(new))
            _count(cluster_ips, old.cluster_ips, new.cluster_ips)
            _count(local, old.local, new.local)
            self._hold(service, new)
            changed.append(Change(service, old, new))
        _recount(transaction, self._cluster_ips, cluster_ips, lambda address: Element(table.CLUSTER_IPS, address))
        _recount(transaction, self._local, local, lambda address: Element(table.HAIRPIN, f"{address} . {address}"))
        return transaction, changed

    def waiting_for(self, service: NamespacedName, plan: ServiceFacts) -> set[NamespacedName]:
        """Services that claim a Vip which this one holds and the plan gives up: to be planned together with it."""
        gone = self.held(service).routes.keys() - plan.routes.keys()
        return {rival for vip in gone for rival in self._rivals.get(vip, ()) if rival != service}

    def _release(self, service: NamespacedName, plan: ServiceFacts) -> None:
        for vip in self.held(service).routes.keys() - plan.routes.keys():
            del self._owner[vip]
        for vip in [vip for vip, rivals in self._rivals.items() if service in rivals and vip not in plan.routes]:
            self._rivals[vip].discard(service)

    def _claim(self, service: NamespacedName, plan: ServiceFacts, old: ServiceFacts) -> ServiceFacts:
        routes = {}
        for vip, route in plan.routes.items():
            if self._owner.setdefault(vip, service) == service:
                routes[vip] = deal(old.routes.get(vip), route)
            else:
                self._rivals[vip].add(service)
        return plan._replace(routes=routes)

    def _need_chains(self, transaction: Transaction, facts: ServiceFacts) -> None:
        for name in chains(facts):
            if name not in self._chains:
                self._chains.add(name)
                transaction.add_chain(name)

    def _hold(self, service: NamespacedName, facts: ServiceFacts) -> None:
        if facts == NOTHING:
            self._held.pop(service, None)
        else:
            self._held[service] = facts


def deal(held: Route | None, wanted: Route) -> Route:
    """The wanted route with its endpoints in the order of their slots: who has one keeps it where possible."""
    if held is None:
        return wanted
    inside = wanted.inside._replace(endpoints=_slots(held.inside.endpoints, wanted.inside.endpoints))
    if wanted.outside is None or held.outside is None:
        return wanted._replace(inside=inside)
    outside = wanted.outside._replace(endpoints=_slots(held.outside.endpoints, wanted.outside.endpoints))
    return wanted._replace(inside=inside, outside=outside)


def _slots(held: tuple[Endpoint, ...], wanted: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    before, after = set(held), set(wanted)
    new = [endpoint for endpoint in wanted if endpoint not in before]
    slots: list[Endpoint | None] = [endpoint if endpoint in after else None for endpoint in held]
    for slot, endpoint in enumerate(slots):
        if endpoint is None and new:
            slots[slot] = new.pop(0)
    slots.extend(new)
    while None in slots:
        last = slots.pop()
        if last is not None:
            slots[slots.index(None)] = last
    return tuple(endpoint for endpoint in slots if endpoint is not None)


def chains(facts: ServiceFacts) -> Iterator[str]:
    """The chains that the verdicts of these facts name."""
    for route in facts.routes.values():
        if route.inside.endpoints:
            yield table.chain_of(route.inside)
        if route.outside is not None and route.outside.endpoints:
            yield table.chain_of(route.outside, keep_source=True)


def elements(facts: ServiceFacts) -> Elements:
    """The map elements of one Service, without those that Services may share."""
    found: Elements = {}
    for vip, route in facts.routes.items():
        key = str(vip)
        found[Element(table.SERVICES, key)] = table.verdict(route.inside)
        found.update(_slot_elements(key, route.inside, first=0))
        if route.outside is not None:
            found[Element(table.OUTSIDE, key)] = table.verdict(route.outside, keep_source=True)
            found.update(_slot_elements(key, route.outside, first=table.LOCAL_SLOT))
        if route.sources is not None:
            found[Element(table.GUARDED, key)] = ""
            found.update({Element(table.SOURCES, f"{source} . {key}"): "" for source in route.sources})
    return found


def _slot_elements(key: str, pick: Pick, *, first: int) -> Elements:
    found: Elements = {}
    for slot, endpoint in enumerate(pick.endpoints, first):
        if pick.affinity_s:
            found[Element(table.STICKY_SLOTS, f"{key} . {slot}")] = f"{endpoint.mark:#010x}"
            found[Element(table.STICKY_ENDPOINTS, f"{key} . {endpoint.mark:#010x}")] = str(endpoint)
        else:
            found[Element(table.ENDPOINTS, f"{key} . {slot}")] = str(endpoint)
    return found


def _count(changes: Counter[str], gone: Iterable[str], new: Iterable[str]) -> None:
    changes.subtract(gone)
    changes.update(new)


def _recount(transaction: Transaction, total: Counter[str], changes: Counter[str], element: Callable[[str], Element]) -> None:
    """For elements that Services share: there as long as one of them counts it."""
    held = {element(item): "" for item in changes if total[item] > 0}
    total.update(changes)
    transaction.replace(held, {element(item): "" for item in changes if total[item] > 0})
    for item in [item for item in changes if not total[item]]:
        del total[item]
