"""Nodes as namespaces of this machine: network, host name and mounts of their own, a cgroup subtree, an uplink to the fabric.

The namespaces are pinned by files, so that they outlive any process: the network under /run/netns (where `ip netns` sees it), host name
and mounts under the cluster's runtime folder. In the node's mount namespace /etc/hostname, /etc/hosts, /etc/resolv.conf, /etc/kubernetes
and /var/log are the node's own; mounts made there (containers' roots, volumes) are not seen outside, those under /run/netns are.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import threading
from pathlib import Path

from launcher.cluster import cgroups
from launcher.cluster.layout import Layout, Node
from launcher.cluster.private_file import make_private_folder
from netns import fabric, namespaces
from netns.kernel import check, enter, libc

CLONE_NEWNS, CLONE_NEWUTS = 0x00020000, 0x04000000
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 0x1000, 0x4000, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH = 2
ETC_KUBERNETES, VAR_LOG = Path("/etc/kubernetes"), Path("/var/log")
PINNED = {"uts": CLONE_NEWUTS, "mnt": CLONE_NEWNS}


def node_namespaces(layout: Layout, node: Node) -> dict[str, str]:
    """What a process of the node enters, in this order: kind -> path."""
    run = layout.node_run(node)
    return {"net": namespaces.path_of(node.netns), "uts": str(run / "uts"), "mnt": str(run / "mnt")}


def prepare_host(layout: Layout) -> None:
    """The runtime folder as a private mount (a mount namespace can be pinned on no other), /run/netns as a shared one, the fabric."""
    make_private_folder(layout.run)
    make_private_folder(layout.logs)
    if layout.run not in mount_points():
        mount(str(layout.run), layout.run, MS_BIND)
    mount("none", layout.run, MS_PRIVATE)
    namespaces.share_folder()
    gateway = str(layout.node(1).address.rpartition(".")[0] + ".1")
    fabric.create_fabric(layout.fabric_netns, f"{gateway}/{layout.fabric_prefix_length}")


def create(layout: Layout, node: Node) -> None:
    """Makes the machine, or what is missing of it."""
    run, state = layout.node_run(node), layout.node_state(node)
    run.mkdir(parents=True, exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    cgroups.create(node.cgroup)
    namespaces.create_named(node.netns)
    gateway = node.address.rpartition(".")[0] + ".1"
    uplink = fabric.Uplink(
        name=fabric.port_name(node.name), address=f"{node.address}/{layout.fabric_prefix_length}", gateway=gateway,
    )
    fabric.attach_machine(layout.fabric_netns, node.netns, uplink)
    if not all(is_pinned(run / kind) for kind in PINNED):
        _write_etc(layout, node, state / "etc")
        (state / "kubernetes").mkdir(exist_ok=True)
        for folder in ("pods", "containers"):
            (state / "logs" / folder).mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):      # a machine whose /etc is read-only goes without
            ETC_KUBERNETES.mkdir(exist_ok=True)
        _pin_namespaces(node, run, state / "etc")


def destroy(layout: Layout, node: Node) -> None:
    """Takes the machine away; its processes must have ended. Idempotent."""
    fabric.detach_machine(layout.fabric_netns, fabric.port_name(node.name))
    for kind in PINNED:
        unmount(layout.node_run(node) / kind)
    namespaces.delete_named(node.netns)
    shutil.rmtree(layout.node_run(node), ignore_errors=True)


def is_pinned(path: Path) -> bool:
    """Whether a namespace is bind-mounted on that file."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def mount(source: str, target: Path, flags: int) -> None:
    check(libc().mount(source.encode(), str(target).encode(), b"none", flags, None))


def unmount(target: Path) -> None:
    libc().umount2(str(target).encode(), MNT_DETACH)


def _write_etc(layout: Layout, node: Node, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    hosts = ["127.0.0.1 localhost", *(f"{other.address} {other.name}" for other in layout.nodes())]
    (folder / "hostname").write_text(f"{node.name}\n")
    (folder / "hosts").write_text("\n".join(hosts) + "\n")
    # The machine's resolvers cannot be reached from the fabric, which leads nowhere.
    (folder / "resolv.conf").write_text("# this node has no resolver: the fabric has no way out\n")


def _pin_namespaces(node: Node, run: Path, etc: Path) -> None:
    """Tries one CPU after the other: a mount namespace cannot be pinned in one with a higher number (that might make a loop), and since
    Linux 6.18 each CPU gives numbers from a range of its own. Ours is no newer than any unless we run in a container or the like.
    """
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in cpus:
        try:
            _pin_namespaces_made_on(cpu, node, run, etc)
        except OSError as error:
            if error.errno != errno.EINVAL or cpu == cpus[-1]:
                raise
        else:
            return


def _pin_namespaces_made_on(cpu: int, node: Node, run: Path, etc: Path) -> None:
    """A thread unshares, and stays until its namespaces are pinned from here: they must be mounted in ours, not in its own."""
    for kind in PINNED:
        unmount(run / kind)
        (run / kind).touch(mode=0o444)
    made, pinned = threading.Event(), threading.Event()
    failure: list[BaseException] = []
    thread_id: list[int] = []

    def work() -> None:
        try:
            os.sched_setaffinity(0, {cpu})      # this thread alone
            enter(namespaces.path_of(node.netns))
            _unshare(node, etc)
            thread_id.append(threading.get_native_id())
        except BaseException as error:
            failure.append(error)
        made.set()
        pinned.wait()

    thread = threading.Thread(target=work, name=f"make {node.name}")
    thread.start()
    try:
        made.wait()
        if failure:
            raise failure[0]
        for kind in PINNED:
            mount(f"/proc/self/task/{thread_id[0]}/ns/{kind}", run / kind, MS_BIND)
    finally:
        pinned.set()
        thread.join()


def _unshare(node: Node, etc: Path) -> None:
    check(libc().unshare(CLONE_NEWNS | CLONE_NEWUTS))
    hostname = node.name.encode()
    check(libc().sethostname(hostname, ctypes.c_size_t(len(hostname))))
    for point in mount_points():
        if point != namespaces.FOLDER and namespaces.FOLDER not in point.parents:
            # Of the machine's mounts it learns, its own stay here; and as on a machine, Pods may give mounts to each other. Hidden
            # mount points cannot be changed, nor matter.
            for spread in (MS_SLAVE, MS_SHARED):
                libc().mount(b"none", str(point).encode(), b"none", spread, None)
    for file in ("hostname", "hosts", "resolv.conf"):
        target = Path("/etc", file)
        if target.exists():
            mount(str(etc / file), target, MS_BIND)
    if ETC_KUBERNETES.is_dir():
        mount(str(etc.with_name("kubernetes")), ETC_KUBERNETES, MS_BIND)
    if VAR_LOG.is_dir():
        mount(str(etc.with_name("logs")), VAR_LOG, MS_BIND)


def mount_points() -> list[Path]:
    """Every mount point of the calling thread's namespace. os.path.ismount does not see a bind mount within one file system."""
    lines = Path("/proc/thread-self/mountinfo").read_text().splitlines()
    return [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]      # \\040 is a space
