"""The addon's rules: two points and what was used between them, a kubelet's text, the API's answers, whom it believes."""

from __future__ import annotations

from typing import Any

import pytest

from addons.metrics_server.access import FrontProxy
from addons.metrics_server.answers import as_list, as_table, node_metrics, pod_metrics
from addons.metrics_server.api import resource_at, wants_table
from addons.metrics_server.parsing import parse
from addons.metrics_server.storage import Batch, Point, Storage, Usage

POD = ("default", "web")
RESOURCE_TEXT = """\
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 2.5 100500
node_memory_working_set_bytes 2048.0 100500
container_cpu_usage_seconds_total{container="c",namespace="default",pod="web"} 1.25 100400
container_memory_working_set_bytes{container="c",namespace="default",pod="web"} 1024.0 100400
container_start_time_seconds{container="c",namespace="default",pod="web"} 90.5
container_cpu_usage_seconds_total{container="c",namespace="default",pod="half"} 1.0 100400
pod_cpu_usage_seconds_total{namespace="default",pod="web"} 1.5 100400
resource_scrape_error 0.0
"""


def of_pod(*points: Point) -> Batch:
    return Batch(pods={POD: {f"c{index}": point for index, point in enumerate(points)}})


def test_a_kubelets_text_is_read() -> None:
    batch = parse(RESOURCE_TEXT, "node1", now=7.0)

    assert batch.nodes == {"node1": Point(100.5, 2_500_000_000, 2048)}
    assert batch.pods == {POD: {"c": Point(100.4, 1_250_000_000, 1024, 90.5)}}       # half a Pod is no Pod


def test_labels_with_quotes_are_read() -> None:
    text = 'container_cpu_usage_seconds_total{container="a\\"b",namespace="n",pod="p"} 1\n'

    assert list(parse(text + text.replace("cpu_usage_seconds_total", "memory_working_set_bytes"), "n", 1.0).pods) == [("n", "p")]


def test_use_is_told_from_the_second_point_on() -> None:
    storage = Storage(15.0)
    storage.store(Batch(nodes={"n": Point(100.0, 1_000, 5)}))
    assert storage.node("n") is None

    storage.store(Batch(nodes={"n": Point(115.0, 15_000_001_000, 7)}))

    assert storage.node("n") == Usage(at=115.0, window_s=15.0, cpu_nano=1_000_000_000, memory_bytes=7)


@pytest.mark.parametrize(("first", "second", "told"), [
    pytest.param(None, Point(112.0, 6_000_000_000, 1, 100.0), 500_000_000, id="fresh, so it began with nothing"),
    pytest.param(None, Point(105.0, 5, 1, 100.0), None, id="too fresh"),
    pytest.param(None, Point(200.0, 5, 1, 100.0), None, id="old, and seen for the first time"),
    pytest.param(Point(185.0, 5, 1, 100.0), Point(200.0, 15_000_000_005, 1, 100.0), 1_000_000_000, id="seen twice"),
    pytest.param(Point(185.0, 500, 1, 100.0), Point(200.0, 20, 1, 195.0), None, id="restarted in between"),
])
def test_a_container_is_told(first: Point | None, second: Point, told: int | None) -> None:
    storage = Storage(15.0)
    if first is not None:
        storage.store(of_pod(first))
    storage.store(of_pod(second))

    usages = storage.pod(POD)

    assert (usages["c0"].cpu_nano if usages else None) == told


def test_a_pod_is_told_when_all_of_its_containers_are() -> None:
    storage = Storage(15.0)
    storage.store(of_pod(Point(100.0, 0, 1, 50.0)))
    storage.store(of_pod(Point(115.0, 9, 1, 50.0), Point(115.0, 9, 1, 50.0)))
    assert storage.pod(POD) is None

    storage.store(of_pod(Point(130.0, 9, 1, 50.0), Point(130.0, 9, 1, 50.0)))
    assert storage.pod(POD) is not None


def test_the_same_point_twice_keeps_the_one_before() -> None:
    storage = Storage(15.0)
    for at in (100.0, 115.0, 115.0):
        storage.store(Batch(nodes={"n": Point(at, int(at), 1)}))

    usage = storage.node("n")

    assert usage is not None
    assert usage.window_s == 15.0


def test_what_a_round_did_not_bring_is_forgotten() -> None:
    storage = Storage(15.0)
    for batch in (Batch(nodes={"n": Point(1.0, 1, 1)}), Batch(nodes={"n": Point(2.0, 2, 1)}), Batch()):
        storage.store(batch)

    assert storage.node("n") is None


def test_objects_as_metrics_server_writes_them() -> None:
    usage = Usage(at=1_700_000_000.4, window_s=15.0123, cpu_nano=33_489_263, memory_bytes=249_137_152)

    assert node_metrics("n", {"a": "b"}, usage, 1_700_000_001.0) == {
        "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {"name": "n", "creationTimestamp": "2023-11-14T22:13:21Z", "labels": {"a": "b"}},
        "timestamp": "2023-11-14T22:13:20Z", "window": "15.012s", "usage": {"cpu": "33489263n", "memory": "243298Ki"},
    }


def test_a_table_sums_containers() -> None:
    usages = {"a": Usage(10.0, 15.0, 1_000_000, 1024), "b": Usage(9.0, 14.0, 2_000_000, 2048)}
    pod = pod_metrics("default", "web", {}, usages, 20.0)

    table = as_table([pod], "Metadata")

    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert table["rows"][0]["cells"] == ["web", "3m", "3Ki", "14s"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert as_list("PodMetrics", [pod])["items"][0]["containers"][0] == {"name": "a", "usage": {"cpu": "1m", "memory": "1Ki"}}


@pytest.mark.parametrize(("path", "wanted"), [
    ("/apis/metrics.k8s.io/v1beta1/nodes", ("nodes", "", "")),
    ("/apis/metrics.k8s.io/v1beta1/nodes/n1", ("nodes", "", "n1")),
    ("/apis/metrics.k8s.io/v1beta1/pods", ("pods", "", "")),
    ("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/web", ("pods", "default", "web")),
    ("/apis/metrics.k8s.io/v1beta1", None),
    ("/apis/metrics.k8s.io/v1beta1/namespaces/default/nodes", None),
])
def test_paths(path: str, wanted: tuple[str, str, str] | None) -> None:
    assert resource_at(path) == wanted


@pytest.mark.parametrize(("accept", "table"), [
    ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", True),
    ("application/json", False), ("application/vnd.kubernetes.protobuf,application/json", False), ("*/*", False), ("", False),
])
def test_tables_are_made_for_who_asks(accept: str, table: bool) -> None:
    assert wants_table(accept) is table


@pytest.mark.parametrize(("common_name", "headers", "user"), [
    pytest.param("front-proxy-client", [("x-remote-user", "jane"), ("x-remote-group", "devs")], "jane", id="the proxy speaks for somebody"),
    pytest.param("front-proxy-client", [], None, id="for nobody"),
    pytest.param("somebody", [("x-remote-user", "jane")], None, id="another certificate of that authority"),
])
def test_only_the_front_proxy_is_believed(common_name: str, headers: list[tuple[str, str]], user: str | None) -> None:
    proxy = FrontProxy(ca="", names=("front-proxy-client",), user=("X-Remote-User",), group=("X-Remote-Group",), extra=("X-Remote-Extra-",))
    certificate: dict[str, Any] = {"subject": ((("commonName", common_name),),)}

    caller = proxy.caller(certificate, headers)

    assert (caller.user if caller else None) == user
