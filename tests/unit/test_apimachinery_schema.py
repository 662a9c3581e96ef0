from __future__ import annotations

import subprocess
import sys
import time

import pytest

from kube.apimachinery.resources import RESOURCES, SUBRESOURCES
from kube.apimachinery.schema import Schemas, schemas
from kube.apimachinery.scheme import GroupVersionKind

CONNECT_OPTIONS = {
    "NodeProxyOptions", "PodAttachOptions", "PodExecOptions", "PodPortForwardOptions", "PodProxyOptions", "ServiceProxyOptions",
}


def test_every_served_kind_has_a_schema() -> None:
    kinds = {row.gvk for row in RESOURCES} | {sub.kind for sub in SUBRESOURCES.values() if sub.kind}

    missing = {kind for kind in kinds if schemas().for_kind(kind) is None}

    assert {kind.kind for kind in missing} == CONNECT_OPTIONS       # these travel as query parameters


@pytest.mark.parametrize(("path", "type_", "go_type"), [
    ("spec", "object", "v1.PodSpec"),
    ("spec.containers", "array", "[]v1.Container"),
    ("spec.nodeSelector", "map", "map[string]string"),
    ("spec.containers.resources.limits", "map", "v1.ResourceList"),
    ("spec.containers.livenessProbe.httpGet.port", "int-or-string", "intstr.IntOrString"),
    ("spec.activeDeadlineSeconds", "integer", "int64"),
    ("spec.containers.tty", "boolean", "bool"),
    ("metadata.creationTimestamp", "string", "string"),
    ("metadata.managedFields.fieldsV1", "any", "runtime.RawExtension"),
])
def test_a_field_is_described_once_and_for_all(path: str, type_: str, go_type: str) -> None:
    node = schemas().for_kind(GroupVersionKind("", "v1", "Pod"))
    for key in path.split("."):
        assert node is not None
        node = (node.items or node).properties[key]

    assert node is not None
    assert (node.type, node.go_type) == (type_, go_type)


def test_merge_keys_and_list_types_survive() -> None:
    pod = schemas().for_kind(GroupVersionKind("", "v1", "Pod"))
    assert pod is not None
    containers = pod.properties["spec"].properties["containers"]
    assert (containers.patch_strategy, containers.patch_merge_key) == ("merge", "name")
    assert containers.items is not None
    ports = containers.items.properties["ports"]
    assert (ports.list_type, ports.list_map_keys) == ("map", ("containerPort", "protocol"))
    assert pod.properties["spec"].properties["volumes"].patch_strategy == "merge,retainKeys"
    assert pod.properties["metadata"].properties["ownerReferences"].patch_merge_key == "uid"
    assert "desired behavior" in pod.properties["spec"].description


def test_recursive_and_free_form_schemas_resolve_in_any_order() -> None:
    fresh = Schemas()
    for name in fresh.names():
        fresh.definition(name)

    props = fresh.definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps").properties
    assert props["default"].type == "any"
    assert props["items"].type == "any"
    assert props["not"].properties["not"].type == "object"


def test_schemas_load_lazily_and_without_the_packages_own_imports() -> None:
    code = ("import sys; from kube.apimachinery.schema import schemas; schemas(); "
            "print('jsonschema' in sys.modules, 'kubernetes_validate' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False", "False"]

    started = time.process_time()
    Schemas()
    assert time.process_time() - started < 0.5
