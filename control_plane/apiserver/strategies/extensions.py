"""APIServices and flow control."""

from __future__ import annotations

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import invalid


class APIServiceStrategy(Strategy):
    allows_update_without_version = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, name = obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or ""
        wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"
        causes = [] if name == wanted else [invalid("metadata.name", name, f"must be `spec.version+\".\"+spec.group`: {json_name(wanted)}")]
        for key in ("groupPriorityMinimum", "versionPriority"):
            value = spec.get(key) or 0
            limit = 20000 if key == "groupPriorityMinimum" else 1000
            if not 0 < value <= limit:
                causes.append(invalid(f"spec.{key}", value, f"must be positive and less than {limit}"))
        return causes


def json_name(text: str) -> str:
    return f'"{text}"'


class GenerationStrategy(Strategy):
    """Kinds that have no rules of their own yet but count generations upstream."""

    counts_generations = True
