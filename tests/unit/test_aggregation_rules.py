"""API aggregation without a server: what an APIService may say, when its server is available, what discovery shows."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.aggregation.availability import PASSED, service_problem, set_condition
from control_plane.apiserver.aggregation.documents import described_resources, merged_groups, with_aggregated
from control_plane.apiserver.aggregation.priorities import BUILT_IN, CUSTOM, Priority
from control_plane.apiserver.aggregation.registration import ALWAYS, ON_START, local_service, plan, served_by
from control_plane.apiserver.aggregation.strategy import APIServiceStrategy
from control_plane.apiserver.aggregation.targets import Target
from control_plane.apiserver.aggregation.trust import BadBundle, Contexts, escaped_key, identity_headers
from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersion
from kube.process.clock import SystemClock

SERVICE = {"namespace": "default", "name": "api"}


def causes(spec: dict[str, Any], name: str = "v1.example.com") -> list[str]:
    row = SCHEME.for_path("apiregistration.k8s.io", "v1", "apiservices")
    assert row is not None
    full = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15, **spec}
    obj = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}, "spec": full}
    strategy = APIServiceStrategy(row)
    strategy.default(obj)
    return [f"{cause.field}: {cause.message}" for cause in strategy.validate_object(obj, None)]


@pytest.mark.parametrize(("spec", "name", "expected"), [
    pytest.param({"service": SERVICE, "caBundle": "eA=="}, "v1.example.com", [], id="fine"),
    pytest.param({}, "v1.example.com", [], id="local"),
    pytest.param({"version": "v2"}, "v1.example.com", [
        'metadata.name: Invalid value: "v1.example.com": must be `spec.version+"."+spec.group`: "v2.example.com"'], id="name"),
    pytest.param({"group": "", "version": "v2"}, "v2.", [
        "spec.group: Required value: only v1 may have an empty group and it better be legacy kube"], id="empty group"),
    pytest.param({"groupPriorityMinimum": 20001, "versionPriority": 0}, "v1.example.com", [
        "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
        "spec.versionPriority: Invalid value: 0: must be positive and less than 1000"], id="priorities"),
    pytest.param({"caBundle": "eHl6", "insecureSkipTLSVerify": True}, "v1.example.com", [
        'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle',
        "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"], id="local with trust"),
    pytest.param({"service": {}}, "v1.example.com", [
        "spec.service.namespace: Required value", "spec.service.name: Required value"], id="service"),
    pytest.param({"service": SERVICE, "caBundle": "eA==", "insecureSkipTLSVerify": True}, "v1.example.com", [
        "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"], id="both trusts"),
])
def test_rules_of_an_api_service(spec: dict[str, Any], name: str, expected: list[str]) -> None:
    assert causes(spec, name) == expected


def endpoint_slice(port: str = "https", *, ready: bool = True) -> dict[str, Any]:
    return {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}], "ports": [{"name": port, "port": 8443}]}


@pytest.mark.parametrize(("service", "slices", "reason"), [
    (None, [], "ServiceNotFound"),
    ({"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}, [], "ServicePortError"),
    ({"spec": {"ports": [{"port": 443, "name": "https"}]}}, [], "EndpointsNotFound"),
    ({"spec": {"ports": [{"port": 443, "name": "https"}]}}, [endpoint_slice("http")], "MissingEndpoints"),
    ({"spec": {"ports": [{"port": 443, "name": "https"}]}}, [endpoint_slice(ready=False)], "MissingEndpoints"),
    ({"spec": {"ports": [{"port": 443, "name": "https"}]}}, [endpoint_slice()], None),
    ({"spec": {"type": "ExternalName", "externalName": "x"}}, [], None),
])
def test_availability_by_the_objects_alone(service: dict[str, Any] | None, slices: list[dict[str, Any]], reason: str | None) -> None:
    verdict = service_problem("default", "api", 443, service, slices)

    assert (verdict.reason if verdict else None) == reason


def test_the_transition_moves_with_the_status_alone() -> None:
    obj: dict[str, Any] = {"status": {"conditions": [
        {"type": "Available", "status": "True", "reason": "Other", "message": "", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}}

    set_condition(obj, PASSED, SystemClock().now())

    assert obj["status"]["conditions"] == [{
        "type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed",
        "lastTransitionTime": "2020-01-01T00:00:00Z"}]


def target(group: str, version: str, group_priority: int, priority: int = 10) -> Target:
    return Target(f"{version}.{group}", GroupVersion(group, version), "default", "api", 443, b"", False, group_priority, priority)


def test_groups_stand_by_priority_then_by_name() -> None:
    served = [GroupVersion("apiregistration.k8s.io", "v1"), GroupVersion("apps", "v1"), GroupVersion("b.example", "v1")]

    groups = merged_groups(served, [
        target("metrics.k8s.io", "v1beta1", 100), target("a.example", "v1", 1000), target("top.example", "v2", 18000, 5),
        target("top.example", "v1", 17000, 7),
    ])

    assert [name for name, _ in groups] == ["apiregistration.k8s.io", "top.example", "apps", "a.example", "b.example", "metrics.k8s.io"]
    assert dict(groups)["top.example"] == [GroupVersion("top.example", "v1"), GroupVersion("top.example", "v2")]


def test_every_built_in_group_has_a_priority_that_keeps_its_place() -> None:
    served = SCHEME.group_versions()

    assert {one for one in served if one.group != "apiregistration.k8s.io"} <= BUILT_IN.keys()
    assert [one for _, versions in merged_groups(served, []) for one in versions] == [one for one in served if one.group]


def test_a_server_never_seen_is_there_but_stale() -> None:
    one = target("metrics.k8s.io", "v1beta1", 100)

    made = with_aggregated({"items": []}, merged_groups([], [one]), {one.group_version: one})

    assert made["items"] == [{
        "metadata": {"name": "metrics.k8s.io"},
        "versions": [{"version": "v1beta1", "resources": [], "freshness": "Stale"}]}]


def test_subresources_stand_within_their_resource() -> None:
    found = described_resources(GroupVersion("g", "v1"), [
        {"name": "things/scale", "namespaced": True, "kind": "Scale", "group": "autoscaling", "version": "v1", "verbs": ["get"]},
        {"name": "things", "singularName": "thing", "namespaced": True, "kind": "Thing", "verbs": ["list"]},
    ])

    assert found == [{
        "resource": "things", "scope": "Namespaced", "verbs": ["list"], "singularResource": "thing",
        "responseKind": {"group": "g", "version": "v1", "kind": "Thing"},
        "subresources": [{
            "subresource": "scale", "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"}, "verbs": ["get"]}],
    }]


def test_what_is_looked_after_and_what_is_left_alone() -> None:
    apps, batch = GroupVersion("apps", "v1"), GroupVersion("batch", "v1")
    kept, changed = local_service(apps, BUILT_IN[apps], ON_START), local_service(batch, Priority(1, 1), ON_START)
    gone, custom = local_service(GroupVersion("old", "v1"), CUSTOM, ON_START), local_service(GroupVersion("c", "v1"), CUSTOM, ALWAYS)
    own = {"metadata": {"name": "v1.mine"}, "spec": {}}
    wanted = [local_service(one, BUILT_IN[one], ON_START) for one in (apps, batch, GroupVersion("policy", "v1"))]

    todo = plan(wanted, [kept, changed, gone, custom, own], ON_START)

    assert [one["metadata"]["name"] for one in todo.create] == ["v1.policy"]
    assert [one["metadata"]["name"] for one in todo.update] == ["v1.batch"]
    assert todo.delete == ["v1.old"]
    assert plan([], [kept, custom, own], ALWAYS).delete == ["v1.c"]


def test_custom_kinds_count_when_they_are_established_and_served() -> None:
    spec = {"group": "g", "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}]}
    established = {"spec": spec, "status": {"conditions": [{"type": "Established", "status": "True"}]}}

    assert served_by([established]) == {GroupVersion("g", "v1")}
    assert served_by([{"spec": spec}]) == set()


def test_headers_tell_who_asks() -> None:
    user = UserInfo("anna", "7", ("staff", "all"), {"Example.com/room": ("1", "2"), "100%": ("x",)})

    assert identity_headers(user) == (
        ("X-Remote-User", "anna"), ("X-Remote-Uid", "7"), ("X-Remote-Group", "staff"), ("X-Remote-Group", "all"),
        ("X-Remote-Extra-Example.com%2Froom", "1"), ("X-Remote-Extra-Example.com%2Froom", "2"), ("X-Remote-Extra-100%25", "x"))
    assert escaped_key("ü") == "%C3%BC"


def test_a_bundle_without_certificates_is_said_so() -> None:
    with pytest.raises(BadBundle, match="unable to load root certificates: unable to parse bytes as PEM block"):
        Contexts(None).of(b"nothing", insecure=False)
