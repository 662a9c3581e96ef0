"""What is wrong with a CustomResourceDefinition, in upstream's words and paths."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.custom import naming
from control_plane.apiserver.custom.definition_rules import definition_causes, definition_warnings
from control_plane.apiserver.custom.definition_strategy import CustomResourceDefinitionStrategy
from kube.apimachinery.custom_rows import rows_of
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import version_priority
from tests.support.custom_kinds import definition, root, version

Json = dict[str, Any]
COMMON = "spec.validation.openAPIV3Schema"


def prepared(crd: Json) -> Json:
    row = SCHEME.for_path("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    assert row is not None
    strategy = CustomResourceDefinitionStrategy(row)
    crd = copy.deepcopy(crd)
    strategy.default(crd)
    strategy.prepare_for_create(crd)
    return crd


def faults(crd: Json, old: Json | None = None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in definition_causes(prepared(crd), old and prepared(old))]


def of_spec(schema: Json) -> list[str]:
    """Of a definition whose spec has this schema; paths below spec."""
    found = faults(definition("crontabs", "CronTab", version(schema=root(spec=schema))))
    return [fault.removeprefix(f"{COMMON}.properties[spec]") for fault in found]


def test_a_good_definition_has_no_faults_and_gets_its_other_names() -> None:
    crd = prepared(definition())

    assert definition_causes(crd, None) == []
    assert crd["spec"]["names"]["listKind"] == "CronTabList"
    assert crd["status"]["storedVersions"] == ["v1"]


@pytest.mark.parametrize(("change", "fault"), [
    ({"group": ""}, "spec.group: Required value"),
    ({"group": "example"}, 'spec.group: Invalid value: "example": should be a domain with at least one dot'),
    ({"scope": "Galaxy"}, 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'),
    ({"preserveUnknownFields": True}, "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set "
     "x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"),
    ({"names": {"plural": "crontabs", "kind": "Cron Tab"}}, 'spec.names.kind: Invalid value: "Cron Tab": may have mixed case, but should '
     "otherwise match: a DNS-1035 label"),
    ({"names": {"plural": "crontabs", "kind": "A", "listKind": "A"}},
     'spec.names.listKind: Invalid value: "A": kind and listKind may not be the same'),
    ({"versions": [version(storage=False)]}, "must have exactly one version marked as storage version"),
    ({"versions": [version(), version(storage=False)]}, "must contain unique version names"),
    ({"versions": [{"name": "v1", "served": True, "storage": True}]}, "spec.versions[0].schema.openAPIV3Schema: Required value"),
    ({"versions": [version(subresources={"scale": {"specReplicasPath": ".status.n", "statusReplicasPath": "n"}})]},
     'spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec'),
    ({"versions": [version(additionalPrinterColumns=[{"name": "A", "type": "text", "jsonPath": ".a"}])]},
     'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string'),
    ({"versions": [version(selectableFields=[{"jsonPath": ".spec.nothing"}])]},
     'spec.selectableFields[0].jsonPath: Invalid value: ".spec.nothing": is an invalid path: does not refer to a valid field'),
    ({"versions": [version(deprecationWarning="x")]},
     'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions'),
    ({"conversion": {"strategy": "Webhook"}},
     "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook"),
    ({"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v7"]}}},
     'spec.conversion.conversionReviewVersions: Invalid value: ["v7"]: must include at least one of v1, v1beta1'),
])
def test_faults_of_the_definition(change: Json, fault: str) -> None:
    crd = definition()
    crd["spec"] |= change

    assert any(fault in found for found in faults(crd)), faults(crd)


@pytest.mark.parametrize(("schema", "fault"), [
    ({"properties": {}}, ".type: Required value: must not be empty for specified object fields"),
    ({"type": "array"}, ".items: Required value: must be specified"),
    ({"type": "array", "items": {}}, ".items.type: Required value: must not be empty for specified array items"),
    ({"type": "text"}, '.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"'),
    ({"type": "string", "uniqueItems": True},
     ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    ({"type": "string", "anyOf": [{"type": "string"}]}, ".anyOf[0].type: Forbidden: must be empty to be structural"),
    ({"type": "object", "allOf": [{"description": "x"}]}, ".allOf[0].description: Forbidden: must be empty to be structural"),
    ({"type": "object", "additionalProperties": {"type": "string"}, "properties": {"a": {"type": "string"}}},
     ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
    ({"type": "object", "x-kubernetes-embedded-resource": True},
     ".properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without "
     "x-kubernetes-preserve-unknown-fields"),
    ({"type": "object", "x-kubernetes-preserve-unknown-fields": False},
     ".x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"),
    ({"type": "integer", "default": "x"}, '.default: Invalid value: "string":  in body must be of type integer: "string"'),
    ({"type": "object", "default": {"a": 1}}, '.default: Invalid value: {"a":1}: must not have unknown fields'),
    ({"type": "string", "pattern": "("}, '.pattern: Invalid value: "(": must be a valid regular expression, but isn\'t'),
    ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
     ".x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"],
      "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
     ".items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
     "required property"),
    ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
     ".items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set"),
    ({"type": "object", "x-kubernetes-list-type": "bag"},
     '.x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"'),
    ({"type": "object", "x-kubernetes-validations": [{"rule": " "}]},
     ".x-kubernetes-validations[0].rule: Required value: rule is not specified"),
    ({"type": "object", "x-kubernetes-validations": [{"rule": "self.a"}]},
     "compilation failed: ERROR: <input>:1:5: undefined field 'a'"),
    ({"type": "integer", "x-kubernetes-validations": [{"rule": "self + 1"}]}, "cel expression must evaluate to a bool"),
    ({"type": "array", "items": {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}},
     "oldSelf cannot be used on the uncorrelatable portion of the schema within"),
    ({"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self.contains('x')"}]}},
     "estimated rule cost exceeds budget by factor of more than 100x"),
])
def test_faults_of_the_schema(schema: Json, fault: str) -> None:
    assert any(fault in found for found in of_spec(schema)), of_spec(schema)


def test_versions_that_differ_are_told_by_their_place() -> None:
    crd = definition("crontabs", "CronTab", version("v1"), version("v2", storage=False, schema={"type": "array"}))

    assert any(fault.startswith("spec.versions[1].schema.openAPIV3Schema.type: ") for fault in faults(crd))


def test_names_are_immutable_once_established() -> None:
    old, new = definition(), definition()
    new["spec"]["scope"] = "Cluster"
    new["spec"]["group"] = "other.example.com"

    before = [fault.partition(":")[0] for fault in faults(new, old)]
    established = prepared(old)
    established["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    after = [cause.field for cause in definition_causes(prepared(new), established)]

    assert before == ["spec.group"]
    assert after == ["spec.group", "spec.scope"]


def test_a_version_stays_while_objects_may_be_stored_in_it() -> None:
    crd = prepared(definition())
    crd["status"]["storedVersions"] = ["v1alpha1", "v1"]

    [cause] = definition_causes(crd, None)

    assert cause.field == "status.storedVersions[0]"
    assert "was previously a storage version, and must remain in spec.versions until" in cause.message


@pytest.mark.parametrize(("annotation", "fault", "reason"), [
    (None, "Required value", "MissingAnnotation"), ("unapproved, for a test", None, "UnapprovedAnnotation"),
    ("https://github.com/kubernetes/kubernetes/pull/1", None, "ApprovedAnnotation"), ("yes", "Invalid value", "InvalidAnnotation"),
])
def test_groups_of_the_community_want_approval(annotation: str | None, fault: str | None, reason: str) -> None:
    crd = definition(group="x.k8s.io")
    if annotation:
        crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": annotation}

    found = faults(crd)
    condition = naming.approval_condition(crd)

    assert [fault in one for one in found if fault] == ([True] if fault else [])
    assert condition is not None
    assert condition["reason"] == reason


def test_unknown_formats_are_warned_of_once() -> None:
    old = definition("crontabs", "CronTab", version(schema=root(spec={"type": "string", "format": "colour"})))
    new = definition("crontabs", "CronTab", version(schema=root(spec={"type": "string", "format": "colour"},
                                                                other={"type": "string", "format": "taste"})))

    assert definition_warnings(new, None) == ['unrecognized format "colour"', 'unrecognized format "taste"']
    assert definition_warnings(new, old) == ['unrecognized format "taste"']


def test_names_that_others_have_are_not_accepted() -> None:
    taken = {"status": {"acceptedNames": {"plural": "tabs", "singular": "tab", "kind": "Tab", "listKind": "TabList", "shortNames": ["t"]}}}
    crd = prepared(definition(names={"singular": "tab", "shortNames": ["t"]}))

    names, accepted, established = naming.names_and_conditions(crd, [taken])

    assert (accepted["status"], accepted["reason"], accepted["message"]) == ("False", "ShortNamesConflict", '"t" is already in use')
    assert (names["plural"], names.get("singular", "")) == ("crontabs", "")
    assert established["reason"] == "NotAccepted"


def test_rows_come_with_acceptance() -> None:
    served = version("v1", subresources={"status": {}})
    crd = prepared(definition("crontabs", "CronTab", served, version("v2", storage=False, served=False)))
    assert rows_of(crd) == []

    names, accepted, _ = naming.names_and_conditions(crd, [])
    crd["status"] |= {"acceptedNames": names, "conditions": [accepted]}

    [row] = rows_of(crd)
    assert (row.version, row.subresources, row.list_kind, row.discoverable) == ("v1", ("status",), "CronTabList", False)


def test_versions_are_preferred_as_upstream_prefers_them() -> None:
    names = ["foo10", "v1", "v2", "v1beta1", "v10", "v11alpha2", "v3beta1", "v12alpha1", "v11beta2", "foo1"]

    assert sorted(names, key=version_priority) == [
        "v10", "v2", "v1", "v11beta2", "v3beta1", "v1beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
