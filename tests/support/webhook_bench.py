"""Webhooks in the apiserver under test: their configurations, gone after each test, and objects for them to see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.api_calls import Api, config_map
from tests.support.apiserver import RunningApiserver
from tests.support.webhooks import Json, WebhookServer, ca_bundle, configuration, rule, webhook

BASE = "/apis/admissionregistration.k8s.io/v1"
EVERYTHING = rule("*/*", operations=("*",), groups=("*",), versions=("*",))


@asynccontextmanager
async def hooked_api(server: RunningApiserver, namespace: str = "hooks") -> AsyncIterator[Api]:
    """With the namespace, and what a Pod needs in it."""
    async with server.session() as session:
        made = Api(session)
        await made.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        await made.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        try:
            yield made
        finally:
            for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
                await made.delete(f"{BASE}/{plural}")


class Bench:
    """`name`: of webhooks that are given none; `kind`: of their configurations, Mutating or Validating, if not said otherwise."""

    def __init__(self, api: Api, server: RunningApiserver, hooks: WebhookServer, name: str, kind: str = "Validating") -> None:
        self.api, self.hooks, self.bundle = api, hooks, ca_bundle(server.admin)
        self._name, self._kind = name, kind

    def hook(self, path: str, *rules: Json, name: str = "", url: str = "", **more: Any) -> Json:
        return webhook(name or self._name, url or self.hooks.url(path), self.bundle, *(rules or [rule("configmaps")]), **more)

    async def configure(self, *webhooks: Json, name: str = "c", kind: str = "") -> None:
        kind = kind or self._kind
        code, said = await self.api.post(f"{BASE}/{kind.lower()}webhookconfigurations", configuration(kind, name, *webhooks))
        assert code == 201, said

    async def create(self, name: str, **query: Any) -> tuple[int, Json]:
        return await self.api.post("/api/v1/namespaces/hooks/configmaps", config_map(name, a="b"), **query)

    async def exists(self, name: str) -> bool:
        return (await self.api.get(f"/api/v1/namespaces/hooks/configmaps/{name}"))[0] == 200

    async def metric(self, name: str) -> list[str]:
        async with self.api.session.get("/metrics") as got:
            return [line for line in (await got.text()).splitlines() if line.startswith(name)]
