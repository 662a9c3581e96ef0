"""Events go by themselves: each hangs on a lease of etcd."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = pytest.mark.etcd
EVENTS = "/api/v1/namespaces/default/events"


def event(name: str) -> dict[str, Any]:
    involved = {"kind": "Pod", "name": "p", "namespace": "default"}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": "R", "message": "M"}


def stored(server: RunningApiserver, prefix: str) -> list[dict[str, Any]]:
    """What etcdctl shows of the keys."""
    tls = server.etcd.tls
    assert tls is not None
    command = ["etcdctl", f"--endpoints=https://{server.etcd.endpoint}", f"--cacert={tls.ca_file}", f"--cert={tls.cert_file}",
               f"--key={tls.key_file}", "get", "--prefix", prefix, "-w", "json"]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout).get("kvs", [])
    return found


async def test_events_are_forgotten_and_watchers_told(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path, event_ttl_s=15.0) as server, server.session() as session:
        async with session.post("/api/v1/namespaces/default/configmaps", json={"metadata": {"name": "stays"}}) as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        for name in ("one", "two"):
            async with session.post(EVENTS, json=event(name)) as answer:
                assert answer.status == 201
        leases = {kv["lease"] for kv in stored(server, "/registry/events/default/")}
        assert leases
        assert 0 not in leases
        assert "lease" not in stored(server, "/registry/configmaps/default/stays")[0]

        told: set[str] = set()
        async with asyncio.timeout(180), session.get(f"{EVENTS}?watch=1&resourceVersion={version}") as watch:
            async for line in watch.content:
                change = json.loads(line)
                if change["type"] == "DELETED":
                    told.add(change["object"]["metadata"]["name"])
                if told == {"one", "two"}:
                    break
        async with session.get(EVENTS) as answer:
            assert (await answer.json())["items"] == []
        async with session.get("/api/v1/namespaces/default/configmaps/stays") as answer:
            assert answer.status == 200
