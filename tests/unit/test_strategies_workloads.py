from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.cron_schedules import schedule_problem
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME


def strategy(plural: str, group: str = "apps") -> Strategy:
    resource = SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


def template(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}], **spec}}


def workload(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "d"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec}}


def defaulted(plural: str, obj: dict[str, Any], group: str = "apps") -> dict[str, Any]:
    rules = strategy(plural, group)
    rules.default(obj)
    rules.prepare_for_create(obj)
    return obj


def problems(plural: str, obj: dict[str, Any], group: str = "apps") -> str:
    defaulted(plural, obj, group)
    return " | ".join(f"{cause.field}: {cause.message}" for cause in strategy(plural, group).validate(obj))


@pytest.mark.parametrize(("plural", "spec", "status"), [
    pytest.param("deployments", {
        "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}}, {}, id="deployment"),
    pytest.param("replicasets", {"replicas": 1}, {"replicas": 0}, id="replicaset"),
    pytest.param("statefulsets", {
        "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}},
        {"replicas": 0, "availableReplicas": 0}, id="statefulset"),
    pytest.param("daemonsets", {
        "revisionHistoryLimit": 10, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}},
        {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0}, id="daemonset"),
])
def test_defaults(plural: str, spec: dict[str, Any], status: dict[str, Any]) -> None:
    obj = defaulted(plural, workload())

    assert {key: value for key, value in obj["spec"].items() if key not in {"selector", "template"}} == spec
    assert obj["status"] == status
    assert obj["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert "enableServiceLinks" not in obj["spec"]["template"]["spec"]


@pytest.mark.parametrize(("plural", "spec", "words"), [
    pytest.param("deployments", {"selector": {"matchLabels": {"app": "db"}}}, "spec.template.metadata.labels: Invalid value: "
                 '{"app":"web"}: `selector` does not match template `labels`', id="selector does not match"),
    pytest.param("deployments", {"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment", id="empty"),
    pytest.param("deployments", {"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0", id="negative"),
    pytest.param("deployments", {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
                 "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'", id="recreate"),
    pytest.param("deployments", {"strategy": {"type": "Sudden"}},

                 'spec.strategy: Unsupported value: {"Type":"Sudden","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
                 id="strategy"),
    pytest.param("deployments", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
                 'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0', id="both zero"),
    pytest.param("deployments", {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
                 "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds", id="deadline"),
    pytest.param("replicasets", {"template": template(restartPolicy="Never")},
                 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"', id="restartPolicy"),
    pytest.param("statefulsets", {"podManagementPolicy": "Loose"}, "must be 'OrderedReady' or 'Parallel'", id="pod management"),
    pytest.param("daemonsets", {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}},
                 "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
                 id="surge"),
])
def test_rules(plural: str, spec: dict[str, Any], words: str) -> None:
    assert words in problems(plural, workload(**spec))


def test_a_missing_selector_is_required() -> None:
    obj = workload()
    del obj["spec"]["selector"]
    assert problems("deployments", obj) == (
        'spec.selector: Required value | spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template '
        "`labels`")


def changed(plural: str, **spec: Any) -> tuple[dict[str, Any], str]:
    rules, old = strategy(plural), defaulted(plural, workload())
    old["metadata"].update(uid="u", resourceVersion="1", creationTimestamp="t")
    new = copy.deepcopy(old)
    new["spec"].update(spec)
    new["status"] = {"forged": True}
    rules.default(new)
    rules.prepare_for_update(new, old)
    return new, " | ".join(f"{cause.field}: {cause.message}" for cause in rules.validate_update(new, old))


def test_a_selector_never_changes() -> None:
    _, text = changed("deployments", selector={"matchLabels": {"app": "web", "x": "y"}})
    assert 'spec.selector: Invalid value: {"matchLabels":{"app":"web","x":"y"}}: field is immutable' in text


@pytest.mark.req("ARC-10")
def test_a_change_of_the_spec_is_a_new_generation_and_keeps_the_status() -> None:
    new, text = changed("deployments", replicas=3)
    assert (new["metadata"]["generation"], new["status"], text) == (2, {}, "")


@pytest.mark.req("ARC-10")
def test_no_change_is_no_new_generation() -> None:
    new, text = changed("deployments")
    assert (new["metadata"]["generation"], text) == (1, "")


@pytest.mark.req("WRK-12")
def test_a_statefulset_names_what_may_change() -> None:
    _, text = changed("statefulsets", serviceName="other")
    assert text == (
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden")


def job(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "j", "namespace": "d", "uid": "u-1"}, "spec": {"template": template(restartPolicy="Never"), **spec}}


def test_a_job_selects_its_pods_by_its_uid() -> None:
    spec = defaulted("jobs", job(), "batch")["spec"]

    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert spec["template"]["metadata"]["labels"] == {
        "app": "web", "batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "j", "controller-uid": "u-1",
        "job-name": "j"}
    assert [spec[key] for key in ("completions", "parallelism", "backoffLimit", "completionMode", "suspend", "podReplacementPolicy")] == [
        1, 1, 6, "NonIndexed", False, "TerminatingOrFailed"]


def test_a_job_must_say_how_its_pods_restart() -> None:
    text = problems("jobs", job(template=template()), "batch")
    assert text == 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'


@pytest.mark.parametrize(("schedule", "words"), [
    ("*/5 * * * *", ""), ("0 9-17 * * mon-fri", ""), ("@hourly", ""), ("0 0 1,15 * *", ""), ("@every 1h30m", ""),
    ("* * *", "expected exactly 5 fields, found 3: [* * *]"), ("61 * * * *", "end of range (61) above maximum (59): 61"),
    ("* * 0 * *", "beginning of range (0) below minimum (1): 0"), ("@often", "unrecognized descriptor: @often"),
    ("a * * * *", "failed to parse int from a"), ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
])
def test_cron_schedules(schedule: str, words: str) -> None:
    problem = schedule_problem(schedule)
    assert words in problem if words else problem == ""


def test_the_revision_is_noted_together_with_the_status() -> None:
    rules, old = strategy("deployments"), defaulted("deployments", workload())
    old["metadata"]["labels"] = {"a": "b"}
    new = {"metadata": {**old["metadata"], "labels": {}, "annotations": {"deployment.kubernetes.io/revision": "2"}}, "spec": {},
           "status": {"replicas": 1}}

    rules.prepare_for_status_update(new, old)

    assert (new["spec"], new["status"], new["metadata"]["labels"]) == (old["spec"], {"replicas": 1}, {"a": "b"})
    assert new["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "2"}
    assert new["metadata"]["generation"] == 1
