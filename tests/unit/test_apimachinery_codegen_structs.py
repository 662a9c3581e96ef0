from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

import kube.api
from kube.api.core_v1 import Container, Pod, PodSpec, Service
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.codegen.names import field_name, snake_case
from kube.apimachinery.codegen.structs import generated_files, main
from kube.apimachinery.resources import RESOURCES, SUBRESOURCES


def structs() -> Iterator[type[msgspec.Struct]]:
    for found in pkgutil.iter_modules(kube.api.__path__):
        module = importlib.import_module(f"kube.api.{found.name}")
        yield from (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def test_committed_structs_are_what_the_generator_writes() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize(("json_name", "attribute"), [
    ("podIP", "pod_ip"), ("podIPs", "pod_ips"), ("hostIPs", "host_ips"), ("clusterIPs", "cluster_ips"), ("podCIDRs", "pod_cidrs"),
    ("externalIPs", "external_ips"), ("providerID", "provider_id"), ("systemUUID", "system_uuid"), ("nonResourceURLs", "non_resource_urls"),
    ("setHostnameAsFQDN", "set_hostname_as_fqdn"), ("fsGroup", "fs_group"), ("openAPIV3Schema", "openapi_v3_schema"),
    ("x-kubernetes-list-type", "x_kubernetes_list_type"), ("$ref", "ref"), ("from", "from_"), ("bool", "bool_"),
    ("ipFamilies", "ip_families"),
])
def test_names(json_name: str, attribute: str) -> None:
    assert field_name(json_name) == attribute
    assert snake_case(json_name) == attribute.rstrip("_")


def test_fields_keep_their_json_names() -> None:
    text = b'{"status":{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"hostIPs":[{"ip":"1.2.3.4"}]},"spec":{"hostPID":true}}'

    pod = msgspec.json.decode(text, type=Pod)

    assert (pod.status.pod_ip, pod.status.pod_ips[0].ip, pod.spec.host_pid) == ("10.0.0.1", "10.0.0.1", True)
    assert msgspec.json.decode(msgspec.json.encode(pod)) == msgspec.json.decode(text) | {"apiVersion": "v1", "kind": "Pod"}


def test_every_struct_decodes_an_empty_object_and_has_defaults_for_all() -> None:
    for kind in structs():
        assert msgspec.json.decode(b"{}", type=kind) == kind()


def test_absence_has_one_form_per_type() -> None:
    pod = Pod()
    assert (pod.metadata, pod.spec) == (ObjectMeta(), PodSpec())
    assert (pod.spec.containers, pod.spec.node_selector, pod.spec.node_name, pod.spec.priority) == ((), {}, "", None)
    assert Container().resources is None
    assert Service().spec.ports == ()


def test_kind_and_version_are_always_written_and_nothing_else_by_default() -> None:
    assert msgspec.json.encode(Pod()) == b'{"apiVersion":"v1","kind":"Pod"}'


def test_every_served_kind_has_a_struct() -> None:
    bodies = {sub.kind for sub in SUBRESOURCES.values() if sub.kind and not sub.kind.kind.endswith("Options")}
    served = {row.gvk for row in RESOURCES} | bodies

    assert served <= {getattr(kind, "GVK", None) for kind in structs()}


def test_modules_stand_alone_and_load_fast() -> None:
    code = "import sys, time; t = time.process_time(); import kube.api.apps_v1; print(time.process_time() - t, *sys.modules)"
    elapsed, *modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {"kube.api.core_v1", "kube.api.meta_v1"} <= set(modules)
    assert "kube.api.batch_v1" not in modules
    assert float(elapsed) < 1
    assert "managed_fields" not in generated_files()["meta_v1.py"]
