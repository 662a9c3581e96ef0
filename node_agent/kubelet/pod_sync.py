"""One step of a Pod that should run: plan, kill, prepare, start, publish. Level-triggered: may be called at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from kube.api.core_v1 import Container, Pod
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_duration
from kube.process.tasks import run_until, until
from node_agent.kubelet import event_names as names
from node_agent.kubelet.container_config import container_config
from node_agent.kubelet.environment import ContainerConfigError, make_environment
from node_agent.kubelet.image_manager import ImageUnavailableError
from node_agent.kubelet.image_volumes import image_volumes
from node_agent.kubelet.lifecycle import HookError, run_hook
from node_agent.kubelet.log_links import link_log, remove_log
from node_agent.kubelet.pod_plan import Kill, plan_pod
from node_agent.kubelet.pod_start import NotPreparedError, prepare
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_status import Waiting, container_id
from node_agent.kubelet.pod_view import PodView, all_containers
from node_agent.kubelet.resize import resize
from node_agent.kubelet.resources import is_sidecar
from node_agent.kubelet.termination import own_grace_s, stop_container, stop_pod
from node_agent.probes.probe_manager import probes_of
from node_agent.probes.probe_worker import ProbeTarget
from node_agent.runtime.model import ContainerConfig, ContainerRecord, ContainerState, Image, RuntimeServiceError, StartFailedError
from node_agent.runtime.safe_paths import read_in_root
from node_agent.volumes.plugin import MountedVolume
from node_agent.volumes.pod_volumes import VolumeSetupError

START_PATIENCE_S = 5.0          # how long a Pod that is to end waits for a container that is being made
CONFIG_RETRY_S = 2.0            # what the environment lacks is looked for so often, and told every LOOK_AGAIN_S
LOOK_AGAIN_S = 10.0             # for an image that is not there; kubelet's backOffPeriod
START_SHOWN_S = 1.0             # how long a start that failed stands as such; upstream looks at its containers every second
SHOWN_S = 3.0                   # how long the reason of a failed pull stands before its back-off is shown


class NotStartedError(Exception):
    """A container could not be started; `waiting` goes into its status, `retry_s` says when to try again (None: when it is woken)."""

    def __init__(self, waiting: Waiting, retry_s: float | None, *, shown: bool = False) -> None:
        super().__init__(waiting.message)
        self.waiting = waiting
        self.retry_s = retry_s
        self.shown = shown                    # for a moment, before CrashLoopBackOff takes its place


async def sync_pod(services: Services, state: PodState) -> tuple[bool, float | None]:
    """Returns whether the Pod has come to its own end, and after how long to look again even if nothing happens."""
    pod = state.pod
    retries: list[float] = []
    if (retry_s := await resize(services, state)) is not None:
        retries.append(retry_s)
    actions = plan_pod(pod, state.view(services), services.probes)
    if actions.kill_pod:
        return True, None
    if actions.reset:
        await _reset(services, state, actions.reset)
        return False, 0.0
    if actions.renew:
        await _renew(services, state)
    for kill in actions.kill:
        await _kill(services, state, kill)
    if actions.start:
        if not actions.kill:                         # else the next run follows at once: nobody needs to see the gap
            state.publish(services)
        try:
            await prepare(services, state)
        except NotPreparedError as error:
            state.publish(services)
            return False, error.retry_s
    for container in actions.start:
        if state.stopping.is_set():
            break
        try:
            await _start(services, state, container)
            state.waiting.pop(container.name, None)
        except NotStartedError as error:
            state.waiting[container.name] = error.waiting
            if error.shown:
                state.shown_until[container.name] = services.now() + START_SHOWN_S
            if error.retry_s is not None:
                retries.append(error.retry_s)
    watch_probes(services, state)
    state.publish(services)
    if actions.start and not retries and _more_to_do(services, state):
        retries.append(0.0)
    await _refresh(services, state)
    if services.volumes.has_refreshable(pod):
        retries.append(services.config.sync_period_s)
    return False, min(retries, default=None)


def _more_to_do(services: Services, state: PodState) -> bool:
    # A sidecar that is up lets the next container start, and nothing else would wake the worker.
    return bool(plan_pod(state.pod, state.view(services), services.probes).start)


async def _reset(services: Services, state: PodState, records: Sequence[ContainerRecord]) -> None:
    """All containers begin anew because one has ended so: they go in this order, their logs stay. The sandbox and volumes do too."""
    state.publish(services)                      # condition AllContainersRestarting
    containers = {container.name: container for container in all_containers(state.pod)}
    for record in records:
        if record.state is not ContainerState.EXITED:
            services.events.event(names.container_ref(state.pod, record.name), "Normal", names.KILLING, "killing")
            await stop_container(services, state, containers.get(record.name), record, 0.0)
        await services.runtime.remove_container(record.id)
        state.messages.pop(record.id, None)
    state.publish(services)


async def _renew(services: Services, state: PodState) -> None:
    """The sandbox is gone. What still runs ends; init containers will run again, so that their ends of before mean nothing."""
    services.events.event(state.pod, "Normal", names.SANDBOX_CHANGED, "Pod sandbox changed, it will be killed and re-created.")
    await stop_pod(services, state, own_grace_s(state.pod))
    init = {container.name for container in state.pod.spec.init_containers}
    for record in services.runtime.containers(state.uid):
        if record.name in init:
            await services.runtime.remove_container(record.id)
    if services.runtime.sandbox(state.uid) is not None:         # of a shared PID namespace without its first process
        await services.host_ports.remove(state.uid)
        await services.network.remove(state.uid)
        await services.runtime.stop_sandbox(state.uid)
    state.volumes = None


async def _kill(services: Services, state: PodState, kill: Kill) -> None:
    services.events.event(names.container_ref(state.pod, kill.container), "Normal", names.KILLING, kill.message)
    probe = kill.container.liveness_probe if kill.probe == "liveness" else kill.container.startup_probe
    grace_s = probe.termination_grace_period_seconds if kill.probe and probe is not None else None
    await stop_container(services, state, kill.container, kill.record, own_grace_s(state.pod) if grace_s is None else float(grace_s))


async def _start(services: Services, state: PodState, container: Container) -> None:
    """Raises NotStartedError."""
    pod, view = state.pod, state.view(services)
    latest = view.latest.get(container.name)
    _wait_for_backoff(services, state, container, latest)
    await _look_quietly(services, state, container)
    image, from_images = await _images(services, state, container)
    reference = names.container_ref(pod, container)
    try:
        record = await services.runtime.create_container(await _config(services, state, container, image, from_images))
    except RuntimeServiceError as error:
        services.events.event(reference, "Warning", names.FAILED, f"Error: {error}")
        raise NotStartedError(Waiting(names.CREATE_ERROR, str(error)), LOOK_AGAIN_S) from error
    services.events.event(reference, "Normal", names.CREATED, "Container created")
    try:
        await _let_start(services, state, record.id)
    except StartFailedError as error:
        services.events.event(reference, "Warning", names.FAILED, f"Error: {error}")
        raise NotStartedError(Waiting(names.RUN_ERROR, str(error)), START_SHOWN_S, shown=True) from error
    services.events.event(reference, "Normal", names.STARTED, "Container started")
    with suppress(OSError):
        link_log(pod, record)
    await _post_start(services, state, container, record)
    await _prune(services, state, container.name)


async def _config(
    services: Services, state: PodState, container: Container, image: Image, from_images: Mapping[str, MountedVolume],
) -> ContainerConfig:
    """Raises NotStartedError, and RuntimeServiceError for what is the runtime's to look at."""
    pod, sandbox, retry_s = state.pod, services.runtime.sandbox(state.uid), CONFIG_RETRY_S
    assert sandbox is not None
    try:
        env = await _environment(services, state, container)
        retry_s = LOOK_AGAIN_S
        config = container_config(
            container, services.facts(pod), image=image, sandbox=sandbox, attempt=_attempt(services, state, container), env=env,
            volumes={**(state.volumes or {}), **from_images}, paths=services.paths(pod), cluster_domain=services.config.cluster_domain,
            node_memory=services.node_memory, seccomp_default=services.config.seccomp_default,
        )
        return msgspec.structs.replace(config, pid_target=_pid_target(pod, container, state.view(services)))
    except (ContainerConfigError, errors.ApiError) as error:
        services.events.event(names.container_ref(pod, container), "Warning", names.FAILED, f"Error: {error}")
        state.quiet_until[container.name] = services.now() + LOOK_AGAIN_S
        raise NotStartedError(Waiting(names.CREATE_CONFIG_ERROR, str(error)), retry_s) from error


