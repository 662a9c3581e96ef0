"""The server as `dig` sees it."""

from __future__ import annotations

import asyncio
import http.client
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from addons.coredns.kubernetes.objects import ServiceKey
from addons.coredns.runtime import Runtime
from tests.support.dns import DnsServer, corefile, endpoint_slice, running_server, service

pytestmark = pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DnsServer]:
    async with running_server(tmp_path) as running:
        yield running


@pytest.mark.req("DNS-02", "DNS-12")
async def test_a_service(server: DnsServer) -> None:
    answer = await server.dig("hello.default.svc.cluster.local")

    assert (answer.status, answer.answers) == ("NOERROR", ["hello.default.svc.cluster.local. 30 A 10.96.7.7"])
    assert {"qr", "aa", "rd"} <= answer.flags
    assert "tc" not in answer.flags


@pytest.mark.req("DNS-02")
@pytest.mark.parametrize(("name", "qtype", "status"), [
    pytest.param("hello.default.svc.cluster.local", "AAAA", "NOERROR", id="no data of that type"),
    pytest.param("hello.default.svc.cluster.local", "MX", "NOERROR", id="nor of that"),
    pytest.param("hello.default.svc.cluster.local", "TYPE65", "NOERROR", id="nor of a type nobody has"),
    pytest.param("default.svc.cluster.local", "A", "NOERROR", id="a namespace"),
    pytest.param("nobody.default.svc.cluster.local", "A", "NXDOMAIN", id="no such service"),
    pytest.param("nobody.default.svc.cluster.local", "AAAA", "NXDOMAIN", id="no such service, whatever the type"),
    pytest.param("hello.nowhere.svc.cluster.local", "A", "NXDOMAIN", id="no such namespace"),
    pytest.param("hello.default.svc.cluster.local.default.svc.cluster.local", "A", "NXDOMAIN", id="the search list's attempts"),
    pytest.param("empty.default.svc.cluster.local", "A", "NXDOMAIN", id="headless without endpoints"),
])
async def test_denials_carry_the_soa(server: DnsServer, name: str, qtype: str, status: str) -> None:
    answer = await server.dig(name, qtype)

    assert (answer.status, answer.answers) == (status, [])
    assert "aa" in answer.flags
    (soa,) = answer.authority
    assert soa.startswith("cluster.local. 30 SOA ns.dns.cluster.local. hostmaster.cluster.local. ")
    assert soa.endswith(" 7200 1800 86400 30")


@pytest.mark.req("DNS-05")
async def test_srv_of_a_service(server: DnsServer) -> None:
    answer = await server.dig("SRV", "_http._tcp.hello.default.svc.cluster.local")

    assert answer.data == ["0 100 80 hello.default.svc.cluster.local."]
    assert answer.additional == ["hello.default.svc.cluster.local. 30 A 10.96.7.7"]


@pytest.mark.req("DNS-05", "DNS-06")
async def test_srv_of_a_headless_service_names_its_endpoints(server: DnsServer) -> None:
    answer = await server.dig("SRV", "_http._tcp.web.default.svc.cluster.local")

    assert sorted(answer.data) == [
        "0 33 8080 10-244-2-7.web.default.svc.cluster.local.", "0 33 8080 web-0.web.default.svc.cluster.local.",
        "0 33 8080 web-1.web.default.svc.cluster.local."]
    assert "web-0.web.default.svc.cluster.local. 30 A 10.244.1.5" in answer.additional


@pytest.mark.req("DNS-04", "DNS-22", "SVC-11")
async def test_headless_addresses_take_turns(server: DnsServer) -> None:
    answers = [await server.dig("web.default.svc.cluster.local") for _ in range(7)]

    assert all(sorted(answer.data) == ["10.244.1.5", "10.244.2.6", "10.244.2.7"] for answer in answers)
    assert {answer.data[0] for answer in answers} == {"10.244.1.5", "10.244.2.6", "10.244.2.7"}


@pytest.mark.req("DNS-07")
async def test_pod_names(server: DnsServer) -> None:
    assert (await server.dig("10-244-2-5.default.pod.cluster.local")).data == ["10.244.2.5"]
    assert (await server.dig("10.244.2.5.default.pod.cluster.local")).status == "NXDOMAIN"


@pytest.mark.req("SVC-12")
async def test_an_external_name_is_a_cname(server: DnsServer) -> None:
    outside = await server.dig("outside.default.svc.cluster.local")
    inside = await server.dig("inside.default.svc.cluster.local")

    assert outside.answers == ["outside.default.svc.cluster.local. 30 CNAME www.example.com."]
    assert inside.answers == [
        "inside.default.svc.cluster.local. 30 CNAME hello.default.svc.cluster.local.", "hello.default.svc.cluster.local. 30 A 10.96.7.7"]


