"""Topology spread constraints, read once from a Pod's spec; upstream's system defaults. Pure.

    skew of a domain = its matching Pods (the new one included) - those of the emptiest eligible domain  <=  maxSkew
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kube.api.core_v1 import Pod, TopologySpreadConstraint
from kube.apimachinery.labels import Selector, selector_from_label_selector, selector_from_set

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
HONOR = "Honor"


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """`required`: DoNotSchedule, else ScheduleAnyway. The defaults are the API's for fields left out."""

    topology_key: str
    max_skew: int
    selector: Selector
    required: bool
    min_domains: int = 1
    honors_affinity: bool = True        # Nodes that the Pod's node selector or affinity excludes are no domains
    honors_taints: bool = False         # nor those with taints that the Pod does not tolerate


# Both are wishes: a Pod without constraints of its own is never kept waiting by them. Upstream's systemDefaultConstraints.
SYSTEM_DEFAULTS: Final = ((HOSTNAME, 3), (ZONE, 5))


def spread_constraints(pod: Pod) -> tuple[SpreadConstraint, ...]:
    """Those of the spec. Raises SelectorError."""
    return tuple(_constraint(each, pod.metadata.labels) for each in pod.spec.topology_spread_constraints)


def system_defaults(selector: Selector) -> tuple[SpreadConstraint, ...]:
    return tuple(SpreadConstraint(key, max_skew, selector, required=False) for key, max_skew in SYSTEM_DEFAULTS)


def _constraint(constraint: TopologySpreadConstraint, labels: Mapping[str, str]) -> SpreadConstraint:
    selector = selector_from_label_selector(constraint.label_selector)
    own = {key: labels[key] for key in constraint.match_label_keys if key in labels}
    if own:
        selector = Selector(tuple(dict.fromkeys((*selector.requirements, *selector_from_set(own).requirements))))
    return SpreadConstraint(
        constraint.topology_key, constraint.max_skew or 1, selector,
        required=constraint.when_unsatisfiable != "ScheduleAnyway",
        min_domains=constraint.min_domains or 1,
        honors_affinity=constraint.node_affinity_policy in ("", HONOR),
        honors_taints=constraint.node_taints_policy == HONOR,
    )
