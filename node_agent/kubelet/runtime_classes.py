"""RuntimeClasses: which handler runs a Pod. There is one here, runc; containerd has it under the same name, and as the default."""

from __future__ import annotations

from typing import Final

from kube.api.core_v1 import NodeFeatures, NodeRuntimeHandler, NodeRuntimeHandlerFeatures, Pod
from kube.api.node_v1 import RuntimeClass
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_status
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from node_agent.runtime.model import RuntimeServiceError

HANDLERS: Final = ("", "runc")
NODE_FEATURES: Final = NodeFeatures(supplemental_groups_policy=True)
# Of v1.37's features those that a change of a Pod may need, and that are on by default and made here.
DECLARED_FEATURES: Final = (
    "InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingInitContainers", "RestartAllContainersOnContainerExits",
)


def runtime_handlers(*, user_namespaces: bool) -> tuple[NodeRuntimeHandler, ...]:
    """As the Node's status shows them."""
    features = NodeRuntimeHandlerFeatures(recursive_read_only_mounts=True, user_namespaces=user_namespaces)
    return tuple(NodeRuntimeHandler(name=name, features=features) for name in HANDLERS)


async def check_runtime_class(client: Client, pod: Pod) -> None:
    """Raises RuntimeServiceError for a class that is not there, or whose handler is none of ours; the class may come later."""
    name = pod.spec.runtime_class_name
    if not name:
        return
    try:
        handler = (await client.get(RuntimeClass, NamespacedName("", name))).handler
    except errors.NotFound as error:
        raise RuntimeServiceError(str(error)) from error
    except errors.ApiError as error:
        raise RuntimeServiceError(f"failed to lookup RuntimeClass {name}: {error}") from error
    if handler not in HANDLERS:
        reason = f'failed to get sandbox runtime: no runtime for "{handler}" is configured'
        raise RuntimeServiceError(go_status("UNKNOWN", reason))
