"""Services and DNS as Pods, nodes and other Pods meet them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from launcher.testing.cluster import Cluster, CommandFailed, eventually
from tests.support.space import Json, Space, container, pod, server, service

ZONE = "svc.cluster.local"
NODE2 = "172.30.0.12"


@pytest.fixture
def web(space: Space) -> Space:
    """Three Pods that answer with their names, on both workers, behind nothing yet; and a client."""
    nodes = ["node2", "node3", "node2"]
    space.run(
        *(pod(f"web-{number}", server(), labels={"app": "web"}, nodeName=node) for number, node in enumerate(nodes)),
        pod("client", container(), nodeName="node3"),
    )
    return space


def node_curl(space: Space, node: str, *arguments: str) -> str:
    return space.cluster.in_node(node, "curl", "-sS", "-m", "20", *arguments)


def answers(space: Space, url: str, times: int = 30, pod: str = "client") -> Counter[str]:
    """Many connections by one curl: one process start for all."""
    script = f"for i in $(seq {times}); do curl -sS -m 20 {url}; done"
    return Counter(space.cluster.in_pod(pod, "sh", "-c", script, namespace=space.namespace).split())


@pytest.mark.req("SVC-01", "SVC-02", "SVC-14", "POD-04", "EPS-01", "EPS-02")
def test_a_cluster_ip_spreads_over_its_pods(web: Space) -> None:
    web.create(service("web"))
    address = web.get("service", "web")["spec"]["clusterIP"]
    eventually(lambda: web.kubectl("get", "endpoints", "web", "--no-headers").split()[1].count(":8080") == 3)

    eventually(lambda: len(answers(web, f"http://{address}", 15)) == 3)
    found = answers(web, f"http://{address}", 90)
    from_node = eventually(lambda: node_curl(web, "node1", f"http://{address}"))
    slices = web.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=web", "--no-headers").split()

    assert all(5 <= count <= 60 for count in found.values()), found
    assert from_node.startswith("web-")
    assert (slices[1], slices[2], slices[3].count(",")) == ("IPv4", "8080", 2)
    assert web.kubectl("get", "service", "web", "--no-headers").split()[1:5] == ["ClusterIP", address, "<none>", "80/TCP"]
    text = " ".join(web.kubectl("describe", "service", "web").split())
    for part in ("Type: ClusterIP", "TargetPort: 8080/TCP", "Session Affinity: None"):
        assert part in text

    web.kubectl("delete", "pod", "web-0")
    eventually(lambda: "web-0" not in answers(web, f"http://{address}", 20))


@pytest.mark.req("SVC-04", "SVC-05")
def test_a_node_port_answers_on_every_node(web: Space) -> None:
    web.kubectl("create", "service", "nodeport", "web", "--tcp=80:8080")
    port = web.get("service", "web")["spec"]["ports"][0]["nodePort"]

    assert 30000 <= port <= 32767
    for node in ("172.30.0.11", NODE2, "172.30.0.13"):
        assert eventually(lambda node=node: web.curl("client", f"http://{node}:{port}")).startswith("web-")  # type: ignore[misc]
        assert eventually(lambda node=node: node_curl(web, "node1", f"http://{node}:{port}")).startswith("web-")  # type: ignore[misc]


@pytest.mark.req("SVC-01")
def test_a_pod_reaches_itself_through_its_service(space: Space) -> None:
    space.run(pod("alone", server()))
    space.kubectl("expose", "pod", "alone", "--port=80", "--target-port=8080")

    assert eventually(lambda: space.curl("alone", f"http://alone.{space.namespace}.{ZONE}")).strip() == "alone"
    assert set(answers(space, "http://alone", 10, pod="alone")) == {"alone"}


@pytest.mark.req("SVC-01", "SVC-13")
def test_without_endpoints_it_refuses_at_once_and_by_hand_it_goes_anywhere(space: Space) -> None:
    space.run(pod("client", container()), pod("outside", server(answer="by hand"), labels={"x": "y"}))
    space.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "manual"}, "spec": {"ports": [{"name": "http", "port": 80}]}})

    space.knows("client", f"manual.{space.namespace}.{ZONE}", space.get("service", "manual")["spec"]["clusterIP"])

    def refused() -> bool:
        """Not resolved no more, and not without an answer."""
        try:
            space.curl("client", f"http://manual.{space.namespace}.{ZONE}")
        except CommandFailed as error:
            return re.search("Connection refused|Couldn't connect|Failed to connect", str(error)) is not None
        return False

    eventually(refused)
    assert space.items("endpointslices") == []
    space.create({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "manual-1", "labels": {"kubernetes.io/service-name": "manual"}},
        "ports": [{"name": "http", "port": 8080}], "endpoints": [{"addresses": [space.pod("outside")["status"]["podIP"]]}],
    })

    assert eventually(lambda: space.curl("client", f"http://manual.{space.namespace}.{ZONE}")).strip() == "by hand"


@pytest.mark.req("SVC-14")
def test_session_affinity_stays_with_one_pod(web: Space) -> None:
    web.create(service("web", sessionAffinity="ClientIP"))
    address = web.get("service", "web")["spec"]["clusterIP"]
    eventually(lambda: web.curl("client", f"http://{address}"))

    assert len(answers(web, f"http://{address}", 20)) == 1


@pytest.mark.req("SVC-15")
def test_target_ports_by_name_and_several_ports(space: Space) -> None:
    extra = server("extra", "extra", port=9090)
    extra["ports"] = [{"name": "second", "containerPort": 9090}]
    ports = [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": "second"}]
    space.run(pod("web", server(answer="first"), extra), pod("client", container()))
    space.create({**service("web", ports=ports)})
    name = f"web.{space.namespace}.{ZONE}"

    assert eventually(lambda: space.curl("client", f"http://{name}")).strip() == "first"
    assert space.curl("client", f"http://{name}:81").strip() == "extra"
    unnamed: list[Json] = [{"port": 80}, {"port": 81}]
    assert "spec.ports[0].name: Required value" in space.refused("create", "-f", "-", stdin=json.dumps(service("x", ports=unnamed)))


@pytest.mark.req("SVC-01")
def test_udp(space: Space) -> None:
    program = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 9999))
while True:
    data, peer = s.recvfrom(1000)
    s.sendto(data + b" from " + peer[0].encode(), peer)
"""
    echo = {"name": "main", "image": "python", "command": ["python3", "-c", program]}
    ask = """import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(b"ping", (sys.argv[1], 99))
print(s.recv(1000).decode())
"""
    space.create(service("echo", ports=[{"port": 99, "targetPort": 9999, "protocol": "UDP"}]))
    space.run(pod("echo", echo), pod("client", {"name": "main", "image": "python", "command": ["sleep", "1000"]}))

    answer = eventually(lambda: space.exec("client", "python3", "-c", ask, f"echo.{space.namespace}.{ZONE}"))

    assert answer.strip() == f"ping from {space.pod('client')['status']['podIP']}"


