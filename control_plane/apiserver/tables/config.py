"""ConfigMaps, Secrets, ServiceAccounts, roles and bindings."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, wide
from control_plane.apiserver.tables.text import age, name_of
from kube.apimachinery.meta import JsonObject


def _config_map(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, now)]


def _secret(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("type") or "", len(obj.get("data") or ()), age(obj, now)]


def name_and_age(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), age(obj, now)]


def _binding(obj: JsonObject, now: datetime) -> list[Any]:
    role, subjects = obj.get("roleRef") or {}, obj.get("subjects") or ()
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in subjects:
        name = subject.get("name") or ""
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace') or ''}/{name}"
        named.setdefault(subject.get("kind") or "", []).append(name)
    return [name_of(obj), f"{role.get('kind', '')}/{role.get('name', '')}", age(obj, now),
            *(", ".join(named[kind]) for kind in ("User", "Group", "ServiceAccount"))]


def _bindings(word: str) -> Table:
    return Table((
        NAME, Column("Role", "@roleRef"), AGE, wide("Users", f"Users in the {word}"), wide("Groups", f"Groups in the {word}"),
        wide("ServiceAccounts", f"ServiceAccounts in the {word}"),
    ), _binding)


CONFIG_MAP: Final = Table((NAME, Column("Data", "@data"), AGE), _config_map)
SECRET: Final = Table((NAME, Column("Type", "@type"), Column("Data", "@data"), AGE), _secret)
NAME_AND_AGE: Final = Table((NAME, AGE), name_and_age)
ROLE_BINDING: Final = _bindings("roleBinding")
CLUSTER_ROLE_BINDING: Final = _bindings("clusterRoleBinding")
