"""Queries per second of the DNS server over UDP on loopback, from its cache and without it; and what the process weighs.

    python -m bench.dns [--seconds 3]
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnslib import DNSRecord

ROOT = Path(__file__).parent.parent
COREFILE = """.:%d {
    bind 127.0.0.1
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       endpoint none
       ttl 30
    }
    forward . /does/not/exist
    cache 30
    loadbalance
}
"""
BATCH = 64


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_first_answer(sock: socket.socket, query: bytes) -> None:
    sock.settimeout(0.002)
    while True:
        try:
            sock.send(query)
            sock.recv(512)
            return
        except OSError:
            continue


def rate(sock: socket.socket, queries: list[bytes], seconds: float) -> float:
    """Keeps BATCH queries under way."""
    sock.settimeout(1)
    started = time.perf_counter()
    answered = sent = 0
    while time.perf_counter() - started < seconds:
        while sent - answered < BATCH:
            sock.send(queries[sent % len(queries)])
            sent += 1
        for _ in range(BATCH // 2):
            sock.recv(512)
            answered += 1
    return answered / (time.perf_counter() - started)


def pss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    seconds = parser.parse_args().seconds
    port = free_port()
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        path = Path(directory) / "Corefile"
        path.write_text(COREFILE % port)
        started = time.perf_counter()
        command = [sys.executable, "-m", "addons.coredns.app", "-conf", str(path)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
        try:
            sock.connect(("127.0.0.1", port))
            hit = bytes(DNSRecord.question("dns-version.cluster.local", "TXT").pack())
            wait_first_answer(sock, hit)
            first_answer_s = time.perf_counter() - started
            misses = [bytes(DNSRecord.question(f"name{number}.example.com").pack()) for number in range(20_000)]
            print(f"{'start to first answer':<28}{first_answer_s:>10.3f} s")
            print(f"{'from the cache':<28}{rate(sock, [hit], seconds):>10,.0f} queries/s")
            print(f"{'through the chain':<28}{rate(sock, misses, seconds):>10,.0f} queries/s")
            print(f"{'PSS':<28}{pss_mib(process.pid):>10.1f} MiB")
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
