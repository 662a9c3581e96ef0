"""Custom kinds in a whole cluster: controllers see them come and go, clients find them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from launcher.testing.cluster import eventually
from tests.support.custom_kinds import SCALE, custom, definition, version
from tests.support.space import OFFICIAL, Space, config_map

Json = dict[str, object]


@dataclass(frozen=True)
class Kind:
    """One of this test alone, in a group called after its namespace, so that tests run beside others."""

    space: Space
    group: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1"

    def make(self, name: str, **metadata: object) -> str:
        """The uid."""
        obj = custom(name, "CronTab", self.api_version)
        obj["metadata"] |= metadata
        return self.space.kubectl("create", "-f", "-", "-o", "jsonpath={.metadata.uid}", stdin=json.dumps(obj))

    def names(self) -> list[str]:
        return self.space.kubectl("get", f"crontabs.{self.group}", "-o", "jsonpath={.items[*].metadata.name}").split()


@pytest.fixture
def kind(space: Space) -> Iterator[Kind]:
    group = f"{space.namespace}.example.com"
    crd = definition("crontabs", "CronTab", version(subresources={"status": {}, "scale": SCALE}), group=group)
    space.kubectl("apply", "-f", "-", stdin=json.dumps(crd))
    space.kubectl("wait", "--for=condition=Established", f"crd/crontabs.{group}", "--timeout=120s")
    yield Kind(space, group)
    space.kubectl("delete", "crd", f"crontabs.{group}", "--ignore-not-found", "--timeout=120s")


def test_custom_objects_own_and_are_owned(space: Space, kind: Kind) -> None:
    uid = kind.make("owner")
    owner = {"apiVersion": kind.api_version, "kind": "CronTab", "name": "owner", "uid": uid}
    owned = config_map("owned")
    owned["metadata"]["ownerReferences"] = [owner]
    space.create(owned)
    kind.make("child", ownerReferences=[owner])

    space.kubectl("delete", f"crontabs.{kind.group}", "owner")

    eventually(lambda: kind.names() == [])
    eventually(lambda: "NotFound" in space.refused("get", "configmap", "owned"))


def test_dependents_can_be_orphaned(space: Space, kind: Kind) -> None:
    uid = kind.make("owner")
    kind.make("child", ownerReferences=[{"apiVersion": kind.api_version, "kind": "CronTab", "name": "owner", "uid": uid}])

    space.kubectl("delete", f"crontabs.{kind.group}", "owner", "--cascade=orphan")

    eventually(lambda: kind.names() == ["child"])
    path = "jsonpath={.metadata.ownerReferences}"
    eventually(lambda: space.kubectl("get", f"crontabs.{kind.group}", "child", "-o", path) in ("", "[]"))


def test_a_namespace_takes_its_custom_objects_with_it(space: Space, kind: Kind) -> None:
    other = f"{space.namespace}-gone"
    space.kubectl("create", "namespace", other)
    obj = json.dumps(custom("a", "CronTab", kind.api_version))
    space.kubectl("create", f"--namespace={other}", "-f", "-", stdin=obj)

    space.kubectl("delete", "namespace", other, "--timeout=120s")

    assert space.kubectl("get", f"crontabs.{kind.group}", "-A", "-o", "jsonpath={.items[*].metadata.namespace}").split() == []


def test_edit_and_scale_through_kubectl(space: Space, kind: Kind) -> None:
    kind.make("a")

    editor = {"KUBE_EDITOR": "sed -i s/cronSpec:.*/cronSpec:\\ 5\\ 5\\ 5\\ 5\\ 5/"}
    space.kubectl("edit", f"crontabs.{kind.group}", "a", environment=editor)
    space.kubectl("scale", f"crontabs.{kind.group}", "a", "--replicas=3")

    held = json.loads(space.kubectl("get", f"crontabs.{kind.group}", "a", "-o", "json"))
    assert (held["spec"]["cronSpec"], held["spec"]["replicas"], held["metadata"]["generation"]) == ("5 5 5 5 5", 3, 3)


def test_the_official_python_client_works_on_custom_objects(space: Space, kind: Kind) -> None:
    with space.python_client() as client:
        api = OFFICIAL.client.CustomObjectsApi(client)
        where = (kind.group, "v1", space.namespace, "crontabs")

        made = api.create_namespaced_custom_object(*where, custom("a", "CronTab", kind.api_version))
        api.patch_namespaced_custom_object(*where, "a", {"spec": {"replicas": 2}})
        api.patch_namespaced_custom_object_status(*where, "a", {"status": {"replicas": 2}})
        scale = api.get_namespaced_custom_object_scale(*where, "a")
        listed = api.list_namespaced_custom_object(*where)
        api.delete_namespaced_custom_object(*where, "a")

        crds = OFFICIAL.client.ApiextensionsV1Api(client).list_custom_resource_definition().items

    assert made["spec"]["replicas"] == 1
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    assert f"crontabs.{kind.group}" in [crd.metadata.name for crd in crds]
    assert kind.names() == []


def test_rights_on_custom_kinds_are_given_like_any(space: Space, kind: Kind) -> None:
    space.kubectl("create", "role", "reader", "--verb=get,list", f"--resource=crontabs.{kind.group}")
    space.kubectl("create", "rolebinding", "reader", "--role=reader", "--user=carol")

    assert space.kubectl("get", f"crontabs.{kind.group}", "--as=carol") == ""
    assert "forbidden" in space.refused("delete", f"crontabs.{kind.group}", "a", "--as=carol")
