"""CustomResourceDefinitions for tests, and waiting for them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.api_calls import Api, Json

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "stable.example.com"

CRON_SPEC: Json = {
    "type": "object", "required": ["cronSpec"], "properties": {
        "cronSpec": {"type": "string", "description": "When it runs.", "pattern": r"^(\d+|\*)(\s+(\d+|\*)){4}$"},
        "image": {"type": "string"}, "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
    },
}
CRON_STATUS: Json = {"type": "object", "properties": {"replicas": {"type": "integer"}, "labelSelector": {"type": "string"}}}
SCALE: Json = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.labelSelector"}


def root(**properties: Json) -> Json:
    """The schema of a whole object."""
    return {"type": "object", "properties": properties}


def version(name: str = "v1", *, storage: bool = True, served: bool = True, schema: Json | None = None, **more: Any) -> Json:
    schema = root(spec=CRON_SPEC, status=CRON_STATUS) if schema is None else schema
    return {"name": name, "served": served, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


def definition(plural: str = "crontabs", kind: str = "CronTab", *versions: Json, group: str = GROUP, **spec: Any) -> Json:
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, **spec.pop("names", {})}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions) or [version()], **spec},
    }


def custom(name: str, kind: str = "CronTab", api_version: str = f"{GROUP}/v1", **content: Any) -> Json:
    content = content or {"spec": {"cronSpec": "* * * * *"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}


def condition(crd: Json, kind: str) -> Json:
    conditions = (crd.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


async def established(api: Api, crd: Json, within_s: float = 60.0) -> Json:
    """Creates a definition and waits for it."""
    code, answer = await api.post(DEFINITIONS, crd)
    assert code == 201, answer
    return await until(api, crd["metadata"]["name"], "Established", "True", within_s)


async def until(api: Api, name: str, kind: str, status: str, within_s: float = 60.0) -> Json:
    async with asyncio.timeout(within_s):
        while True:
            _, held = await api.get(f"{DEFINITIONS}/{name}")
            if condition(held, kind).get("status") == status:
                return held
            await asyncio.sleep(0.02)


async def gone(api: Api, path: str, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while (await api.get(path))[0] != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
