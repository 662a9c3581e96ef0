"""New Nodes: provider id, labels and addresses of their machine; then the taint that kept Pods away goes.

Follows upstream's cloud node controller.
"""

from __future__ import annotations

import msgspec

from control_plane.cloud.addresses import UNINITIALIZED, contradiction, set_addresses
from control_plane.cloud.machines import Cloud, CloudError, Machine
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.core_v1 import Node
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of


def labels_of(machine: Machine) -> dict[str, str]:
    labels = {
        "topology.kubernetes.io/zone": machine.zone,
        "topology.kubernetes.io/region": machine.region,
        "node.kubernetes.io/instance-type": machine.instance_type,
    }
    return {name: value for name, value in labels.items() if value}


def initialised(node: Node, machine: Machine) -> Node:
    return msgspec.structs.replace(
        node,
        metadata=msgspec.structs.replace(node.metadata, labels={**node.metadata.labels, **labels_of(machine)}),
        spec=msgspec.structs.replace(
            node.spec,
            provider_id=node.spec.provider_id or machine.provider_id,
            taints=tuple(taint for taint in node.spec.taints if taint.key != UNINITIALIZED),
        ),
    )


class NodeInitialiser(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, cloud: Cloud) -> None:
        super().__init__("cloud-node", context)
        self._cloud = cloud
        self._nodes = self.informer(Node)
        self._nodes.add_handler(self._on_node, lambda _old, new: self._on_node(new))

    def _on_node(self, node: Node) -> None:
        if _is_new(node):
            self.queue.add(key_of(node))

    async def reconcile(self, key: NamespacedName) -> Result:
        try:
            node = await self.client.get(Node, key)     # the store may not know yet that this is done
        except errors.NotFound:
            return DONE
        if not _is_new(node):
            return DONE
        try:
            machine = (await self._cloud.machines()).get(key.name)
        except CloudError as error:
            raise errors.ServiceUnavailable(str(error)) from error
        if machine is None:
            raise errors.ServiceUnavailable(f"node {key.name}: no such machine")
        if reason := contradiction(node, machine):
            raise errors.ServiceUnavailable(f"node {key.name}: {reason}")
        await set_addresses(self.client, node, machine)
        # Last, because Pods come as soon as the taint is gone.
        await self.client.guaranteed_update(Node, key, lambda held: initialised(held, machine))
        self.events.event(node, "Normal", "Synced", "Node synced successfully")
        self.log.info("initialised node", node=key.name, provider_id=machine.provider_id)
        return DONE


def _is_new(node: Node) -> bool:
    return any(taint.key == UNINITIALIZED for taint in node.spec.taints)