@pytest.mark.req("DNS-02", "DNS-03", "DNS-05", "DNS-07", "DNS-12", "DNS-14", "SVC-16")
def test_names_of_services(space: Space) -> None:
    space.run(pod("client", container()))
    space.create(service("web"))
    address = space.get("service", "web")["spec"]["clusterIP"]
    full = f"web.{space.namespace}.{ZONE}"

    space.knows("client", full, address)
    for name in ("web", f"web.{space.namespace}", f"web.{space.namespace}.svc", full):
        assert f"Address: {address}" in space.sh("client", f"nslookup -type=a {name} | tail -n +3; nslookup {full}")
        assert space.dig("client", "+search", "+short", name).split() == [address]
    whole = space.dig("client", full)
    assert "flags: qr aa rd" in whole
    assert int(next(line for line in whole.splitlines() if line.startswith(full)).split()[1]) <= 30
    empty = space.dig("client", "AAAA", full)
    assert ("status: NOERROR" in empty, "ANSWER: 0" in empty, "SOA" in empty) == (True, True, True)
    missing = space.dig("client", f"nope.{space.namespace}.{ZONE}")
    assert ("status: NXDOMAIN" in missing, "SOA" in missing) == (True, True)
    assert space.dig("client", "+short", "SRV", f"_http._tcp.{full}").split() == ["0", "100", "80", f"{full}."]
    assert space.dig("client", "+tcp", "+short", full).split() == [address]
    assert space.dig("client", "+short", "-x", address).split() == [f"{full}."]
    assert space.dig("client", "+short", "-x", "10.96.0.1").split() == [f"kubernetes.default.{ZONE}."]
    assert space.dig("client", "+short", f"10-244-2-5.{space.namespace}.pod.cluster.local").split() == ["10.244.2.5"]