async def _environment(services: Services, state: PodState, container: Container) -> tuple[tuple[str, str], ...]:
    """Raises ContainerConfigError, or what the API says."""
    data = await _referenced_data(services, state, container)
    return make_environment(
        container, services.facts(state.pod), services.cluster_services(), lambda kind, name: data.get((kind, name)),
        partial(_file_of_volume, state))


async def _look_quietly(services: Services, state: PodState, container: Container) -> None:
    """While what was told last is still missing nobody needs to hear of it at every look. Raises NotStartedError."""
    told = state.waiting.get(container.name)
    if told is None or services.now() >= state.quiet_until.get(container.name, 0.0):
        return
    try:
        await _environment(services, state, container)
    except (ContainerConfigError, errors.ApiError) as error:
        if str(error) == told.message:
            raise NotStartedError(told, CONFIG_RETRY_S) from error


async def _let_start(services: Services, state: PodState, container_id: str) -> None:
    """Raises StartFailedError; also when the Pod is to end and the start hangs."""
    async with until(state.stopping, services.runtime.start_container(container_id), name="start") as starting:
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                await starting
        except TimeoutError as error:
            raise StartFailedError("context canceled") from error


async def _images(services: Services, state: PodState, container: Container) -> tuple[Image, Mapping[str, MountedVolume]]:
    """The container's, and its volumes that are images. The end of the Pod ends a pull. Raises NotStartedError."""
    pod = state.pod

    async def get() -> tuple[Image, Mapping[str, MountedVolume]]:
        volumes = await image_volumes(pod, container, services.images, services.runtime, services.paths(pod).directory)
        return await services.images.ensure(pod, container), volumes

    try:
        async with until(state.stopping, get(), name="images") as getting:
            if not getting.done():
                raise NotStartedError(state.waiting.get(container.name) or Waiting(names.CONTAINER_CREATING, ""), None)
            return await getting
    except ImageUnavailableError as error:
        # Looked for more often than pulled: it may have been loaded. After SHOWN_S a failed pull becomes ImagePullBackOff.
        longest_s = SHOWN_S if error.waiting.reason == names.ERR_IMAGE_PULL else LOOK_AGAIN_S
        retry_s = min(services.images.retry_after_s(pod, error.image) or longest_s, longest_s)
        raise NotStartedError(error.waiting, retry_s) from error


