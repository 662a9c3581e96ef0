"""What a node holds of the kernel and the disk, counted before and after: what a test must not leave behind.

    before = node_holdings(cluster, "node2")
    ...
    assert_nothing_left(before, lambda: node_holdings(cluster, "node2"))

Each holding is a line of text ("mount /var/lib/...", "cgroup pids/pod123", "fd inotify"), counted; what is there more often than before is
left over. Threads and descriptors are of the kubelet alone. Everything is read from /proc, /sys and by iproute2 and nft.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from launcher.cluster import cgroups
from launcher.cluster.layout import Layout
from launcher.cluster.settings import ClusterSettings
from launcher.testing.cluster import Cluster
from tests.support.runtime_node import RuntimeNode

Holdings = Counter[str]

AGENTS = ("kubelet", "kube-proxy")
# Names that differ from one life to the next: ids of containers, uids of Pods.
CHOSEN_NAMES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,64}|(?<=-)[0-9a-f]{8}$")
UNCOUNTED = re.compile(r"/(logs|kubernetes|etc|pki)(/|$)")     # logs of deleted Pods go a minute later


def node_holdings(cluster: Cluster, node: str) -> Holdings:
    """Of one machine of a cluster: its agents, its namespaces and its folders; and the watches that the apiserver serves."""
    layout = Layout(ClusterSettings(name=cluster.name))
    agents = {process["name"]: process["pid"] for process in cluster.status()["processes"] if process["node"] == node}
    found = holdings(
        folders=(layout.state / "nodes" / node, layout.run / node), group=f"/kubonsai/{cluster.name}/{node}",
        netns_prefix=layout.pod_netns_prefix, netns=f"{cluster.name}-{node}", ours=agents.values(), seen_by=agents["kubelet"],
    )
    found.update(_threads_and_descriptors(agents["kubelet"]))
    found.update(_watches(cluster))
    return found


def runtime_holdings(node: RuntimeNode) -> Holdings:
    """Of a runtime in the test's own process."""
    return holdings(
        folders=(node.root, node.run_dir), group=node.cgroup, netns_prefix=f"t{node.token}-", netns="", ours=(), seen_by=os.getpid(),
    ) + Counter(_threads_and_descriptors(os.getpid()))


def holdings(
    *, folders: Iterable[Path], group: str, netns_prefix: str, netns: str, ours: Iterable[int], seen_by: int,
) -> Holdings:
    """`netns`: whose links, routes and rules count; `seen_by`: whose mounts; `ours`: processes of the group that do not count."""
    found: Holdings = Counter()
    places = [str(folder) for folder in folders]
    found.update(_mounts(seen_by, [*places, f"/run/netns/{netns_prefix}"]))
    found.update(f"netns {entry.name}" for entry in Path("/run/netns").glob(f"{netns_prefix}*"))
    found.update(f"etc {entry.name}" for entry in Path("/etc/netns").glob(f"{netns_prefix}*"))
    found.update(_cgroups(group))
    found.update(_processes(group, set(ours)))
    found.update(_loop_devices(places))
    if netns:
        found.update(_links_and_routes(netns))
        found.update(_rules(netns))
    for place in places:
        found.update(_files(Path(place)))
    nameless: Holdings = Counter()
    for thing, count in found.items():
        nameless[CHOSEN_NAMES.sub("*", thing)] += count
    return nameless


def left_over(before: Holdings, after: Holdings) -> list[str]:
    """What is there more often than before."""
    return sorted(f"{thing} ({count} more)" if count > 1 else thing for thing, count in (after - before).items())


def assert_nothing_left(before: Holdings, look: Callable[[], Holdings], within_s: float = 120.0) -> None:
    """Looks again and again: the kernel lets go of some things a moment later, and connections are kept a while."""
    deadline = time.monotonic() + within_s
    while left := _left_now(before, look):
        assert time.monotonic() < deadline, "left over: " + ", ".join(left[:60])
        time.sleep(0.5)


def _left_now(before: Holdings, look: Callable[[], Holdings]) -> list[str]:
    try:
        return left_over(before, look())
    except (OSError, KeyError) as error:
        return [f"(what is looked at changes: {error!r})"]        # processes end meanwhile, and an agent may just start again


def _mounts(pid: int, places: list[str]) -> Iterator[str]:
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if any(point.startswith(place) for place in places):
            yield f"mount {point}"


def _cgroups(group: str) -> Iterator[str]:
    for root in cgroups.hierarchies():
        for folder, names, _ in os.walk(root / group.lstrip("/")):
            names[:] = [name for name in names if name not in AGENTS]
            yield f"cgroup {Path(folder).relative_to(cgroups.MOUNT)}"


def _processes(group: str, ours: set[int]) -> Iterator[str]:
    for pid in cgroups.processes(group) - ours - {os.getpid()}:
        with suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX":
                yield f"process {Path(f'/proc/{pid}/comm').read_text().strip()}"


def _threads_and_descriptors(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            yield f"thread {re.sub('[0-9]+$', '', (task / 'comm').read_text().strip())}"
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield f"fd {re.sub('[0-9]+', 'N', os.readlink(descriptor))}"
            watches = (Path(f"/proc/{pid}/fdinfo") / descriptor.name).read_text().count("inotify wd:")
            yield from ["inotify watch"] * watches


def _loop_devices(places: list[str]) -> Iterator[str]:
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if any(file.read_text().startswith(place) for place in places):
                yield f"loop device {file.parts[3]}"


def _links_and_routes(netns: str) -> Iterator[str]:
    for link in json.loads(_output("ip", "-n", netns, "-j", "link") or "[]"):
        yield f"link {link['ifname']}"
    for route in json.loads(_output("ip", "-n", netns, "-j", "route") or "[]"):
        yield f"route {route['dst']}"


def _rules(netns: str) -> Iterator[str]:
    """Each rule, and each element of a set or map."""
    listed = json.loads(_output("ip", "netns", "exec", netns, "nft", "-j", "-a", "list", "ruleset"))["nftables"]
    for item in listed:
        for kind, thing in item.items():
            if kind == "metainfo":
                continue
            yield f"nft {kind} {thing.get('table', '')} {thing.get('chain', '')} {thing.get('name', '')}"
            yield from (f"nft element {thing['name']}" for _ in thing.get("elem", ()))


def _files(folder: Path) -> Iterator[str]:
    """Files and folders below, mounts not entered: what they hold is counted as a mount."""
    device = folder.stat().st_dev
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if _device(Path(parent, name)) == device and not UNCOUNTED.search(str(Path(parent, name)))]
        yield from (f"file {Path(parent, name)}" for name in (*names, *files))


def _device(path: Path) -> int:
    try:
        return path.lstat().st_dev
    except OSError:
        return -1


def _watches(cluster: Cluster) -> Iterator[str]:
    for line in cluster.kubectl("get", "--raw", "/metrics").splitlines():
        if found := re.match(r'apiserver_longrunning_requests\{.*resource="(\w*)".*verb="WATCH".*\} ([\d.]+)', line):
            yield from [f"watch {found[1]}"] * int(float(found[2]))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
