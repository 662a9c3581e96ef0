"""What the launcher applies: it must be what the DNS rows say, and its Corefile must work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from addons.coredns.corefile import parse_corefile
from addons.coredns.runtime import Runtime
from addons.coredns.site import build_site
from kube.apimachinery.decode import check_structure
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind

PATH = Path(__file__).parents[2] / "addons/coredns/manifests/coredns.yaml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(PATH.read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = [obj for obj in OBJECTS if obj["kind"] == kind]
    return found


@pytest.mark.parametrize("obj", OBJECTS, ids=[obj["kind"] for obj in OBJECTS])
def test_objects_have_known_fields_only(obj: dict[str, Any]) -> None:
    schema = schemas().for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
    assert schema is not None

    problems = check_structure(obj, schema, "")

    assert not list(problems.unknown)


@pytest.mark.req("DNS-01")
def test_two_pods_behind_kube_dns() -> None:
    service, deployment = of_kind("Service"), of_kind("Deployment")

    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == ("kube-dns", "10.96.0.10")
    assert [(port["port"], port["protocol"]) for port in service["spec"]["ports"]] == [(53, "UDP"), (53, "TCP"), (9153, "TCP")]
    assert deployment["spec"]["replicas"] == 2
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"] == {"k8s-app": "kube-dns"}


@pytest.mark.req("DNS-09")
def test_the_corefile_of_the_config_map_works(tmp_path: Path) -> None:
    text = of_kind("ConfigMap")["data"]["Corefile"]

    site = build_site(parse_corefile(text), Runtime(tmp_path / "Corefile"))

    assert set(site.chains) == {("0.0.0.0", 53)}
    assert {key[0] for key in site.services if isinstance(key, tuple)} == {
        "health", "ready", "kubernetes", "prometheus", "loop", "reload"}
    assert site.lameduck_s == 5
