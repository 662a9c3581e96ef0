"""What the runtime is told and what it tells: plain values, no API objects."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RuntimeServiceError(Exception):
    """The runtime could not do what was asked; the message is fit for an event."""


class ImageMissingError(RuntimeServiceError):
    """No such image here."""


class PodCgroupError(RuntimeServiceError):
    """The Pod's cgroup cannot be made."""


class StartFailedError(RuntimeServiceError):
    """conmon or runc refused the container; its record holds reason StartError and exit code 128."""


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a cgroup. None: not set."""

    cpu_shares: int | None = None
    cpu_quota_us: int | None = None        # per period; None or negative: unlimited
    cpu_period_us: int = 100_000
    memory_limit: int | None = None        # bytes; negative: unlimited
    pids_limit: int | None = None
    oom_group: bool = False                # version 2: the kernel kills all processes of the cgroup, or none
    huge_pages: dict[str, int] = {}        # bytes by the kernel's name of the size: 2MB


def merged(held: Resources, given: Resources) -> Resources:
    """`held` with what `given` sets."""
    set_there = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) not in (None, False, {})}
    return msgspec.structs.replace(held, **set_there)


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and limits, in thousandths of a CPU and bytes; 0: none. What a container was last given, to see what a resize changes."""

    cpu_request: int = 0
    cpu_limit: int = 0
    memory_request: int = 0
    memory_limit: int = 0


# Requests and limits that a Pod has been promised, by container, as in its specification; "" is the Pod itself.
Allocation = dict[str, dict[str, dict[str, str]]]


class HostPort(msgspec.Struct, frozen=True, kw_only=True):
    protocol: str                          # tcp, udp, sctp
    host_port: int
    container_port: int
    host_ip: str = ""                      # "": every address of the node


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    uid: str
    namespace: str
    name: str
    hostname: str
    cgroup: str                            # the Pod's, as an absolute cgroup path
    log_dir: str
    resolv_conf: str = ""                  # text; also written for `ip netns exec`
    host_network: bool = False
    host_ipc: bool = False
    host_pid: bool = False
    share_pid: bool = False
    own_users: bool = False                # hostUsers: false: a user namespace with a range of ids of its own
    resources: Resources = Resources()
    sysctls: dict[str, str] = {}
    host_ports: tuple[HostPort, ...] = ()
    allocation: Allocation = {}            # kept for a kubelet that restarts in the middle of a resize


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod's namespaces as they stand, by path; "" is the node's own."""

    config: SandboxConfig
    netns_name: str
    net: str
    ipc: str
    uts: str
    shm: str
    created_at: float
    address: str = ""                      # filled in by the kubelet once the network is there
    pid_holder: int = 0
    user: str = ""                         # its user namespace, and who in the node's is its root
    first_id: int = 0


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    target: str
    read_only: bool = False
    propagation: str = "rprivate"          # or rslave, rshared
    recursive_read_only: bool = False


class Device(msgspec.Struct, frozen=True):
    """A block device of the node, as the container sees it."""

    source: str
    target: str


class Security(msgspec.Struct, frozen=True, kw_only=True):
    privileged: bool = False
    read_only_root: bool = False
    uid: int | None = None                 # None: as the image says
    gid: int | None = None
    supplemental_gids: tuple[int, ...] = ()
    image_groups: bool = True              # also the groups that the image's /etc/group puts the user into
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False
    proc_unmasked: bool = False
    seccomp_default: bool = False          # the runtime's own profile
    seccomp_profile: str = ""              # or this one: linux.seccomp of an OCI configuration, as JSON


class ContainerConfig(msgspec.Struct, frozen=True, kw_only=True):
    pod_uid: str
    name: str
    attempt: int                           # restart count
    image: str                             # as the Pod names it
    log_path: str
    cgroup: str
    command: tuple[str, ...] = ()          # overrides the image's entrypoint
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    resources: Resources = Resources()
    amounts: Amounts = Amounts()
    security: Security = Security()
    oom_score_adj: int = 0
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    labels: dict[str, str] = {}            # kept in the record for the kubelet
    pid_target: str = ""                   # id of the container whose PID namespace it joins
    stop_signal: str = ""                  # instead of the image's


class ProcessUser(msgspec.Struct, frozen=True):
    uid: int
    gid: int
    groups: tuple[int, ...]


class ContainerRecord(msgspec.Struct, kw_only=True):
    """A container as the runtime knows it; on disk beside the container, the truth after a crash of the kubelet."""

    id: str
    config: ContainerConfig
    image_id: str
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    pid: int = 0
    pid_start: int = 0                     # start time in ticks: with the pid, names a process for good
    conmon_pid: int = 0
    exit_code: int = 0
    reason: str = ""                       # OOMKilled, StartError, ContainerStatusUnknown or ""
    message: str = ""
    stop_signal: str = "SIGTERM"
    image: str = ""                        # canonical, as the Pod's status shows it
    image_ref: str = ""                    # by digest
    user: ProcessUser | None = None        # whose the first process was when it began

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def running(self) -> bool:
        return self.state is ContainerState.RUNNING


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    working_dir: str = "/"
    user: str = ""
    stop_signal: str = "SIGTERM"           # or a number
    labels: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()    # 80/tcp


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image whose layers lie unpacked on disk, topmost first, ready to be overlay's lower directories."""

    id: str                                # sha256:... of its configuration
    name: str                              # canonical, docker.io/library/busybox; "" if it has none
    layers: tuple[str, ...]
    config: ImageConfig
    size: int = 0                          # bytes in the layers' files
    builtin: bool = False
    reference: str = ""                    # what it was asked for by, canonical
    digest: str = ""                       # sha256:... of its manifest, or of the index that led to it
    tags: tuple[str, ...] = ()             # all its names: docker.io/library/busybox:1.36
    digests: tuple[str, ...] = ()          # docker.io/library/busybox@sha256:...

    @property
    def by_digest(self) -> str:
        """What a container's status calls imageID."""
        return f"{self.name}@{self.digest}" if self.name and self.digest else self.id


class ExecResult(msgspec.Struct, frozen=True):
    exit_code: int
    output: bytes


class ImagePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When images that nobody uses are taken away."""

    high_percent: int                      # of the disk in use: above it images go
    low_percent: int                       # until so much is in use
    minimum_age_s: float
    maximum_age_s: float                   # 0: none is too old
    period_s: float
