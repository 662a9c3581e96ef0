"""Plain HTTP calls to an apiserver under test, and objects to send. No code of ours reads the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

Json = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Api:
    """`await api.get(path)` is (code, body); a wrong code is the test's business."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Json]:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": options.pop("content_type", "application/json"), **options.pop("headers", {})}
        async with self.session.request(method, path, data=body, headers=headers, params=options) as answer:
            if answer.content_type == "text/plain":
                return answer.status, {"text": await answer.text(errors="replace")}
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, **query: Any) -> tuple[int, Json]:
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any, **options: Any) -> tuple[int, Json]:
        return await self.call("POST", path, body, **options)

    async def put(self, path: str, body: Any, **options: Any) -> tuple[int, Json]:
        return await self.call("PUT", path, body, **options)

    async def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH, **options: Any) -> tuple[int, Json]:
        return await self.call("PATCH", path, body, content_type=content_type, **options)

    async def delete(self, path: str, body: Any = None, **options: Any) -> tuple[int, Json]:
        return await self.call("DELETE", path, body, **options)

    @asynccontextmanager
    async def watch(self, path: str, *, headers: dict[str, str] | None = None, **query: str) -> AsyncIterator[Watch]:
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.session.get(path, params={"watch": "1", **query}, headers=headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            yield Watch(answer)


class Watch:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self, within_s: float = 5.0) -> tuple[str, Json]:
        """(type, object) of the next event."""
        async with asyncio.timeout(within_s):
            line = await self._answer.content.readline()
        assert line, "the watch has ended"
        event = json.loads(line)
        return event["type"], event["object"]

    async def ended(self, within_s: float = 5.0) -> bool:
        async with asyncio.timeout(within_s):
            return await self._answer.content.readline() == b""


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service(name: str, **spec: Any) -> Json:
    spec = {"ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def pod(name: str, **spec: Any) -> Json:
    spec = {"containers": [{"name": "main", "image": "busybox"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(name: str, replicas: int = 1) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def new_namespace(api: Api, name: str, *, service_account: bool = False) -> str:
    """A namespace of the test's own; returns the path of it. With the `default` ServiceAccount if Pods are to be created."""
    code, _ = await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert code == 201
    if service_account:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        code, _ = await api.post(f"/api/v1/namespaces/{name}/serviceaccounts", account)
        assert code == 201
    return f"/api/v1/namespaces/{name}"