@pytest.mark.req("DNS-14")
async def test_reverse_names(server: DnsServer) -> None:
    assert (await server.dig("-x", "10.96.0.1")).data == ["kubernetes.default.svc.cluster.local."]
    assert (await server.dig("-x", "10.244.1.5")).data == ["web-0.web.default.svc.cluster.local."]


async def test_what_the_zone_says_of_itself(server: DnsServer) -> None:
    assert (await server.dig("TXT", "dns-version.cluster.local")).data == ['"1.1.0"']
    assert (await server.dig("SOA", "cluster.local")).data[0].startswith("ns.dns.cluster.local. hostmaster.cluster.local. ")
    assert (await server.dig("NS", "cluster.local")).status == "NOERROR"


async def test_a_change_is_seen_by_the_next_query(server: DnsServer) -> None:
    name = "hello.default.svc.cluster.local"
    before = [await server.dig(name), await server.dig("later.default.svc.cluster.local"), await server.dig("-x", "10.96.7.9")]

    server.store.set_service(service("hello", ips=["10.96.7.9"]))
    server.store.set_service(service("later", ips=["10.96.7.10"]))
    after = [await server.dig(name), await server.dig("later.default.svc.cluster.local"), await server.dig("-x", "10.96.7.9")]
    server.store.remove_service(ServiceKey("default", "hello"))

    assert [answer.data for answer in before] == [["10.96.7.7"], [], []]
    assert [answer.data for answer in after] == [["10.96.7.9"], ["10.96.7.10"], [f"{name}."]]
    assert (await server.dig(name)).status == "NXDOMAIN"


async def test_letters_may_be_of_any_case(server: DnsServer) -> None:
    answers = [await server.dig(name) for name in ("HELLO.default.SVC.cluster.local", "hello.DEFAULT.svc.Cluster.Local")]

    assert [answer.answers[0].split()[0] for answer in answers] == ["HELLO.default.SVC.cluster.local.", "hello.DEFAULT.svc.Cluster.Local."]


async def test_a_large_answer_is_cut_over_udp_and_whole_over_tcp(server: DnsServer) -> None:
    server.store.set_service(service("big", headless=True))
    server.store.set_slice(endpoint_slice("big-1", "big", ready=[f"10.244.9.{number}" for number in range(1, 101)]))

    cut = await server.dig("+ignore", "+noedns", "big.default.svc.cluster.local")
    larger = await server.dig("+ignore", "+bufsize=4096", "big.default.svc.cluster.local")
    whole = await server.dig("+tcp", "big.default.svc.cluster.local")

    assert "tc" in cut.flags
    assert 20 <= len(cut.answers) < 30
    assert (len(larger.answers), len(whole.answers)) == (100, 100)
    assert not {"tc"} & (larger.flags | whole.flags)


@pytest.mark.parametrize(("arguments", "status"), [
    pytest.param(("CH", "TXT", "version.bind"), "REFUSED", id="another class"),
    pytest.param(("+edns=1", "+noednsneg", "hello.default.svc.cluster.local"), "BADVERS", id="an EDNS version nobody knows"),
    pytest.param(("+opcode=STATUS", "hello.default.svc.cluster.local"), "NOTIMP", id="another operation"),
    pytest.param(("AXFR", "+tcp", "cluster.local"), "", id="a zone transfer"),
    pytest.param(("www.example.com",), "SERVFAIL", id="a name outside, with no upstream"),
])
async def test_what_is_not_answered(server: DnsServer, arguments: tuple[str, ...], status: str) -> None:
    answer = await server.dig(*arguments)

    assert (answer.status, answer.answers) == (status, [])


@pytest.mark.parametrize("packet", [
    b"", b"\x00", b"\xff" * 11, b"\x00" * 12, b"\xff" * 600, b"\x00\x01\x01\x00\x00\x01" + b"\x00" * 6 + b"\xc0\x0c",
])
async def test_garbage_does_no_harm(server: DnsServer, packet: bytes) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", server.port))

    transport.sendto(packet)
    transport.close()

    assert (await server.dig("hello.default.svc.cluster.local")).data == ["10.96.7.7"]


@pytest.mark.req("DNS-15")
async def test_before_the_cluster_is_known_nothing_is_denied(server: DnsServer) -> None:
    server.store.synced = False

    answer = await server.dig("nobody.default.svc.cluster.local")

    assert answer.status == "SERVFAIL"
    assert server.runtime.ready() == ["kubernetes"]


