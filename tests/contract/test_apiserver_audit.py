"""The audit log: what a policy wants told, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kube.api.core_v1 import ConfigMap
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.errors import AlreadyExists
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from tests.support.apiserver import running_apiserver


async def test_each_rule_tells_as_much_as_it_says(tmp_path: Path) -> None:
    policy, log = tmp_path / "policy.json", tmp_path / "audit.log"
    policy.write_text(json.dumps({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "omitManagedFields": True, "rules": [
            {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}], "namespaces": ["default"]},
            {"level": "Metadata", "users": ["bob"]}, {"level": "None"},
        ],
    }))
    async with running_apiserver(tmp_path / "a", audit_policy_file=str(policy), audit_log_path=str(log)) as server:
        async with server.session(server.admin, **{"User-Agent": "test"}) as session:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
            async with session.post("/api/v1/namespaces/default/configmaps?fieldManager=me", json=body) as answer:
                audit_id = answer.headers["Audit-Id"]
            async with session.get("/api/v1/namespaces/default/secrets"):
                pass
        async with server.session(server.pki.identity("bob"), **{"Audit-ID": "mine"}) as session, session.get("/api/v1/pods"):
            pass

    events: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    made, refused = [event for event in events if event["user"]["username"] in ("kubernetes-admin", "bob")]
    assert (made["level"], made["stage"], made["verb"], made["auditID"]) == ("RequestResponse", "ResponseComplete", "create", audit_id)
    assert made["requestURI"] == "/api/v1/namespaces/default/configmaps?fieldManager=me"
    assert made["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert (made["userAgent"], made["sourceIPs"]) == ("test", ["127.0.0.1"])
    assert made["requestObject"]["data"] == made["responseObject"]["data"] == {"a": "b"}
    assert "managedFields" not in made["responseObject"]["metadata"]
    assert made["responseStatus"] == {"metadata": {}, "code": 201}
    assert made["annotations"]["authorization.k8s.io/decision"] == "allow"
    assert (refused["level"], refused["auditID"], refused["responseStatus"]["code"]) == ("Metadata", "mine", 403)
    assert refused["responseStatus"]["reason"] == "Forbidden"
    assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert "requestObject" not in refused
    assert "responseObject" not in refused


def policy_of(folder: Path, *rules: dict[str, Any], **more: Any) -> dict[str, str]:
    """The settings of an apiserver with that policy; its log is folder/audit.log."""
    file = folder / "policy.json"
    file.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more}))
    return {"audit_policy_file": str(file), "audit_log_path": str(folder / "audit.log")}


def told(folder: Path, user: str = "kubernetes-admin") -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]
    return [event for event in events if event["user"]["username"] == user]


async def test_stages_of_short_and_of_long_requests(tmp_path: Path) -> None:
    quiet = {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets"]}], "omitStages": ["RequestReceived"]}
    settings = policy_of(tmp_path, quiet, {"level": "Metadata", "verbs": ["list", "watch"]})
    async with running_apiserver(tmp_path / "a", **settings) as server, server.session() as session:
        for path in ("configmaps", "configmaps?watch=1&timeoutSeconds=1", "secrets", "pods/nope"):
            async with session.get(f"/api/v1/namespaces/default/{path}") as answer:
                await answer.read()

    stages = [(event["objectRef"]["resource"], event["verb"], event["stage"]) for event in told(tmp_path) if "objectRef" in event]
    assert stages == [
        ("configmaps", "list", "RequestReceived"), ("configmaps", "list", "ResponseComplete"),
        ("configmaps", "watch", "RequestReceived"), ("configmaps", "watch", "ResponseStarted"), ("configmaps", "watch", "ResponseComplete"),
        ("secrets", "list", "ResponseComplete"),
    ]
    assert len({event["auditID"] for event in told(tmp_path) if event.get("objectRef", {}).get("resource") == "secrets"}) == 1


async def test_levels_tell_as_much_as_they_are_named(tmp_path: Path) -> None:
    def rule(level: str, name: str) -> dict[str, Any]:
        return {"level": level, "resources": [{"group": "", "resources": ["configmaps"], "resourceNames": [name]}]}

    rules = [rule("None", "none"), rule("Metadata", "metadata"), rule("Request", "request"), rule("RequestResponse", "response")]
    settings = policy_of(tmp_path, *rules, omitStages=["RequestReceived"])
    async with running_apiserver(tmp_path / "a", **settings) as server, server.session() as session:
        for name in ("none", "metadata", "request", "response"):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": name}}
            async with session.post("/api/v1/namespaces/default/configmaps", json=body):
                pass      # its name is not yet in the path: no rule is about it
            async with session.put(f"/api/v1/namespaces/default/configmaps/{name}", json=body | {"data": {"a": "b"}}) as answer:
                assert answer.status == 200

    events = {event["objectRef"]["name"]: event for event in told(tmp_path)}
    assert {name: (event["level"], "requestObject" in event, "responseObject" in event) for name, event in events.items()} == {
        "metadata": ("Metadata", False, False), "request": ("Request", True, False), "response": ("RequestResponse", True, True),
    }
    assert events["response"]["responseObject"]["metadata"]["managedFields"]


async def test_callers_by_grpc_are_told_of(tmp_path: Path) -> None:
    configmaps = {"group": "", "resources": ["configmaps"]}
    settings = policy_of(tmp_path, {"level": "RequestResponse", "resources": [configmaps], "users": ["system:kube-controller-manager"]})
    async with running_apiserver(tmp_path / "a", **settings) as server:
        identity = server.pki.identity("system:kube-controller-manager", ["system:masters"])
        async with Client(GrpcTransport(server.access(identity)), field_manager="test") as client:
            wanted = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"))
            made = await client.create(wanted)
            with pytest.raises(AlreadyExists):
                await client.create(wanted)

    received, complete, *others = told(tmp_path, "system:kube-controller-manager")
    assert [event["stage"] for event in (received, complete, *others)] == ["RequestReceived", "ResponseComplete"] * 2
    assert (complete["verb"], complete["requestURI"]) == ("create", "/api/v1/namespaces/default/configmaps")
    assert complete["sourceIPs"] == ["127.0.0.1"]
    assert complete["requestObject"]["metadata"]["name"] == "c"
    assert complete["responseObject"]["metadata"]["uid"] == made.metadata.uid
    assert (others[-1]["responseStatus"]["code"], others[-1]["responseStatus"]["reason"]) == (409, "AlreadyExists")
