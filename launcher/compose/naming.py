"""A container's name in the cluster and its present address. Both come from Docker: /etc/hosts and its DNS server."""

from __future__ import annotations

import re
import socket
import sys
import time

from dnslib import QTYPE, DNSError, DNSRecord

DOCKER_DNS = "127.0.0.11"
TIMEOUT_S = 2.0
ATTEMPTS = 50
PAUSE_S = 0.1


def own_address() -> str:
    """On the compose network. Docker writes it into /etc/hosts beside the container's host name."""
    return socket.gethostbyname(socket.gethostname())


def node_name(address: str) -> str:
    """`node-2` for the second container of service `node`: what `docker compose ps` calls it.

    Docker's DNS knows the container behind an address. Where it does not say, the host name has to do; it stays too, until the
    container is made anew.
    """
    return _from_container(_container_name(address)) or socket.gethostname().lower()


def _container_name(address: str) -> str:
    question = DNSRecord.question(".".join(reversed(address.split("."))) + ".in-addr.arpa", "PTR")
    for _ in range(ATTEMPTS):
        try:
            answer = DNSRecord.parse(question.send(DOCKER_DNS, timeout=TIMEOUT_S))
        except (OSError, DNSError):
            answer = DNSRecord()
        for record in answer.rr:
            if record.rtype == QTYPE.PTR:
                return str(record.rdata.label).partition(".")[0]
        time.sleep(PAUSE_S)
    print(f"Docker's DNS does not know {address}; the node is called as its host", file=sys.stderr)  # noqa: T201
    return ""


def _from_container(container: str) -> str:
    """PROJECT-SERVICE-INDEX (or with "_", as docker-compose 1.29 has it) -> the Node's name; "" for a name of another form."""
    if found := re.fullmatch(r".+[-_](?P<service>[a-z]+)[-_](?P<index>\d+)", container):
        return f"{found['service']}-{found['index']}"
    return ""
