"""How many requests a second one apiserver answers over TLS, and how long each takes.

    ./kubonsai bench api [--seconds 5] [--connections 16]

The load comes from wrk (Debian package `wrk`), over HTTPS with a ServiceAccount's token; on two cores it takes one of them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from launcher.cluster.status import proportional_set_size
from launcher.testing.cluster import Cluster, run

OBJECTS = 500
PAYLOAD = "x" * 1200        # with its metadata, an object of about 1.5 KB

# title, path
REQUESTS = (
    ("GET, linearizable", "/api/v1/namespaces/bench/configmaps/c0"),
    ("GET, resourceVersion=0", "/api/v1/namespaces/bench/configmaps/c0?resourceVersion=0"),
    ("LIST 500 objects", "/api/v1/namespaces/bench/configmaps?resourceVersion=0"),
    ("LIST, one label selected", "/api/v1/namespaces/bench/configmaps?labelSelector=n%3D7&resourceVersion=0"),
    ("GET /version", "/version"),
)


def prepare(cluster: Cluster) -> str:
    """500 ConfigMaps and a token that may read them."""
    cluster.kubectl("create", "namespace", "bench")
    items = [
        {
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": PAYLOAD},
            "metadata": {"name": f"c{n}", "namespace": "bench", "labels": {"n": str(n)}},
        }
        for n in range(OBJECTS)
    ]
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), timeout_s=120)
    cluster.kubectl("create", "serviceaccount", "reader", "-n", "bench")
    cluster.kubectl("create", "rolebinding", "reader", "-n", "bench", "--clusterrole=view", "--serviceaccount=bench:reader")
    return cluster.kubectl("create", "token", "reader", "-n", "bench").strip()


def load(url: str, token: str, connections: int, seconds: int) -> tuple[float, str, str]:
    """Requests a second, median and 99th percentile as wrk prints them. Raises when an answer was no success."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {token}", url]
    printed = run(command, timeout_s=seconds + 30)
    if "Non-2xx" in printed:
        raise SystemExit(f"{url}: {printed}")
    percentiles = dict(re.findall(r"(\d+)%\s+(\S+)", printed))
    (rate,) = re.findall(r"Requests/sec:\s+(\S+)", printed)
    return float(rate), percentiles["50"], percentiles["99"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; run: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder), nodes=1)
        try:
            cluster.start()
            token = prepare(cluster)
            server = cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
            print(f"{'request':<28}{'per second':>12}{'p50':>10}{'p99':>10}")
            for title, path in REQUESTS:
                rate, median, slow = load(server + path, token, options.connections, options.seconds)
                print(f"{title:<28}{rate:>12.0f}{median:>10}{slow:>10}")
            print(f"apiserver: {proportional_set_size(cluster.process('apiserver')['pid']) / 1e6:.0f} MB")
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
