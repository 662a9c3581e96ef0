"""Whether a Pod that was bound to this node fits on it, pure: resources, affinity, ports, taints. Follows the kubelet's predicates.

The scheduler asks the same before it binds; here it matters for Pods that others bound, and for two that met. Critical Pods take the
place of others (pkg/kubelet/preemption).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kube.api.core_v1 import Node, Pod, Taint, Toleration
from kube.apimachinery.quantity import Quantity
from kube.client.node_selector import NodePlace, selects
from node_agent.kubelet.pod_admission import Refusal
from node_agent.kubelet.resources import BEST_EFFORT, BURSTABLE, is_critical, is_sidecar, pod_amounts, qos_class

NATIVE = ("cpu", "memory", "ephemeral-storage")
QOS_ORDER = {BEST_EFFORT: 0, BURSTABLE: 1}


def misfit(pod: Pod, others: Sequence[Pod], node: Node, allocatable: Mapping[str, str], *, static: bool = False) -> Refusal | None:
    """`others`: the Pods that run here, or are to."""
    for reason in _reasons(pod, others, node, allocatable, static=static):
        return reason
    return None


def victims(pod: Pod, others: Sequence[Pod], node: Node, allocatable: Mapping[str, str], *, static: bool = False) -> list[Pod]:
    """Whom a critical Pod that lacks only resources takes the place of: as few as can be, best-effort before burstable before guaranteed.

    Empty: nobody, or it would not help.
    """
    reasons = list(_reasons(pod, others, node, allocatable, static=static))
    if not is_critical(pod) or not reasons or any(not reason.reason.startswith("OutOf") for reason in reasons):
        return []
    candidates = sorted((other for other in others if not is_critical(other)), key=_value)
    chosen: list[Pod] = []
    for candidate in candidates:
        chosen.append(candidate)
        if misfit(pod, _without(others, chosen), node, allocatable, static=static) is None:
            break
    else:
        return []
    for spared in reversed(chosen[:-1]):                      # the earlier ones may no longer be needed
        rest = [each for each in chosen if each is not spared]
        if misfit(pod, _without(others, rest), node, allocatable, static=static) is None:
            chosen = rest
    return chosen


def _without(pods: Sequence[Pod], gone: Sequence[Pod]) -> list[Pod]:
    uids = {pod.metadata.uid for pod in gone}
    return [pod for pod in pods if pod.metadata.uid not in uids]


def _value(pod: Pod) -> tuple[int, int, int]:
    amounts = pod_amounts(pod, "requests")
    return QOS_ORDER.get(qos_class(pod), 2), pod.spec.priority or 0, -_amount(amounts, "memory")


def _reasons(pod: Pod, others: Sequence[Pod], node: Node, allocatable: Mapping[str, str], *, static: bool) -> Iterator[Refusal]:
    yield from _insufficient(pod, others, allocatable)
    if not _affine(pod, node):
        yield _failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if pod.spec.node_name and pod.spec.node_name != node.metadata.name:
        yield _failed("NodeName", "node(s) didn't match the requested node name")
    wanted = list(_host_ports(pod))
    taken = {port for other in others for port in _host_ports(other)} if wanted else set()
    if any(_conflicts(port, taken) for port in wanted):
        yield _failed("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    if not static and any(taint.effect == "NoExecute" and not _tolerated(taint, pod.spec.tolerations) for taint in node.spec.taints):
        yield _failed("TaintToleration", "node(s) had taints that the pod didn't tolerate")


def _failed(predicate: str, why: str) -> Refusal:
    return Refusal(predicate, f"Predicate {predicate} failed: {why}")


def _insufficient(pod: Pod, others: Sequence[Pod], allocatable: Mapping[str, str]) -> Iterator[Refusal]:
    room = int(Quantity.parse(allocatable.get("pods", "0")).value())
    if len(others) + 1 > room:
        yield _out_of("pods", 1, len(others), room)
    wanted = pod_amounts(pod, "requests")
    held = [pod_amounts(other, "requests") for other in others] if any(wanted.values()) else []
    for name in (*NATIVE, *sorted(wanted.keys() - set(NATIVE))):
        amount = _amount(wanted, name)
        if not amount or (name not in NATIVE and name not in allocatable):      # of the cluster, not of this node
            continue
        used, capacity = sum(_amount(amounts, name) for amounts in held), _amount({name: Quantity.parse(allocatable.get(name, "0"))}, name)
        if amount + used > capacity:
            yield _out_of(name, amount, used, capacity)


def _out_of(name: str, requested: int, used: int, capacity: int) -> Refusal:
    text = f"Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Refusal(f"OutOf{name}", text)


def _amount(amounts: Mapping[str, Quantity], name: str) -> int:
    """CPU in thousandths."""
    amount = amounts.get(name)
    if amount is None:
        return 0
    return int(amount.milli_value() if name == "cpu" else amount.value())


def _affine(pod: Pod, node: Node) -> bool:
    labels = node.metadata.labels
    if any(labels.get(name) != value for name, value in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return required is None or selects(required, NodePlace(node.metadata.name, labels))


def _host_ports(pod: Pod) -> Iterator[tuple[str, str, int]]:
    for container in (*pod.spec.containers, *filter(is_sidecar, pod.spec.init_containers)):
        for port in container.ports:
            if port.host_port:
                yield port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port


def _conflicts(port: tuple[str, str, int], taken: Iterable[tuple[str, str, int]]) -> bool:
    every = "0.0.0.0"
    return any(other[1:] == port[1:] and (other[0] == port[0] or every in (other[0], port[0])) for other in taken)


def _tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    return any(
        (not toleration.effect or toleration.effect == taint.effect)
        and (not toleration.key or toleration.key == taint.key)
        and (toleration.operator == "Exists" or (toleration.operator in ("", "Equal") and toleration.value == taint.value))
        for toleration in tolerations
    )
