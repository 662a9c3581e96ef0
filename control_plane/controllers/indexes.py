"""Indexes that several controllers keep on one shared store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kube.api.core_v1 import Pod
from kube.client.informer import Informer
from kube.client.objects import ApiObject, T, controller_of

BY_CONTROLLER: Final = "by controller uid"
ORPHANS: Final = "without controller, by namespace"
BY_NODE: Final = "by node name"


def index_by_owner(informer: Informer[T]) -> None:
    """`BY_CONTROLLER`: what a controller owns; `ORPHANS`: what it may adopt in a namespace."""
    informer.add_index(BY_CONTROLLER, _controller_uid)
    informer.add_index(ORPHANS, _orphan_namespace)


def index_by_node(informer: Informer[Pod]) -> None:
    informer.add_index(BY_NODE, _node_name)


def _controller_uid(obj: ApiObject) -> Iterable[str]:
    owner = controller_of(obj)
    return () if owner is None else (owner.uid,)


def _orphan_namespace(obj: ApiObject) -> Iterable[str]:
    return (obj.metadata.namespace,) if controller_of(obj) is None else ()


def _node_name(pod: Pod) -> Iterable[str]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()
