from __future__ import annotations

from typing import Any

import pytest

from kube.apimachinery.codec.json import duplicate_fields, keys_as_written
from kube.apimachinery.codec.yaml import decode_yaml, encode_yaml
from kube.apimachinery.decode import Problems, cannot_be_handled, check_structure
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.schema import Schema, schemas
from kube.apimachinery.scheme import GroupVersionKind

DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")
POD = GroupVersionKind("", "v1", "Pod")


def schema_of(gvk: GroupVersionKind) -> Schema:
    schema = schemas().for_kind(gvk)
    assert schema is not None
    return schema


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c"} | container]}}


@pytest.mark.parametrize(("gvk", "obj", "message"), [
    pytest.param(DEPLOYMENT, {"spec": {"replicas": "3"}},
                 "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32", id="string for int"),
    pytest.param(DEPLOYMENT, {"spec": {"replicas": 1.5}},
                 "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32", id="fraction"),
    pytest.param(DEPLOYMENT, {"spec": {"replicas": 2**31}},
                 "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32", id="too big"),
    pytest.param(DEPLOYMENT, {"spec": "x"},
                 "json: cannot unmarshal string into Go struct field Deployment.spec of type v1.DeploymentSpec", id="string for struct"),
    pytest.param(POD, {"metadata": {"labels": {"a": 1}}},
                 "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string", id="number as label"),
    pytest.param(POD, {"spec": {"containers": {}}},
                 "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container", id="object for list"),
    pytest.param(POD, pod(env=[{"name": "A", "value": True}]),
                 "json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string", id="bool for string"),
    pytest.param(POD, pod(resources={"limits": {"cpu": "lots"}}),
                 "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'", id="quantity"),
    pytest.param(POD, [], "json: cannot unmarshal array into Go value of type v1.Pod", id="no object"),
])
def test_wrong_type_is_refused_in_the_decoders_words(gvk: GroupVersionKind, obj: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_structure(obj, schema_of(gvk))

    assert str(refused.value) == message


def test_unknown_fields_are_reported_with_their_path_and_pruned() -> None:
    obj = pod(imagee="busybox", ports=[{"containerPort": 80, "hostport": 1}]) | {"foo": 1}

    problems = check_structure(obj, schema_of(POD))

    assert problems.unknown == ["spec.containers[0].imagee", "spec.containers[0].ports[0].hostport", "foo"]
    assert obj["spec"]["containers"] == [{"name": "c", "ports": [{"containerPort": 80}], "resources": {}}]
    assert "foo" not in obj
    assert str(cannot_be_handled(POD, problems.error())) == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].imagee", '
        'unknown field "spec.containers[0].ports[0].hostport", unknown field "foo"')


def test_values_are_brought_to_the_form_the_server_keeps() -> None:
    obj = pod(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}}, command=None, livenessProbe={"httpGet": {"port": "http"}})
    obj["metadata"] = {"creationTimestamp": None, "deletionTimestamp": "2026-01-02T03:04:05.6+01:00", "annotations": {"a": None}}

    problems = check_structure(obj, schema_of(POD))

    assert not problems
    assert obj["spec"]["containers"][0] == {
        "name": "c", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}, "livenessProbe": {"httpGet": {"port": "http"}}}
    assert obj["metadata"] == {"deletionTimestamp": "2026-01-02T02:04:05Z", "annotations": {"a": ""}}


def test_empty_lists_and_maps_are_no_values_and_plain_fields_have_their_zeros() -> None:
    obj = {
        "metadata": {"labels": {}, "ownerReferences": []},
        "spec": {"containers": [], "nodeSelector": {}, "volumes": [{"name": "v", "emptyDir": {}}]},
    }

    check_structure(obj, schema_of(GroupVersionKind("", "v1", "Pod")))

    assert obj == {"metadata": {}, "spec": {"containers": None, "volumes": [{"name": "v", "emptyDir": {}}]}, "status": {}}


def test_what_go_shows_of_a_zero_is_there_and_what_it_omits_is_not() -> None:
    obj = {"spec": {"containers": [{}], "hostNetwork": False, "hostUsers": False, "nodeName": ""},
           "status": {"containerStatuses": [{"name": "main", "restartCount": 2}]}}

    check_structure(obj, schema_of(GroupVersionKind("", "v1", "Pod")))

    assert obj["status"] == {"containerStatuses": [
        {"name": "main", "restartCount": 2, "ready": False, "image": "", "imageID": "", "state": {}, "lastState": {}}]}
    assert obj["spec"] == {"containers": [{"name": "", "resources": {}}], "hostUsers": False}


def test_free_form_json_is_kept_as_it_is() -> None:
    obj = {"data": {"spec": {"anything": [1, None]}}, "revision": 1}

    problems = check_structure(obj, schema_of(GroupVersionKind("apps", "v1", "ControllerRevision")))

    assert not problems
    assert (obj["data"], obj["revision"]) == ({"spec": {"anything": [1, None]}}, 1)


def test_secret_bytes_must_be_base64() -> None:
    secret = schema_of(GroupVersionKind("", "v1", "Secret"))
    assert not check_structure({"data": {"a": "aGVsbG8="}}, secret)

    with pytest.raises(BadRequest, match="illegal base64 data at input byte 1"):
        check_structure({"data": {"a": "a-b"}}, secret)
    with pytest.raises(BadRequest, match="illegal base64 data at input byte 2"):
        check_structure({"data": {"a": "ab´="}}, secret)


def test_keys_written_twice_are_found_with_their_path() -> None:
    body = b'{"metadata":{"name":"a","name":"b"},"spec":{"containers":[{"name":"x","image":"1","image":"2"}]}}'

    problems = Problems(duplicate=duplicate_fields(body))

    assert problems.messages() == ['duplicate field "metadata.name"', 'duplicate field "spec.containers[0].image"']
    assert duplicate_fields(b'{"a":{"b":1},"c":{"b":1}}') == []


def test_problems_are_told_in_the_order_of_the_document() -> None:
    body = b'{"spec":{"unknownField":"foo","replicas":2,"replicas":3,"other":[{"x":1}]}}'
    problems = Problems(["spec.other", "spec.unknownField"], duplicate_fields(body))

    assert problems.messages(keys_as_written(body)) == [
        'unknown field "spec.unknownField"', 'duplicate field "spec.replicas"', 'unknown field "spec.other"',
    ]


def test_yaml_dates_stay_text() -> None:
    assert decode_yaml(b"when: 2026-01-02\nn: 1\n") == {"when": "2026-01-02", "n": 1}
    assert decode_yaml(encode_yaml({"a": ["x", {"b": None}]})) == {"a": ["x", {"b": None}]}