def _pid_target(pod: Pod, container: Container, view: PodView) -> str:
    """Whose PID namespace an ephemeral container shares: the id of the newest container of that name. Raises ContainerConfigError."""
    ephemeral = next((each for each in pod.spec.ephemeral_containers if each.name == container.name), None)
    if ephemeral is None or not ephemeral.target_container_name:
        return ""
    record = view.latest.get(ephemeral.target_container_name)
    if record is None:
        raise ContainerConfigError(f"unable to find target container {ephemeral.target_container_name}")
    return record.id


def _attempt(services: Services, state: PodState, container: Container) -> int:
    """The restart count. Of a container whose records are gone the logs tell: 0.log, 1.log ... (calcRestartCountByLogDir)."""
    record = state.view(services).latest.get(container.name)
    if record is not None:
        return record.config.attempt + 1
    logs = services.paths(state.pod).logs / container.name
    numbers = [int(path.name.partition(".")[0]) for path in logs.glob("[0-9]*.log*") if path.name.partition(".")[0].isdigit()]
    return max(numbers, default=-1) + 1


def _wait_for_backoff(services: Services, state: PodState, container: Container, latest: ContainerRecord | None) -> None:
    if latest is None or latest.state is not ContainerState.EXITED:
        return
    key, now = f"{state.uid}_{container.name}_{container.image}", services.now()
    shown_s = state.shown_until.get(container.name, 0.0) - now
    if shown_s > 0 and container.name in state.waiting:
        raise NotStartedError(state.waiting[container.name], shown_s)
    remaining_s = services.restarts.remaining_s(key, latest.finished_at, now)
    if remaining_s > 0:
        who = f"{container.name} pod={names.full_name(state.pod)}"
        message = f"back-off {go_duration(services.restarts.wait_s(key))} restarting failed container={who}"
        text = f"Back-off restarting failed container {container.name} in pod {names.full_name(state.pod)}"
        services.events.event(names.container_ref(state.pod, container), "Warning", names.BACK_OFF, text)
        raise NotStartedError(Waiting(names.CRASH_LOOP, message), remaining_s)
    services.restarts.next(key, now, failed_at=latest.finished_at)


