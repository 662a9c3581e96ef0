"""Server-side apply in a test: the call, and who owns what afterwards."""

from __future__ import annotations

from typing import Any

from tests.support.api_calls import Api, Json

APPLY = "application/apply-patch+yaml"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


async def apply(api: Api, path: str, body: Any, manager: str = "me", **options: Any) -> tuple[int, Json]:
    return await api.patch(path, body, APPLY, fieldManager=manager, **options)


def owners(obj: Json) -> dict[str, Json]:
    """FieldsV1 by "manager operation [subresource]"."""
    return {
        " ".join(filter(None, (entry["manager"], entry["operation"], entry.get("subresource")))): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", [])
    }


def without_times(obj: Json) -> list[Json]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in obj["metadata"]["managedFields"]]