@pytest.mark.req("DNS-17", "DNS-19")
async def test_other_names_are_asked_upstream_and_cached(tmp_path: Path) -> None:
    upstream_dir, own_dir = tmp_path / "upstream", tmp_path / "own"
    upstream_dir.mkdir()
    own_dir.mkdir()
    zone = ".:0 {\n bind 127.0.0.1\n hosts /does/not/exist {\n  192.0.2.7 www.example.com\n  ttl 300\n }\n}"
    async with running_server(upstream_dir, zone) as upstream:
        text = corefile(upstream=f"127.0.0.1:{upstream.port}", after="cache 30")
        async with running_server(own_dir, text) as server:
            first = await server.dig("www.example.com")
            counted = upstream.runtime.metrics.page()
            second = await server.dig("www.example.com")
            followed = await server.dig("outside.default.svc.cluster.local")
            missing = await server.dig("nobody.example.com")

    assert first.answers == ["www.example.com. 30 A 192.0.2.7"]
    assert second.data == ["192.0.2.7"]
    assert 'type="A"} 1' in counted
    assert followed.data == ["www.example.com.", "192.0.2.7"]
    assert missing.status == "SERVFAIL"


@pytest.mark.req("DNS-12")
async def test_with_the_cache_plugin_ttls_count_down(tmp_path: Path) -> None:
    async with running_server(tmp_path, corefile(after="cache 30")) as server:
        first = await server.dig("hello.default.svc.cluster.local")
        later = first
        async with asyncio.timeout(60):
            while later.ttls == {30}:
                later = await server.dig("hello.default.svc.cluster.local")

    assert first.ttls == {30}
    assert 0 < max(later.ttls) < 30


@pytest.mark.req("DNS-23")
@pytest.mark.parametrize(("fallthrough", "status"), [("fallthrough", "NOERROR"), ("", "SERVFAIL")])
async def test_hosts_stands_before_kubernetes(tmp_path: Path, fallthrough: str, status: str) -> None:
    before = f"hosts /does/not/exist {{\n 192.0.2.9 static.example.com\n {fallthrough}\n }}"
    async with running_server(tmp_path, corefile(before=before)) as server:
        static = await server.dig("static.example.com")
        kubernetes = await server.dig("hello.default.svc.cluster.local")

    assert static.data == ["192.0.2.9"]
    assert kubernetes.status == status


@pytest.mark.req("DNS-21")
async def test_a_reload_keeps_the_port_and_the_cluster_and_refuses_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "Corefile"
    async with running_server(tmp_path, corefile(pods="insecure")) as server:
        pod = "10-244-2-5.default.pod.cluster.local"
        before = await server.dig(pod)
        path.write_text(corefile(pods="disabled"))
        await server.runtime.reload()
        after = await server.dig(pod)
        path.write_text("nonsense")
        with pytest.raises(Exception, match="expected an opening brace"):
            await server.runtime.reload()
        still = await server.dig("hello.default.svc.cluster.local")

    assert (before.data, after.status, still.data) == (["10.244.2.5"], "NXDOMAIN", ["10.96.7.7"])


@pytest.mark.req("DNS-20")
async def test_a_forwarding_loop_ends_the_server(tmp_path: Path, unused_tcp_port: int) -> None:
    text = f".:{unused_tcp_port} {{\n bind 127.0.0.1\n loop\n forward . 127.0.0.1:{unused_tcp_port}\n}}"
    (tmp_path / "Corefile").write_text(text)

    async with Runtime(tmp_path / "Corefile") as runtime:
        assert runtime.failure is not None
        async with asyncio.timeout(60):
            with pytest.raises(Exception, match=r'Loop \(127.0.0.1 -> :\d+\) detected for zone "\."'):
                await asyncio.shield(runtime.failure)


@pytest.mark.req("DNS-14", "DNS-15", "DNS-16")
async def test_pages(tmp_path: Path, unused_tcp_port_factory: object) -> None:
    ports = [unused_tcp_port_factory() for _ in range(3)]  # type: ignore[operator]
    pages = "\n".join(f"{name} 127.0.0.1:{port}" for name, port in zip(("health", "ready", "prometheus"), ports, strict=True))
    async with running_server(tmp_path, corefile(before=pages)) as server:
        await server.dig("hello.default.svc.cluster.local")
        health, ready, metrics = [
            await asyncio.to_thread(get, port, path) for port, path in zip(ports, ("/health", "/ready", "/metrics"), strict=True)]
        server.store.synced = False
        not_ready = await asyncio.to_thread(get, ports[1], "/ready")

    assert (health, ready, not_ready) == ((200, "OK"), (200, "OK"), (503, "kubernetes"))
    assert 'coredns_dns_requests_total{server="dns://:' in metrics[1]


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
