"""Admission policies, as kubectl meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from launcher.testing.cluster import eventually
from tests.support.policies import Json, binding, mutating, param_ref, patched, policy
from tests.support.space import Space, config_map, deployment, pod
from tests.support.webhooks import rule


class Law:
    """Policies that speak of this one namespace; they go with the test."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.namespace}}}

    def make(self, what: Json, *actions: str, **bound: object) -> None:
        kind = what["kind"].removesuffix("AdmissionPolicy")
        name = what["metadata"]["name"]
        self.space.create(what, binding(name, name, *actions, kind=kind, matchResources=self.here, **bound))


@pytest.fixture
def law(space: Space) -> Iterator[Law]:
    yield Law(space)
    for kind in ("validating", "mutating"):
        for what in ("policybinding", "policy"):
            space.tried("delete", f"{kind}admission{what}", space.namespace)


def test_a_limit_of_replicas(law: Law) -> None:
    """The example of Kubernetes' documentation, its parameter in a ConfigMap."""
    space, name = law.space, law.space.namespace
    space.apply(config_map("limits", most="2"))
    law.make(policy(
        name, {"expression": "object.spec.replicas <= int(params.data.most)", "messageExpression": "'at most ' + params.data.most"},
        rules=[rule("deployments", groups=("apps",)), rule("deployments/scale", groups=("apps",))],
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
    ), paramRef=param_ref("limits"))
    space.apply(deployment("small", replicas=1))

    said = eventually(lambda: space.refused("create", "deployment", "large", "--image=busybox", "--replicas=3", "--dry-run=server"))
    scaled = space.refused("scale", "deployment/small", "--replicas=3")

    refusal = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: at most 2"
    assert said.strip().endswith(f'deployments.apps "large" is forbidden: {refusal}')
    assert scaled.strip().endswith(refusal)
    space.kubectl("scale", "deployment/small", "--replicas=2")
    space.kubectl("patch", "configmap", "limits", "-p", '{"data":{"most":"3"}}')
    eventually(lambda: space.tried("scale", "deployment/small", "--replicas=3").returncode == 0)


def test_a_warning_and_a_sidecar(law: Law) -> None:
    space, name = law.space, law.space.namespace
    side = "Object.spec.initContainers{name: 'side', image: 'busybox', command: ['sleep', '1000'], restartPolicy: 'Always'}"
    law.make(policy(name, {"expression": "has(object.metadata.labels)", "message": "no labels"}, resources=("pods",)), "Warn")
    law.make(mutating(name, patched(f"[JSONPatch{{op: 'add', path: '/spec/initContainers', value: [{side}]}}]"), resources=("pods",),
                      matchConditions=[{"name": "new", "expression": "request.operation == 'CREATE' && !has(request.subResource)"}]))
    plain = pod("app")
    plain["metadata"].pop("labels", None)
    eventually(lambda: "side" in space.kubectl("run", "x", "--image=busybox", "--dry-run=server", "-o", "yaml"))

    warned = space.tried("apply", "-f", "-", stdin=_text(plain))
    space.ready("app")

    assert warned.stderr == f"Warning: Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': no labels\n"
    assert space.kubectl("get", "pod", "app", "--no-headers").split()[1] == "2/2"


def test_a_wrong_expression_is_shown_with_its_place(space: Space) -> None:
    said = space.tried("create", "-f", "-", stdin=_text(policy(space.namespace, "object.spec.replicas <= nope"))).stderr

    assert 'spec.validations[0].expression: Invalid value: "object.spec.replicas <= nope": compilation failed: ERROR: <input>:1:25' in said
    assert " | object.spec.replicas <= nope\n | ........................^" in said


def _text(obj: Json) -> str:
    return json.dumps(obj)
