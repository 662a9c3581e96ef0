"""The audit log: what a policy wants told, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
