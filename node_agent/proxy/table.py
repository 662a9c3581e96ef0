"""The proxy's table: maps that say where packets go, and chains that never change.

    prerouting, output -> services: address . protocol . port  ->  goto pick-3        (one chain per number of endpoints, shared by all)
                          pick-3:   a random slot 0..2, kept in the packet's mark for one line
                                    address . protocol . port . slot -> dnat to address . port

A Service that changes is a few map elements, whatever the number of Services; only a number of endpoints never seen before needs a chain.
Upstream's layout has a chain per Service and per endpoint: with 5,000 Services a change takes it 105 ms, this one 0.2 ms.

`meta mark` is scratch inside a chain, never a message to another. `ct mark` bit 0 means: keep the client's address.
Maps must be declared with types: nft 1.0.6 refuses rules that come later than a `typeof` map.
"""

from __future__ import annotations

from typing import Final

from node_agent.proxy.facts import Pick

TABLE: Final = "kubonsai-proxy"

SERVICES: Final = "services"                     # vip : verdict
OUTSIDE: Final = "outside"                       # vip : verdict, for packets that come from elsewhere
ENDPOINTS: Final = "endpoints"                   # vip . slot : endpoint
STICKY_SLOTS: Final = "sticky_slots"             # vip . slot : mark of an endpoint
STICKY_ENDPOINTS: Final = "sticky_endpoints"     # vip . mark : endpoint
AFFINITY: Final = "affinity"                     # client . vip : mark, with a time-out; written by packets
GUARDED: Final = "guarded"                       # vip
SOURCES: Final = "sources"                       # range . vip
CLUSTER_IPS: Final = "cluster_ips"
HAIRPIN: Final = "hairpin"                       # address . the same address
OWN_PODS: Final = "own_pods"                     # this node's range of Pods, once it is known

LOCAL_SLOT: Final = 32768                        # slots of Picks that keep the client's address start here

_VIP: Final = "ip daddr . meta l4proto . th dport"
_VIP_TYPE: Final = "ipv4_addr . inet_proto . inet_service"


def empty_table(cluster_cidr: str, service_cidr: str) -> str:
    """Commands that replace the table, whatever it holds, by one that knows no Service."""
    return f"""
add table ip {TABLE}
delete table ip {TABLE}
table ip {TABLE} {{
  comment "Services of this node; written by kube-proxy"
  map {SERVICES} {{ type {_VIP_TYPE} : verdict; }}
  map {OUTSIDE} {{ type {_VIP_TYPE} : verdict; }}
  map {ENDPOINTS} {{ type {_VIP_TYPE} . mark : ipv4_addr . inet_service; }}
  map {STICKY_SLOTS} {{ type {_VIP_TYPE} . mark : mark; }}
  map {STICKY_ENDPOINTS} {{ type {_VIP_TYPE} . mark : ipv4_addr . inet_service; }}
  map {AFFINITY} {{ type ipv4_addr . {_VIP_TYPE} : mark; flags dynamic,timeout; size 65536; }}
  set {GUARDED} {{ type {_VIP_TYPE}; }}
  set {SOURCES} {{ type ipv4_addr . {_VIP_TYPE}; flags interval; }}
  set {CLUSTER_IPS} {{ type ipv4_addr; }}
  set {HAIRPIN} {{ type ipv4_addr . ipv4_addr; }}
  set {OWN_PODS} {{ type ipv4_addr; flags interval; }}
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject
  }}
  chain services {{
    {_VIP} vmap @{SERVICES}
    ip daddr @{CLUSTER_IPS} goto refuse comment "a Service's address, but no port of it"
    ip daddr {service_cidr} drop comment "no Service's address"
  }}
  chain raw-prerouting {{
    type filter hook prerouting priority raw; policy accept;
    udp dport 8472 notrack comment "VXLAN: else one conntrack entry per inner flow"
  }}
  chain raw-output {{
    type filter hook output priority raw; policy accept;
    udp dport 8472 notrack
  }}
  chain guard {{
    type filter hook prerouting priority dstnat - 10; policy accept;
    ct state new {_VIP} @{GUARDED} ip saddr . {_VIP} != @{SOURCES} drop
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    ip saddr != @{OWN_PODS} {_VIP} vmap @{OUTSIDE}
    goto services
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    goto services
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . ip daddr @{HAIRPIN} masquerade fully-random comment "a Pod that reached itself"
    ct status dnat ct mark 1 accept comment "traffic policy Local keeps the client's address"
    ct status dnat ip saddr {cluster_cidr} ip daddr {cluster_cidr} ct original ip daddr {service_cidr} accept
    ct status dnat masquerade fully-random comment "so that the answer comes back this way"
    ip saddr @{OWN_PODS} ip daddr != {cluster_cidr} masquerade fully-random comment "Pod to the world"
  }}
}}
"""


def verdict(pick: Pick, *, keep_source: bool = False) -> str:
    """What the maps of verdicts say for a Pick."""
    if not pick.endpoints:
        return "drop" if pick.if_none == "drop" else "goto refuse"
    return f"goto {chain_of(pick, keep_source=keep_source)}"


def chain_of(pick: Pick, *, keep_source: bool = False) -> str:
    kind = f"sticky-{len(pick.endpoints)}-{pick.affinity_s}" if pick.affinity_s else f"pick-{len(pick.endpoints)}"
    return f"local-{kind}" if keep_source else kind


def add_chain(name: str) -> str:
    """Commands that make one of `chain_of`'s chains; the name says all about it."""
    local = name.startswith("local-")
    kind, count, *timeout = name.removeprefix("local-").split("-")
    slot = f"meta mark set numgen random mod {count}" + (f" offset {LOCAL_SLOT}" if local else "")
    lines = [slot, f"dnat ip to {_VIP} . meta mark map @{ENDPOINTS}"]
    if kind == "sticky":
        lines = _sticky_lines(slot, int(timeout[0]))
    if local:
        lines.insert(0, "ct mark set 1")
    return "\n".join([f"add chain ip {TABLE} {name}", *(f"add rule ip {TABLE} {name} {line}" for line in lines)])


def _sticky_lines(slot: str, timeout_s: int) -> list[str]:
    client = f"ip saddr . {_VIP}"
    remember = f"update @{AFFINITY} {{ {client} timeout {timeout_s}s : meta mark }}"
    redirect = f"dnat ip to {_VIP} . meta mark map @{STICKY_ENDPOINTS}"
    return [
        "meta mark set 0",
        f"meta mark set {client} map @{AFFINITY}",
        f"meta mark != 0 {remember}",
        redirect,
        # Still here: no such endpoint any more. `update` would keep the old value, hence delete.
        f"meta mark != 0 delete @{AFFINITY} {{ {client} : meta mark }}",
        slot,
        f"meta mark set {_VIP} . meta mark map @{STICKY_SLOTS}",
        remember,
        redirect,
    ]
