"""Whether a write fits into the quotas of its namespace, and what they are charged; when a count can be trusted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.admission.resource_quota.configuration import limited_resources
from control_plane.apiserver.admission.resource_quota.rules import Account, charged
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.controllers.resource_quota.settling import Settling
from control_plane.quota.amounts import listed
from control_plane.quota.evaluator import Evaluator
from control_plane.quota.registry import Evaluators
from kube.apimachinery.errors import ApiError, Forbidden
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.process.config import ConfigError
from tests.support.memory_store import resource_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEY = NamespacedName("n", "q")


class NoDevices:
    def device_class_of(self, extended_resource: str) -> str:
        return ""

    def extended_resource_of(self, device_class: str) -> str:
        return ""

    def pod(self, namespace: str, name: str) -> JsonObject | None:
        return None

    def claims_for_extended(self, namespace: str) -> list[JsonObject]:
        return []


def account(name: str, hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> Account:
    status = {"hard": hard, "used": dict.fromkeys(hard, "0") if used is None else used}
    return Account.of({"metadata": {"name": name, "namespace": "n"}, "spec": {"hard": hard, **spec}, "status": status}, 1)


def pod(cpu: str = "", **spec: Any) -> JsonObject:
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
        "spec": {"containers": [{"name": "c", "resources": resources}], **spec}}


def request(obj: JsonObject, old: JsonObject | None = None, subresource: str = "") -> AdmissionRequest:
    operation = Operation.CREATE if old is None else Operation.UPDATE
    return AdmissionRequest(
        user=UserInfo("bob"), operation=operation, resource=resource_of(obj), subresource=subresource, namespace="n",
        name=obj["metadata"]["name"], obj=obj, old=old)


def evaluator_of(asked: AdmissionRequest) -> Evaluator:
    return Evaluators(NoDevices()).of(asked.resource.group_resource)


def after(asked: AdmissionRequest, *accounts: Account, limited: JsonObject | None = None) -> dict[str, str]:
    """Quota -> what it says is used, of those that the write changed."""
    found = charged(accounts, evaluator_of(asked), asked, limited_resources(limited), NOW)
    return {new.name: listed(new.used) for old, new in zip(accounts, found, strict=True) if new is not old}


def refusal(asked: AdmissionRequest, *accounts: Account, limited: JsonObject | None = None) -> str:
    with pytest.raises(ApiError) as refused:
        after(asked, *accounts, limited=limited)
    return str(refused.value).removeprefix('pods "p" is forbidden: ')


def test_every_quota_that_is_about_the_object_is_charged() -> None:
    accounts = [
        account("counted", {"pods": "2"}, {"pods": "1"}), account("computed", {"requests.cpu": "1", "pods": "9"}),
        account("others", {"services": "1"}), account("best", {"pods": "0"}, scopes=["BestEffort"]),
    ]

    assert after(request(pod("300m")), *accounts) == {"counted": "pods=2", "computed": "pods=1,requests.cpu=300m"}


def test_only_what_is_exceeded_is_told() -> None:
    full = account("q", {"pods": "1", "cpu": "1", "requests.cpu": "5"}, {"pods": "1", "cpu": "900m", "requests.cpu": "0"})

    assert refusal(request(pod("300m")), full) == (
        "exceeded quota: q, requested: cpu=300m,pods=1, used: cpu=900m,pods=1, limited: cpu=1,pods=1")


def test_who_is_over_already_may_still_shrink() -> None:
    over = account("q", {"requests.cpu": "1"}, {"requests.cpu": "3"})

    assert after(request(pod("1"), pod("2"), "resize"), over) == {}
    assert "requested: requests.cpu=500m, used: requests.cpu=3" in refusal(request(pod("2500m"), pod("2"), "resize"), over)


def test_who_comes_into_a_scope_pays_the_whole_price() -> None:
    accounts = [account("ending", {"cpu": "1"}, scopes=["Terminating"]), account("all", {"cpu": "9"})]

    assert after(request(pod("400m", activeDeadlineSeconds=9), pod("400m")), *accounts) == {"ending": "cpu=400m"}


def test_what_a_status_says_is_charged_even_if_it_does_not_fit() -> None:
    def claim(allocated: str) -> JsonObject:
        return {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "v", "namespace": "n"},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}}, "status": {"allocatedResources": {"storage": allocated}}}

    quota = account("q", {"requests.storage": "2Gi"}, {"requests.storage": "1Gi"})

    assert after(request(claim("4Gi"), claim("1Gi"), "status"), quota) == {"q": "requests.storage=4Gi"}


@pytest.mark.parametrize(("quota", "why"), [
    pytest.param(account("q", {"limits.cpu": "1", "pods": "1"}), "failed quota: q: must specify limits.cpu for: c", id="says too little"),
    pytest.param(
        account("q", {"cpu": "1", "pods": "1"}, {"pods": "0"}), "status unknown for quota: q, resources: cpu,pods", id="not yet counted"),
])
def test_why_else_a_pod_is_refused(quota: Account, why: str) -> None:
    assert refusal(request(pod("1")), quota) == why


def configuration(**limited: Any) -> JsonObject:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "ResourceQuotaConfiguration", "limitedResources": [
            {"resource": "pods", **limited}]}


def test_what_is_limited_needs_a_quota_that_names_it() -> None:
    limited = configuration(matchContains=["cpu"])

    assert refusal(request(pod("1")), account("q", {"pods": "1"}), limited=limited) == (
        "insufficient quota to consume: cpu,requests.cpu")
    assert after(request(pod()), limited=limited) == {}
    assert after(request(pod("1")), account("q", {"requests.cpu": "1", "cpu": "1"}), limited=limited) == {"q": "cpu=1,requests.cpu=1"}


def test_what_is_limited_by_scope_needs_a_quota_with_that_scope() -> None:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high", "higher"]}
    limited = configuration(matchScopes=[scope])
    high = pod(priorityClassName="high")

    assert refusal(request(high), account("q", {"pods": "1"}), limited=limited) == (
        "insufficient quota to match these scopes: [{PriorityClass In [high higher]}]")
    covering = account("q", {"pods": "1"}, scopeSelector={"matchExpressions": [scope]})
    assert after(request(high), covering, limited=limited) == {"q": "pods=1"}
    assert after(request(pod()), limited=limited) == {}


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("{apiVersion: v1, kind: ResourceQuotaConfiguration}", 'no kind "ResourceQuotaConfiguration"', id="version"),
    pytest.param("{apiVersion: apiserver.config.k8s.io/v1, kind: Other}", 'no kind "Other"', id="kind"),
    pytest.param(
        "{apiVersion: apiserver.config.k8s.io/v1, kind: ResourceQuotaConfiguration, limitedResources: [{resource: ''}]}",
        r"limitedResources\[0\].resource: Required value", id="no resource"),
    pytest.param(
        "{apiVersion: apiserver.config.k8s.io/v1, kind: ResourceQuotaConfiguration, limits: []}", "unknown field `limits`", id="field"),
])
def test_a_wrong_configuration_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        limited_resources(yaml.safe_load(text))


def test_a_refusal_is_upstreams_forbidden() -> None:
    with pytest.raises(Forbidden) as refused:
        after(request(pod()), account("q", {"pods": "0"}))
    assert str(refused.value) == 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0'


class Watch:
    """A clock for time-outs."""

    def __init__(self) -> None:
        self.passed_s = 100.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def test_a_quota_is_counted_when_nobody_has_charged_it_for_a_moment() -> None:
    clock = Watch()
    settling = Settling(clock, settle_s=2, patience_s=5)
    assert settling.wait_s(KEY) == 0

    settling.charged(KEY)
    clock.passed_s += 1.5
    assert settling.wait_s(KEY) == 0.5
    settling.charged(KEY)
    assert settling.wait_s(KEY) == 2
    clock.passed_s += 2
    assert settling.wait_s(KEY) == 0


def test_a_quota_that_is_always_charged_is_counted_in_the_end() -> None:
    clock = Watch()
    settling = Settling(clock, settle_s=2, patience_s=5)
    for _ in range(5):
        settling.charged(KEY)
        clock.passed_s += 0.9

    assert settling.wait_s(KEY) == pytest.approx(0.5)
    clock.passed_s += 0.5
    assert settling.wait_s(KEY) == 0
    settling.forget(KEY)
    settling.charged(KEY)
    assert settling.wait_s(KEY) == 2
