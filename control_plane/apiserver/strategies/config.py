"""ConfigMaps, Secrets and ServiceAccounts."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import FIELD_IMMUTABLE, config_key_problems, each, forbidden, invalid, required, too_long

SIZE_LIMIT: Final = 1024 * 1024
_IMMUTABLE_SET: Final = "field is immutable when `immutable` is set"
# What a typed Secret must hold.
_REQUIRED_KEYS: Final = {
    "kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/ssh-auth": "ssh-privatekey",
}


class ConfigMapStrategy(Strategy):
    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        causes: list[Cause] = []
        for key in data:
            causes += each(f"data[{key}]", key, config_key_problems(key))
            if key in binary:
                causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        for key in binary:
            causes += each(f"binaryData[{key}]", key, config_key_problems(key))
        size = sum(len(value.encode()) for value in data.values()) + sum(_decoded_length(value) for value in binary.values())
        return [*causes, too_long("", SIZE_LIMIT)] if size > SIZE_LIMIT else causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _validate_immutable(obj, old, ("data", "binaryData"))


class SecretStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        obj["type"] = obj.get("type") or "Opaque"
        if plain := obj.pop("stringData", None):
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
            obj["data"] = {**(obj.get("data") or {}), **encoded}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        data = obj.get("data") or {}
        causes = [cause for key in data for cause in each(f"data[{key}]", key, config_key_problems(key))]
        if sum(_decoded_length(value) for value in data.values()) > SIZE_LIMIT:
            causes.append(too_long("data", SIZE_LIMIT))
        return causes + self._validate_type(obj, data)

    def _validate_type(self, obj: JsonObject, data: JsonObject) -> list[Cause]:
        kind = obj["type"]
        if kind == "kubernetes.io/service-account-token":
            annotations = (obj.get("metadata") or {}).get("annotations") or {}
            key = "kubernetes.io/service-account.name"
            return [] if annotations.get(key) else [required(f"metadata.annotations[{key}]")]
        if kind == "kubernetes.io/basic-auth":
            if "username" in data or "password" in data:
                return []
            return [required("data[username]"), required("data[password]")]
        if kind == "kubernetes.io/tls":
            return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
        key = _REQUIRED_KEYS.get(kind, "")
        if key and (key not in data or not (data[key] or key.startswith(".docker"))):
            return [required(f"data[{key}]")]
        if key.startswith(".docker") and (problem := _json_problem(data[key])):
            return [invalid(f"data[{key}]", "<secret contents redacted>", problem)]
        return []

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes = [] if obj.get("type") == old.get("type") else [invalid("type", obj.get("type"), FIELD_IMMUTABLE)]
        return causes + _validate_immutable(obj, old, ("data",))

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        if obj.get("type") != "kubernetes.io/tls":
            return []
        from control_plane.apiserver.strategies.key_pairs import key_pair_problem  # cryptography is heavy, TLS secrets are rare

        data = obj.get("data") or {}
        problem = key_pair_problem(*(base64.b64decode(data.get(key) or "") for key in ("tls.crt", "tls.key")))
        return [problem] if problem else []

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"type": obj.get("type", "")}


def _validate_immutable(obj: JsonObject, old: JsonObject, keys: tuple[str, ...]) -> list[Cause]:
    if not old.get("immutable"):
        return []
    causes = [] if obj.get("immutable") else [forbidden("immutable", _IMMUTABLE_SET)]
    return causes + [forbidden(key, _IMMUTABLE_SET) for key in keys if (obj.get(key) or {}) != (old.get(key) or {})]


def _decoded_length(value: Any) -> int:
    return len(value) * 3 // 4 if isinstance(value, str) else 0


def _json_problem(encoded: str | None) -> str:
    """Why it is no JSON object, in the words of Go's encoding/json as far as they go; "" if it is one, or null."""
    try:
        found = json.loads(base64.b64decode(encoded or "").decode(errors="replace"))
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()):
            return "unexpected end of JSON input"
        return f"invalid character '{error.doc[error.pos]}' looking for beginning of value"
    except ValueError:
        return "unexpected end of JSON input"
    kind = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}.get(type(found), "")
    return f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}" if kind else ""


class ServiceAccountStrategy(Strategy):
    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        _bare_names(obj)

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        _bare_names(obj)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        key = "kubernetes.io/enforce-mountable-secrets"
        return [f"metadata.annotations[{key}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
                ] if key in (obj["metadata"].get("annotations") or {}) else []


def _bare_names(account: JsonObject) -> None:
    """Of a reference to a Secret nothing else is kept."""
    if secrets := account.get("secrets"):
        account["secrets"] = [{"name": name} if (name := one.get("name")) else {} for one in secrets]