def _file_of_volume(state: PodState, volume: str, path: str) -> str | None:
    mounted = (state.volumes or {}).get(volume)
    if mounted is None:
        return None
    try:
        return read_in_root(Path(mounted.path), path)
    except OSError as error:
        raise ContainerConfigError("couldn't parse env file") from error


async def _referenced_data(services: Services, state: PodState, container: Container) -> Mapping[tuple[str, str], Mapping[str, str] | None]:
    wanted: set[tuple[str, str]] = set()
    for source in container.env_from:
        if source.config_map_ref is not None:
            wanted.add(("configmap", source.config_map_ref.name))
        if source.secret_ref is not None:
            wanted.add(("secret", source.secret_ref.name))
    for variable in container.env:
        if variable.value_from is not None and variable.value_from.config_map_key_ref is not None:
            wanted.add(("configmap", variable.value_from.config_map_key_ref.name))
        if variable.value_from is not None and variable.value_from.secret_key_ref is not None:
            wanted.add(("secret", variable.value_from.secret_key_ref.name))
    namespace, keys = state.pod.metadata.namespace, sorted(wanted)
    read = {"configmap": services.objects.config_map_text, "secret": services.objects.secret}
    found = await asyncio.gather(*(read[kind](namespace, name) for kind, name in keys))
    return {
        key: None if data is None else {name: value.decode(errors="replace") for name, value in data.items()}
        for key, data in zip(keys, found, strict=True)
    }


async def _post_start(services: Services, state: PodState, container: Container, record: ContainerRecord) -> None:
    hook = container.lifecycle.post_start if container.lifecycle else None
    if hook is None:
        return
    work = run_hook(
        hook, state.pod, container, container_id=record.id, address=services.address(state.pod), run=services.runtime.exec,
        events=services.events,
    )
    try:
        await run_until(state.stopping, work, name="postStart hook")
    except HookError as error:
        reference = names.container_ref(state.pod, container)
        services.events.event(reference, "Warning", names.FAILED_POST_START, "PostStartHook failed")
        services.events.event(reference, "Normal", names.KILLING, "FailedPostStartHook")
        await stop_container(services, state, container, record, own_grace_s(state.pod))
        raise NotStartedError(Waiting(names.POST_START_ERROR, str(error)), START_SHOWN_S, shown=True) from error


async def _prune(services: Services, state: PodState, name: str) -> None:
    """Of the ended ones only the last stays: `kubectl logs --previous` and lastState show it."""
    records = sorted(
        (record for record in services.runtime.containers(state.uid) if record.name == name), key=lambda record: record.config.attempt,
    )
    for record in records[:-2]:
        await services.runtime.remove_container(record.id)
        remove_log(state.pod, record)
        state.messages.pop(record.id, None)


def watch_probes(services: Services, state: PodState) -> None:
    """Starts the probes of what runs. After a restart of the kubelet what was ready stays so until the first look."""
    view = state.view(services)
    told = (*state.pod.status.init_container_statuses, *state.pod.status.container_statuses)
    ready = {status.container_id for status in told if status.ready}
    for container in _probed(state.pod):
        record = view.latest.get(container.name)
        if record is not None and record.running and probes_of(container):
            target = ProbeTarget(
                pod=state.pod, container=container, container_id=record.id, started_at=record.started_at,
                address=services.address(state.pod),
            )
            services.probes.watch(target, already_ready=container_id(record) in ready)


def _probed(pod: Pod) -> Iterator[Container]:
    yield from (container for container in pod.spec.init_containers if is_sidecar(container))
    yield from pod.spec.containers


async def _refresh(services: Services, state: PodState) -> None:
    now = services.now()
    if not services.volumes.has_refreshable(state.pod) or now - state.refreshed_at < services.config.sync_period_s:
        return
    state.refreshed_at = now
    try:
        await services.volumes.refresh(state.pod)
    except VolumeSetupError as error:
        for message in error.messages:
            services.events.event(state.pod, "Warning", names.FAILED_MOUNT, message)
