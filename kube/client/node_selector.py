"""Whether a node fulfils a NodeSelector, e.g. a volume's. Follows component-helpers/scheduling/corev1/nodeaffinity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kube.api.core_v1 import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, VolumeNodeAffinity


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node as selectors see it."""

    name: str
    labels: Mapping[str, str]


def reaches(node: NodePlace, affinity: VolumeNodeAffinity | None) -> bool:
    """The node can use a volume with this affinity."""
    return affinity is None or affinity.required is None or selects(affinity.required, node)


def selects(selector: NodeSelector, node: NodePlace) -> bool:
    """One of the terms holds; a term without any requirement never does."""
    return any(_term_holds(term, node) for term in selector.node_selector_terms)


def _term_holds(term: NodeSelectorTerm, node: NodePlace) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.name}
    return all(_holds(wanted, node.labels) for wanted in term.match_expressions) and all(
        _holds(wanted, fields) for wanted in term.match_fields)


def _holds(wanted: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    held = labels.get(wanted.key)
    match wanted.operator:
        case "In":
            return held in wanted.values
        case "NotIn":
            return held not in wanted.values
        case "Exists":
            return held is not None
        case "DoesNotExist":
            return held is None
        case "Gt" | "Lt":
            return held is not None and _compares(held, wanted.operator, wanted.values)
        case _:
            return False


def _compares(held: str, operator: str, values: Sequence[str]) -> bool:
    try:
        left, right = int(held), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
