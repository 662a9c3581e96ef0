"""Which objects a quota with scopes is about."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.quota.scopes import Selector, claim_in_scope, no_scope, pod_in_scope, selectors_of
from kube.apimachinery.meta import JsonObject

TERM: JsonObject = {"topologyKey": "zone"}


def pod(*, cpu: str = "", qos: str = "", **spec: Any) -> JsonObject:
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    return {"spec": {"containers": [{"name": "c", "resources": resources}], **spec}, "status": {"qosClass": qos} if qos else {}}


def near(kind: str, *, preferred: bool = False, **term: Any) -> JsonObject:
    if preferred:
        weighted = {"weight": 1, "podAffinityTerm": {**TERM, **term}}
        return pod(affinity={kind: {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}})
    return pod(affinity={kind: {"requiredDuringSchedulingIgnoredDuringExecution": [{**TERM, **term}]}})


@pytest.mark.parametrize(("scope", "obj", "matches"), [
    pytest.param("Terminating", pod(activeDeadlineSeconds=0), True, id="with a deadline"),
    pytest.param("Terminating", pod(), False, id="without a deadline"),
    pytest.param("NotTerminating", pod(activeDeadlineSeconds=9), False, id="not: with a deadline"),
    pytest.param("NotTerminating", pod(), True, id="not: without a deadline"),
    pytest.param("BestEffort", pod(), True, id="asks for nothing"),
    pytest.param("BestEffort", pod(cpu="1m"), False, id="asks for something"),
    pytest.param("BestEffort", pod(cpu="0"), True, id="asks for zero"),
    pytest.param("BestEffort", pod(qos="Burstable"), False, id="its status says otherwise"),
    pytest.param("BestEffort", pod(resources={"limits": {"memory": "1Gi"}}), False, id="the Pod as a whole is limited"),
    pytest.param("NotBestEffort", pod(cpu="1m"), True, id="not best effort"),
    pytest.param("CrossNamespacePodAffinity", near("podAffinity"), False, id="its own namespace"),
    pytest.param("CrossNamespacePodAffinity", near("podAffinity", namespaces=["other"]), True, id="another namespace"),
    pytest.param("CrossNamespacePodAffinity", near("podAntiAffinity", namespaceSelector={}), True, id="all namespaces"),
    pytest.param("CrossNamespacePodAffinity", near("podAntiAffinity", preferred=True, namespaces=["x"]), True, id="preferred"),
    pytest.param("CrossNamespacePodAffinity", pod(), False, id="no affinity"),
    pytest.param("VolumeAttributesClass", pod(), False, id="a scope of claims"),
    pytest.param("Unheard", pod(), False, id="unknown"),
])
def test_scopes_of_pods(scope: str, obj: JsonObject, matches: bool) -> None:
    assert pod_in_scope(Selector(scope), obj) is matches


@pytest.mark.parametrize(("operator", "values", "high", "low", "none"), [
    pytest.param("Exists", (), True, True, False, id="Exists"),
    pytest.param("DoesNotExist", (), False, False, True, id="DoesNotExist"),
    pytest.param("In", ("high", "higher"), True, False, False, id="In"),
    pytest.param("NotIn", ("high",), False, True, True, id="NotIn"),
    pytest.param("Like", ("high",), False, False, False, id="unknown"),
])
def test_operators_select_by_class(operator: str, values: tuple[str, ...], high: bool, low: bool, none: bool) -> None:
    by_priority, by_attributes = (Selector(scope, operator, values) for scope in ("PriorityClass", "VolumeAttributesClass"))

    assert [pod_in_scope(by_priority, pod(priorityClassName=name)) for name in ("high", "low", "")] == [high, low, none]
    claims: list[JsonObject] = [{"spec": {"volumeAttributesClassName": name}} for name in ("high", "low", "")]
    assert [claim_in_scope(by_attributes, claim) for claim in claims] == [high, low, none]


@pytest.mark.parametrize("claim", [
    pytest.param({"spec": {"volumeAttributesClassName": "gold"}}, id="wanted"),
    pytest.param({"status": {"currentVolumeAttributesClassName": "gold"}}, id="current"),
    pytest.param({"spec": {"volumeAttributesClassName": "old"}, "status": {
        "modifyVolumeStatus": {"targetVolumeAttributesClassName": "gold"}}}, id="being changed to"),
])
def test_a_claim_is_in_the_scope_of_each_class_it_has_to_do_with(claim: JsonObject) -> None:
    assert claim_in_scope(Selector("VolumeAttributesClass", "In", ("gold",)), claim)
    assert not claim_in_scope(Selector("PriorityClass", "Exists"), claim)


def test_scopes_and_selectors_are_read_alike() -> None:
    quota: JsonObject = {"spec": {"scopes": ["BestEffort"], "scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["a", "b"]}, {"scopeName": "Terminating", "operator": "Exists"}]}}}

    assert [str(selector) for selector in selectors_of(quota)] == [
        "{BestEffort Exists []}", "{PriorityClass In [a b]}", "{Terminating Exists []}"]
    assert not no_scope(Selector("BestEffort"), pod())
