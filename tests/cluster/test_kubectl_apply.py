"""Who owns what, as people see it with kubectl: server-side apply, its conflicts, and the managers of all the other commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Space, config_map, deployment

Json = dict[str, Any]


def managers(space: Space, thing: str) -> dict[str, Json]:
    """FieldsV1 by manager (and /subresource)."""
    obj = json.loads(space.kubectl("get", thing, "-o", "json", "--show-managed-fields"))
    return {
        "/".join(filter(None, (entry["manager"], entry.get("subresource")))): entry["fieldsV1"]
        for entry in obj["metadata"]["managedFields"]
    }


def server_side(space: Space, obj: Json, *arguments: str) -> str:
    return space.kubectl("apply", "--server-side", *arguments, "-f", "-", stdin=json.dumps(obj))


@pytest.mark.req("ARC-02")
def test_server_side_apply_conflicts_and_force(space: Space) -> None:
    wanted = deployment("web", replicas=0)

    first = server_side(space, wanted)
    generation = space.get("deployment", "web")["metadata"]["generation"]
    again = server_side(space, wanted)
    space.kubectl("scale", "deployment", "web", "--replicas=1")
    refused = space.refused("apply", "--server-side", "-f", "-", stdin=json.dumps(wanted))
    forced = server_side(space, wanted, "--force-conflicts")

    assert {first, again, forced} == {"deployment.apps/web serverside-applied\n"}
    assert generation == 1
    assert refused.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas\n'
    )
    assert space.get("deployment", "web")["spec"]["replicas"] == 0
    assert "kubectl/scale" not in managers(space, "deployment/web")


@pytest.mark.req("ARC-02", "ARC-10")
def test_fields_that_leave_the_manifest_leave_the_object(space: Space) -> None:
    server_side(space, config_map("c", a="1", b="1"))
    server_side(space, config_map("c", b="1", c="1"), "--field-manager=other")

    server_side(space, config_map("c", a="1"))

    assert space.get("configmap", "c")["data"] == {"a": "1", "b": "1", "c": "1"}
    server_side(space, config_map("c"), "--field-manager=other")
    assert space.get("configmap", "c")["data"] == {"a": "1"}


@pytest.mark.req("ARC-02")
def test_diff_and_dry_run_of_server_side_apply_change_nothing(space: Space) -> None:
    server_side(space, config_map("c", a="1"))
    version = space.get("configmap", "c")["metadata"]["resourceVersion"]

    diff = space.tried("diff", "--server-side", "-f", "-", stdin=json.dumps(config_map("c", a="2")))
    dry = server_side(space, config_map("c", a="2"), "--dry-run=server")

    assert diff.returncode == 1
    assert "-  a: \"1\"\n+  a: \"2\"\n" in diff.stdout
    assert dry == "configmap/c serverside-applied (server dry run)\n"
    assert space.get("configmap", "c")["metadata"]["resourceVersion"] == version


@pytest.mark.req("KCT-05", "ROL-01")
def test_every_command_leaves_its_own_manager(space: Space) -> None:
    space.kubectl("create", "deployment", "web", "--image=busybox", "--replicas=0")
    space.kubectl("label", "deployment", "web", "a=b")
    space.kubectl("annotate", "deployment", "web", "c=d")
    space.kubectl("set", "env", "deployment/web", "E=F")
    space.kubectl("scale", "deployment", "web", "--replicas=1")
    space.kubectl("edit", "deployment", "web", environment={"EDITOR": r"sed -i 's/\(progressDeadlineSeconds\): .*/\1: 601/'"})
    eventually(lambda: "f:conditions" in managers(space, "deployment/web")["kube-controller-manager/status"]["f:status"])

    found = managers(space, "deployment/web")

    assert found["kubectl-label"] == {"f:metadata": {"f:labels": {"f:a": {}}}}
    assert found["kubectl-annotate"]["f:metadata"]["f:annotations"]["f:c"] == {}
    assert 'k:{"name":"E"}' in found["kubectl-set"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"busybox"}']["f:env"]
    assert found["kubectl/scale"] == {"f:spec": {"f:replicas": {}}}
    assert found["kubectl-edit"] == {"f:spec": {"f:progressDeadlineSeconds": {}}}
    assert "f:replicas" not in found["kubectl-create"]["f:spec"]
    assert "f:conditions" in found["kube-controller-manager/status"]["f:status"]
    assert "managedFields" not in space.kubectl("get", "deployment", "web", "-o", "yaml")


def test_components_are_managers(space: Space) -> None:
    space.kubectl("create", "deployment", "web", "--image=busybox", "--", "sleep", "1000")
    eventually(lambda: space.items("pods")[0]["status"]["phase"] == "Running")
    (pod,) = space.items("pods")

    found = managers(space, f"pod/{pod['metadata']['name']}")

    assert set(found) == {"kube-controller-manager", "kubelet/status"}
    assert "f:nodeName" not in found["kube-controller-manager"]["f:spec"]
    assert "f:phase" in found["kubelet/status"]["f:status"]
    eventually(lambda: {"kube-scheduler", "kubelet"} <= {
        entry["manager"] for event in json.loads(space.kubectl("get", "events", "-o", "json", "--show-managed-fields"))["items"]
        for entry in event["metadata"]["managedFields"]
    })


@pytest.mark.req("ARC-10")
def test_from_client_side_to_server_side_apply_and_back(space: Space) -> None:
    before = space.apply(config_map("c", a="1", b="1"))
    owner = managers(space, "configmap/c")

    over = server_side(space, config_map("c", a="2"))
    middle = space.get("configmap", "c")
    back = space.apply(config_map("c", a="3"))

    assert (before, over, back) == ("configmap/c created\n", "configmap/c serverside-applied\n", "configmap/c configured\n")
    assert list(owner) == ["kubectl-client-side-apply"]
    assert middle["data"] == {"a": "2"}          # kubectl hands its fields over, and what is not in the manifest goes
    assert space.get("configmap", "c")["data"] == {"a": "3"}


def test_invalid_manifests_are_refused_with_the_path(space: Space) -> None:
    wrong = deployment("web", replicas=0)
    wrong["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    name = wrong["spec"]["template"]["spec"]["containers"][0]["name"]

    refused = space.refused("apply", "--server-side", "--validate=false", "-f", "-", stdin=json.dumps(wrong))

    assert f'.spec.template.spec.containers[name="{name}"].env: duplicate entries for key [name="A"]' in refused
