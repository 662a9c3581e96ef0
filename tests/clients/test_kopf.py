"""kopf: an operator with a CustomResourceDefinition, from its first object to its last finalizer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import CommandFailed, eventually
from tests.support.space import Json, Space

OPERATOR = Path(__file__).parent / "operator_of_widgets.py"
SCHEMA = {"type": "object", "properties": {
    "spec": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer", "minimum": 1}}},
    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}


@pytest.fixture
def widgets(space: Space) -> Iterator[str]:
    """The kind's full name; the group is the test's own."""
    group = f"{space.namespace}.example.com"
    space.create({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": SCHEMA}}]},
    })
    space.kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}")
    yield f"widgets.{group}"
    space.kubectl("delete", "crd", f"widgets.{group}", "--wait=false")


@pytest.fixture
def operator(space: Space, widgets: str, kubeconfig: str, tmp_path: Path) -> Iterator[Path]:
    """Its log. The operator knows the plural alone, and watches the test's namespace only."""
    log = tmp_path / "operator.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kopf", "run", "--standalone", "--verbose", f"--namespace={space.namespace}", str(OPERATOR)],
            stdout=output, stderr=output, env={**os.environ, "KUBECONFIG": kubeconfig},
        )
        try:
            yield log
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_an_operator(space: Space, widgets: str, operator: Path) -> None:
    def held(kind: str, name: str) -> Json:
        found: Json = space.get(kind, name)
        return found

    def config(name: str) -> Json:
        try:
            return held("configmap", name)
        except CommandFailed as error:
            raise AssertionError(f"{error}\n{operator.read_text()[-3000:]}") from error

    space.create({"apiVersion": f"{widgets.partition('.')[2]}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}})
    served = eventually(lambda: config("w"), within_s=60)
    eventually(lambda: held(widgets, "w")["status"]["created"] == {"size": 1})
    assert (served["data"], served["metadata"]["ownerReferences"][0]["kind"]) == ({"size": "1"}, "Widget")
    assert held(widgets, "w")["metadata"]["finalizers"] == ["widgets.example.com/finalizer"]
    assert space.event("w", "Served") == "a ConfigMap for size 1"

    space.kubectl("patch", widgets, "w", "--type=merge", "-p", '{"spec": {"size": 5}}')
    eventually(lambda: config("w")["data"] == {"size": "5"}, within_s=60)
    eventually(lambda: held(widgets, "w")["status"]["resized"] == "from 1 to 5")
    eventually(lambda: held(widgets, "w")["status"]["ticks"] > 2, within_s=60)

    space.kubectl("delete", widgets, "w", "--timeout=120s", timeout_s=150)
    assert config("w-was-here")
    eventually(lambda: "NotFound" in space.refused("get", "configmap", "w"))
