"""How long a cluster takes to come up, until DNS answers in a Pod, and what it weighs.

    ./kubonsai bench boot [--nodes 3] [--rounds 3] [--cold]

`cold` removes the image store first (the first `up` of a machine makes the built-in images). Goals: 3 s warm; control plane with etcd
250 MB, each further node 40 MB (proportional set size).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from launcher.cluster.layout import IMAGES
from launcher.cluster.status import proportional_set_size
from launcher.testing.cluster import ROOT, Cluster, eventually, run

CONTROL_PLANE = {"etcd", "apiserver", "scheduler", "controller-manager", "cloud-controller-manager", "supervisor", "zygote"}


def wall_clock_up(cluster: Cluster, *arguments: str) -> float:
    """Seconds of `./kubonsai up`, as a user waits for it: shell wrapper, interpreter and all."""
    began = time.perf_counter()
    subprocess.run(
        [str(ROOT / "kubonsai"), "up", "--name", cluster.name, "--nodes", str(cluster.nodes), *arguments],
        check=True, env={**os.environ, **cluster.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def until_dns_answers(cluster: Cluster) -> float:
    """Seconds until a DNS query from inside a DNS Pod's namespace is answered by the Service's address."""
    began = time.perf_counter()
    (pod, *_) = cluster.pods("kube-system", "k8s-app=kube-dns")
    namespace = cluster.netns_of(pod["metadata"]["name"], "kube-system")
    question = ["+short", "+time=1", "+tries=1", "@10.96.0.10", "kubernetes.default.svc.cluster.local"]
    query = ["ip", "netns", "exec", namespace, "dig", *question]
    eventually(lambda: run(query).strip() == "10.96.0.1", within_s=20)
    return time.perf_counter() - began


def weights(cluster: Cluster) -> tuple[float, float, float]:
    """MB: control plane with etcd; agents of the mean node; the containers' processes of all Pods of kube-system."""
    processes = cluster.status()["processes"]
    control = sum(p["memory_bytes"] for p in processes if p["name"] in CONTROL_PLANE)
    agents = sum(p["memory_bytes"] for p in processes if p["name"] not in CONTROL_PLANE)
    known = {p["pid"] for p in processes}
    groups = Path("/sys/fs/cgroup/pids/kubonsai", cluster.name)
    pods = {int(pid) for file in groups.glob("**/cgroup.procs") for pid in file.read_text().split()} - known
    return control / 1e6, agents / 1e6 / cluster.nodes, sum(proportional_set_size(pid) for pid in pods) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="without the image store, in the first round")
    options = parser.parse_args()
    print(f"{'round':<8}{'up s':>8}{'+ dns s':>9}{'control plane MB':>18}{'per node MB':>13}{'DNS Pods MB':>13}{'down s':>8}")
    for number in range(1, options.rounds + 1):
        cold = options.cold and number == 1
        if cold:
            shutil.rmtree(IMAGES, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            cluster = Cluster(Path(folder), nodes=options.nodes)
            try:
                up_s = wall_clock_up(cluster)
                dns_s = until_dns_answers(cluster)
                control, node, pods = weights(cluster)
            finally:
                began = time.perf_counter()
                cluster.stop()
                down_s = time.perf_counter() - began
        label = "cold" if cold else "warm"
        print(f"{label:<8}{up_s:>8.2f}{dns_s:>9.2f}{control:>18.0f}{node:>13.0f}{pods:>13.0f}{down_s:>8.2f}")


if __name__ == "__main__":
    main()
