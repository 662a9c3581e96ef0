"""Reasons of events and waiting states, as pkg/kubelet/events and pkg/kubelet/images spell them; references to containers."""

from __future__ import annotations

from typing import Final

from kube.api.core_v1 import Container, ObjectReference, Pod
from kube.client.events import reference_to

CREATED: Final = "Created"
STARTED: Final = "Started"
FAILED: Final = "Failed"
KILLING: Final = "Killing"
BACK_OFF: Final = "BackOff"
PULLING: Final = "Pulling"
PULLED: Final = "Pulled"
BUILT_IN: Final = "BuiltInImage"               # ours: the image was made on the spot
ERR_IMAGE_NEVER_PULL: Final = "ErrImageNeverPull"
UNHEALTHY: Final = "Unhealthy"
FAILED_MOUNT: Final = "FailedMount"
FAILED_CREATE_POD_CGROUP: Final = "FailedCreatePodContainer"
FAILED_CREATE_SANDBOX: Final = "FailedCreatePodSandBox"
SANDBOX_CHANGED: Final = "SandboxChanged"
FAILED_POST_START: Final = "FailedPostStartHook"
FAILED_PRE_STOP: Final = "FailedPreStopHook"
NETWORK_NOT_READY: Final = "NetworkNotReady"
DNS_CONFIG_FORMING: Final = "DNSConfigForming"
INSPECT_FAILED: Final = "InspectFailed"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"

CONTAINER_CREATING: Final = "ContainerCreating"
POD_INITIALIZING: Final = "PodInitializing"
CRASH_LOOP: Final = "CrashLoopBackOff"
ERR_IMAGE_PULL: Final = "ErrImagePull"
IMAGE_PULL_BACK_OFF: Final = "ImagePullBackOff"
INVALID_IMAGE_NAME: Final = "InvalidImageName"
IMAGE_INSPECT_ERROR: Final = "ImageInspectError"
CREATE_CONFIG_ERROR: Final = "CreateContainerConfigError"
CREATE_ERROR: Final = "CreateContainerError"
RUN_ERROR: Final = "RunContainerError"
POST_START_ERROR: Final = "PostStartHookError"
RESTARTING_ALL: Final = "RestartingAllContainers"
STATUS_UNKNOWN: Final = "ContainerStatusUnknown"


def pod_ref(pod: Pod) -> ObjectReference:
    return reference_to(pod)


def container_ref(pod: Pod, container: Container | str) -> ObjectReference:
    """The Pod, with the field path that `kubectl describe` shows: spec.containers{web}."""
    name = container if isinstance(container, str) else container.name
    field = "containers"
    if any(init.name == name for init in pod.spec.init_containers):
        field = "initContainers"
    elif any(ephemeral.name == name for ephemeral in pod.spec.ephemeral_containers):
        field = "ephemeralContainers"
    reference = reference_to(pod)
    return ObjectReference(
        api_version=reference.api_version, kind=reference.kind, namespace=reference.namespace, name=reference.name, uid=reference.uid,
        resource_version=reference.resource_version, field_path=f"spec.{field}{{{name}}}",
    )


def full_name(pod: Pod) -> str:
    """As the kubelet names a Pod in messages: web_default(uid)."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
