"""The hello example, as a user runs it: a Deployment behind a Service, by name, across two nodes; rollouts without a lost request."""

from __future__ import annotations

import json
import threading
from collections import Counter

import pytest

from launcher.testing.cluster import ROOT, Cluster, CommandFailed, eventually
from tests.support.space import Space

# A node of a busy machine may hear of an end later than the example thinks.
PATIENT = [{"op": "replace", "path": "/spec/template/spec/containers/0/lifecycle/preStop/exec/command", "value": ["sleep", "10"]}]


@pytest.fixture
def hello(kubonsai_cluster: Cluster, namespace: str) -> str:
    """The example, running in a namespace of the test's own."""
    kubonsai_cluster.kubectl("apply", "-n", namespace, "-f", str(ROOT / "examples/hello"))
    kubonsai_cluster.kubectl("rollout", "status", "-n", namespace, "deployment/hello", "--timeout=120s")
    space, address = Space(kubonsai_cluster, namespace), kubonsai_cluster.get("service", "hello", "-n", namespace)["spec"]["clusterIP"]
    pod = first_pod(kubonsai_cluster, namespace)
    space.knows(pod, f"hello.{namespace}.svc.cluster.local", address)
    eventually(lambda: len({space.curl(pod, f"http://{address}") for _ in range(30)}) == 3)
    return namespace


def first_pod(cluster: Cluster, namespace: str) -> str:
    name: str = cluster.pods(namespace, "app=hello")[0]["metadata"]["name"]
    return name


@pytest.mark.req("ENV-03", "DNS-02", "SVC-01", "SVC-02", "POD-04")
def test_service_is_answered_by_every_pod_on_both_workers(kubonsai_cluster: Cluster, hello: str) -> None:
    pod = first_pod(kubonsai_cluster, hello)

    answers = Counter(
        kubonsai_cluster.in_pod(pod, "curl", "-sS", "-m", "20", f"http://hello.{hello}.svc.cluster.local", namespace=hello)
        for _ in range(30)
    )

    assert len(answers) == 3, answers
    assert {answer.split()[-1] for answer in answers} == {"node2", "node3"}
    assert {answer.split()[2] for answer in answers} == {p["metadata"]["name"] for p in kubonsai_cluster.pods(hello, "app=hello")}


@pytest.mark.req("DNS-03", "DNS-08")
def test_short_names_work_through_the_search_list(kubonsai_cluster: Cluster, hello: str) -> None:
    pod = first_pod(kubonsai_cluster, hello)

    for name in ("hello", f"hello.{hello}", f"hello.{hello}.svc"):
        assert kubonsai_cluster.in_pod(pod, "curl", "-sS", "-m", "20", f"http://{name}", namespace=hello).startswith("hello from hello-")


@pytest.mark.req("DNS-02", "DNS-05")
def test_dig_answers_a_and_srv(kubonsai_cluster: Cluster, hello: str) -> None:
    pod = first_pod(kubonsai_cluster, hello)
    service = kubonsai_cluster.get("service", "hello", "-n", hello)
    name = f"hello.{hello}.svc.cluster.local"

    address = kubonsai_cluster.in_pod(pod, "dig", "+short", "A", name, namespace=hello)
    srv = kubonsai_cluster.in_pod(pod, "dig", "+short", "SRV", f"_http._tcp.{name}", namespace=hello)
    nothing = kubonsai_cluster.in_pod(pod, "dig", "A", f"nope.{hello}.svc.cluster.local", namespace=hello)

    assert address.split() == [service["spec"]["clusterIP"]]
    assert srv.split() == ["0", "100", "80", f"{name}."]
    assert "status: NXDOMAIN" in nothing


@pytest.mark.req("RES-02", "WRK-06", "WRK-07")
def test_rollout_loses_no_request_and_can_be_undone(kubonsai_cluster: Cluster, hello: str) -> None:
    cluster = kubonsai_cluster
    cluster.kubectl("patch", "-n", hello, "deployment/hello", "--type=json", "-p", json.dumps(PATIENT))
    cluster.kubectl("rollout", "status", "-n", hello, "deployment/hello", "--timeout=120s")
    pod = first_pod(cluster, hello)
    cluster.kubectl("run", "client", "-n", hello, "--image=busybox", "--restart=Never", "--", "sleep", "300")
    cluster.kubectl("wait", "-n", hello, "--for=condition=Ready", "pod/client", "--timeout=120s")
    failures, seen, stop = [], set(), threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                seen.add(cluster.in_pod("client", "curl", "-sS", "-m", "20", f"http://hello.{hello}.svc.cluster.local", namespace=hello))
            except CommandFailed as error:
                failures.append(str(error))

    client = threading.Thread(target=loop)
    client.start()
    try:
        eventually(lambda: len(seen) == 3)
        cluster.kubectl("set", "env", "-n", hello, "deployment/hello", "GREETING=welcome")
        cluster.kubectl("rollout", "status", "-n", hello, "deployment/hello", "--timeout=120s")
        eventually(lambda: len({answer for answer in seen if answer.startswith("welcome")}) == 3)
    finally:
        stop.set()
        client.join()

    assert failures == []
    assert pod not in {p["metadata"]["name"] for p in cluster.pods(hello, "app=hello") if "deletionTimestamp" not in p["metadata"]}
    history = cluster.kubectl("rollout", "history", "-n", hello, "deployment/hello")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2", "3"]

    cluster.kubectl("rollout", "undo", "-n", hello, "deployment/hello")
    cluster.kubectl("rollout", "status", "-n", hello, "deployment/hello", "--timeout=120s")
    env = json.loads(cluster.kubectl("get", "-n", hello, "deployment/hello", "-o", "jsonpath={.spec.template.spec.containers[0].env[0]}"))
    assert env == {"name": "GREETING", "value": "hello"}
