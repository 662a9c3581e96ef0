"""How a container becomes a Node: by the name that compose gave it."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest
from dnslib import QTYPE, RR, DNSRecord
from dnslib.dns import PTR

from launcher.compose import naming


@pytest.fixture
def docker_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A DNS server on the loopback in place of Docker's: address -> container's full name."""
    names: dict[str, str] = {}

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, server = self.request
            question = DNSRecord.parse(data)
            answer = question.reply()
            asked = str(question.q.qname).removesuffix(".in-addr.arpa.")
            if name := names.get(".".join(reversed(asked.split(".")))):
                answer.add_answer(RR(question.q.qname, QTYPE.PTR, rdata=PTR(name), ttl=600))
            server.sendto(answer.pack(), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Answer) as server:
        send = DNSRecord.send
        port = server.server_address[1]
        monkeypatch.setattr(DNSRecord, "send", lambda self, _, timeout: send(self, "127.0.0.1", port, timeout=timeout))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield names
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("container", "node"), [
    ("kubonsai_node_1.kubonsai_default", "node-1"),             # docker-compose 1.29
    ("kubonsai-node-12.kubonsai_default", "node-12"),           # the plugin
    ("my-shop_v2-node-3.my-shop_v2_default", "node-3"),
])
def test_a_node_is_called_as_its_service_and_number(docker_dns: dict[str, str], container: str, node: str) -> None:
    docker_dns["172.18.0.4"] = container

    assert naming.node_name("172.18.0.4") == node


@pytest.mark.parametrize("container", ["", "somebodys.net", "node.net"])
def test_a_container_without_such_a_name_is_called_as_its_host(
    docker_dns: dict[str, str], monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    docker_dns["172.18.0.4"] = container
    monkeypatch.setattr(naming, "ATTEMPTS", 2)
    monkeypatch.setattr(socket, "gethostname", lambda: "3F2A0c9d")

    assert naming.node_name("172.18.0.4") == "3f2a0c9d"