@pytest.mark.req("SVC-11", "DNS-04", "DNS-05", "DNS-06", "DNS-22")
def test_a_headless_service_names_its_pods(web: Space) -> None:
    web.create(service("web", clusterIP="None"))
    web.run(pod("named", server(), hostname="me", subdomain="web", labels={"app": "web"}))
    addresses = {item["status"]["podIP"] for item in web.items("pods", "-l", "app=web")}
    full = f"web.{web.namespace}.{ZONE}"

    web.knows("client", full, *addresses)
    assert web.dig("client", "+short", f"me.{full}").split() == [web.pod("named")["status"]["podIP"]]
    targets = {line.split()[3] for line in web.dig("client", "+short", "SRV", f"_http._tcp.{full}").splitlines()}
    assert f"me.{full}." in targets
    assert len(targets) == 4
    queries = [argument for _ in range(120) for argument in (full, "A")]
    firsts = {block.split()[0] for block in _blocks(web.dig("client", "+noall", "+answer", *queries), 4)}
    assert firsts == addresses
    assert web.kubectl("get", "service", "web", "--no-headers").split()[1:3] == ["ClusterIP", "None"]
    web.kubectl("delete", "pod", "web-1")
    eventually(lambda: len(web.dig("client", "+short", full).split()) == 3)


def _blocks(answer: str, size: int) -> Iterator[str]:
    """The address column of each answer section, `size` records each."""
    values = [line.split()[-1] for line in answer.splitlines() if line]
    for start in range(0, len(values), size):
        yield " ".join(values[start : start + size])


@pytest.mark.req("SVC-12")
def test_an_external_name_is_an_alias(space: Space) -> None:
    space.run(pod("client", container()))
    space.create(service("web"), {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"},
        "spec": {"type": "ExternalName", "externalName": f"web.{space.namespace}.{ZONE}"},
    })

    target = [f"web.{space.namespace}.{ZONE}."]
    eventually(lambda: space.dig("client", "+short", "CNAME", f"alias.{space.namespace}.{ZONE}").split() == target)
    row = space.kubectl("get", "service", "alias", "--no-headers").split()
    assert row[1:4] == ["ExternalName", "<none>", f"web.{space.namespace}.{ZONE}"]


@pytest.mark.req("DNS-01", "DNS-09", "DNS-11", "DNS-15", "DNS-16")
def test_the_dns_pods(kubonsai_cluster: Cluster) -> None:
    row = kubonsai_cluster.kubectl("get", "service", "kube-dns", "-n", "kube-system", "--no-headers").split()
    dns = kubonsai_cluster.pods("kube-system", "k8s-app=kube-dns")
    address = dns[0]["status"]["podIP"]

    def get(path: str) -> str:
        return kubonsai_cluster.in_node("node2", "curl", "-sS", "-m", "20", f"http://{address}:{path}")

    assert (row[2], row[4]) == ("10.96.0.10", "53/UDP,53/TCP,9153/TCP")
    assert [item["status"]["phase"] for item in dns] == ["Running", "Running"]
    assert get("8080/health") == "OK"
    assert get("8181/ready") == "OK"
    assert "coredns_dns_requests_total" in get("9153/metrics")
    assert "kubernetes cluster.local" in kubonsai_cluster.get("configmap", "coredns", "-n", "kube-system")["data"]["Corefile"]
    direct = kubonsai_cluster.in_node("node3", "dig", "+short", f"@{address}", f"kubernetes.default.{ZONE}")
    assert direct.split() == ["10.96.0.1"]


@pytest.mark.req("DNS-08")
def test_dns_policies(space: Space) -> None:
    own: Json = {"nameservers": ["192.0.2.53"], "searches": ["example.com"], "options": [{"name": "ndots", "value": "2"}]}
    space.create(
        pod("none", container(), dnsPolicy="None", dnsConfig=own), pod("default", container(), dnsPolicy="Default"),
        pod("both", container(), dnsConfig={"searches": ["example.com"]}),
    )
    space.ready("none", "default", "both")

    def resolver(name: str) -> list[str]:
        return space.sh(name, "cat /etc/resolv.conf").splitlines()

    assert resolver("none") == ["search example.com", "nameserver 192.0.2.53", "options ndots:2"]
    assert "nameserver 10.96.0.10" not in resolver("default")
    assert resolver("both")[0].endswith("cluster.local example.com")


@pytest.mark.req("POD-04")
def test_pods_see_each_others_addresses(space: Space) -> None:
    space.create(service("a"))
    space.run(pod("a", container(script="exec httpd -f -v -p 8080"), nodeName="node2"), pod("b", container(), nodeName="node3"))

    for target in (f"{space.pod('a')['status']['podIP']}:8080", f"a.{space.namespace}.{ZONE}"):
        eventually(lambda target=target: "404" in space.curl("b", f"http://{target}/"))  # type: ignore[misc]

    lines = eventually(lambda: found if len(found := [
        line for line in space.kubectl("logs", "a").splitlines() if "response:404" in line]) == 2 else None)
    assert all(f"{space.pod('b')['status']['podIP']}]" in line for line in lines)
