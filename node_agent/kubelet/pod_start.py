"""What a Pod needs before its first container: sandbox, network, volumes. All of it at once; images are looked up meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from kube.api.core_v1 import Pod
from node_agent.kubelet import event_names as names
from node_agent.kubelet.allocation import allocation_of
from node_agent.kubelet.host_ports import host_ports_of
from node_agent.kubelet.pod_files import fit_limits, kernel_hostname, pod_resolver
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.resources import pod_cgroup, pod_resources
from node_agent.kubelet.sysctls import canonical_sysctl
from node_agent.runtime.model import PodCgroupError, RuntimeServiceError, SandboxConfig
from node_agent.volumes.plugin import used_volumes
from node_agent.volumes.pod_volumes import VolumeSetupError

NETWORK_NOT_READY_TEXT = (
    "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
FIRST_RETRY_S, MAX_RETRY_S = 0.5, 122.0
VOLUMES_WAIT_S = 123.0             # kubelet's podAttachAndMountTimeout


class NotPreparedError(Exception):
    """Something is missing; an event has been recorded. `retry_s`: when to try again."""

    def __init__(self, retry_s: float) -> None:
        super().__init__(f"retry in {retry_s}s")
        self.retry_s = retry_s


async def prepare(services: Services, state: PodState) -> None:
    """Idempotent. Raises NotPreparedError."""
    results = await asyncio.gather(
        _sandbox(services, state), _volumes(services, state), _look_up_images(services, state.pod), return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    if not failures:
        return
    unexpected = [failure for failure in failures if not isinstance(failure, NotPreparedError)]
    if unexpected:
        raise unexpected[0]
    raise NotPreparedError(min(failure.retry_s for failure in failures if isinstance(failure, NotPreparedError)))


async def _look_up_images(services: Services, pod: Pod) -> None:
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        with suppress(RuntimeServiceError):  # told, with events, when the container is started
            await services.runtime.find_image(container.image)


async def _sandbox(services: Services, state: PodState) -> None:
    pod = state.pod
    sandbox = services.runtime.sandbox(state.uid)
    if sandbox is not None and sandbox.address:
        return
    if not pod.spec.host_network and not services.network.ready:
        services.events.event(pod, "Warning", names.NETWORK_NOT_READY, NETWORK_NOT_READY_TEXT)
        raise NotPreparedError(5.0)  # workers are woken when the network comes up
    try:
        if sandbox is None:
            await services.check_runtime_class(pod)
            sandbox = await services.runtime.create_sandbox(_sandbox_config(services, pod))
            services.update_qos_groups()
        address = services.config.node_ip if not sandbox.net else await services.network.add(state.uid, sandbox.net)
        wired = msgspec.structs.replace(sandbox, address=address)
        await services.host_ports.add(wired)
        await services.runtime.update_sandbox(wired)
    except Exception as error:
        state.sandbox_failures += 1
        if isinstance(error, PodCgroupError):
            services.events.event(pod, "Warning", names.FAILED_CREATE_POD_CGROUP, f"unable to ensure pod container exists: {error}")
        else:
            services.events.event(pod, "Warning", names.FAILED_CREATE_SANDBOX, f"Failed to create pod sandbox: {error}")
        raise NotPreparedError(_retry_s(state.sandbox_failures)) from error
    state.sandbox_failures = 0


def _sandbox_config(services: Services, pod: Pod) -> SandboxConfig:
    config, spec = services.config, pod.spec
    resolver, warnings = fit_limits(pod_resolver(pod, config.cluster_dns, config.cluster_domain, services.machine_resolver))
    for warning in warnings:
        services.events.event(pod, "Warning", names.DNS_CONFIG_FORMING, warning)
    sysctls = spec.security_context.sysctls if spec.security_context else ()
    return SandboxConfig(
        uid=pod.metadata.uid, namespace=pod.metadata.namespace, name=pod.metadata.name,
        hostname=config.node_name if spec.host_network else kernel_hostname(pod, config.cluster_domain),
        cgroup=pod_cgroup(config.cgroup_parent, pod),
        log_dir=str(services.paths(pod).logs), resolv_conf=resolver.text(), host_network=bool(spec.host_network),
        host_ipc=bool(spec.host_ipc), host_pid=bool(spec.host_pid), share_pid=bool(spec.share_process_namespace),
        own_users=spec.host_users is False, host_ports=host_ports_of(pod),
        resources=pod_resources(pod, config.pod_pids_limit), allocation=allocation_of(pod),
        sysctls={canonical_sysctl(sysctl.name): sysctl.value for sysctl in sysctls},
    )


async def _volumes(services: Services, state: PodState) -> None:
    if state.volumes is not None and used_volumes(state.pod) <= state.volumes.keys():
        return
    state.refreshed_at = services.now()      # before: what changes meanwhile sets it back
    try:
        state.volumes = await services.volumes.set_up(state.pod)
    except VolumeSetupError as error:
        state.volume_failures += 1
        for message in (*error.messages, *_long_wait(state, error, state.refreshed_at)):
            services.events.event(state.pod, "Warning", names.FAILED_MOUNT, message)
        raise NotPreparedError(_retry_s(state.volume_failures)) from error
    state.volume_failures, state.volumes_missed_at = 0, 0.0


def _long_wait(state: PodState, error: VolumeSetupError, now: float) -> tuple[str, ...]:
    """After VOLUMES_WAIT_S, and every time that it has passed again, the whole is told too."""
    if not state.volumes_missed_at:
        state.volumes_missed_at = now
    if now - state.volumes_missed_at < VOLUMES_WAIT_S:
        return ()
    state.volumes_missed_at = now
    return (error.summary(),)


def _retry_s(failures: int) -> float:
    return min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** (failures - 1))
