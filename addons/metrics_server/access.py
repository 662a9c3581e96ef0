"""Who asks, and whether they may: the front proxy's word for its users, or a bearer token; then the apiserver's (SubjectAccessReview).

Whom to believe as the front proxy stands in ConfigMap kube-system/extension-apiserver-authentication. Only its CA is trusted for client
certificates: whoever shows one of its names is the proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from kube.api.authorization_v1 import NonResourceAttributes, ResourceAttributes
from kube.api.core_v1 import ConfigMap
from kube.apimachinery.errors import Forbidden, Unauthorized
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.delegated_auth import Caller, Credentials, DelegatedAuth

TRUST = NamespacedName("kube-system", "extension-apiserver-authentication")
MASTERS = "system:masters"
Headers = Sequence[tuple[str, str]]         # names in lower case


@dataclass(frozen=True, slots=True)
class FrontProxy:
    ca: str                                 # PEM
    names: tuple[str, ...]                  # (): every certificate of the CA
    user: tuple[str, ...]
    group: tuple[str, ...]
    extra: tuple[str, ...]
    uid: tuple[str, ...] = ()

    def caller(self, certificate: Mapping[str, Any], headers: Headers) -> Caller | None:
        """None: it is no proxy of ours, or speaks for nobody."""
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        if self.names and not set(names) & set(self.names):
            return None
        user = next((value for name in self.user for value in _all(headers, name)), "")
        groups = tuple(value for name in self.group for value in _all(headers, name))
        uid = next((value for name in self.uid for value in _all(headers, name)), "")
        return Caller(user, uid, groups, self._extra(headers)) if user else None

    def _extra(self, headers: Headers) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for prefix in self.extra:
            for name, value in headers:
                if name.startswith(prefix.lower()):
                    key = unquote(name[len(prefix):])
                    found[key] = (*found.get(key, ()), value)
        return found


def _all(headers: Headers, name: str) -> list[str]:
    return [value for each, value in headers if each == name.lower() and value]


async def read_front_proxy(client: Client) -> FrontProxy:
    """Raises ApiError."""
    data = (await client.get(ConfigMap, TRUST)).data

    def names(key: str) -> tuple[str, ...]:
        return tuple(json.loads(data.get(f"requestheader-{key}") or "[]"))

    return FrontProxy(
        ca=data.get("requestheader-client-ca-file", ""), names=names("allowed-names"), user=names("username-headers"),
        group=names("group-headers"), extra=names("extra-headers-prefix"), uid=names("uid-headers"),
    )


class Access:
    def __init__(self, proxy: FrontProxy, auth: DelegatedAuth) -> None:
        self._proxy = proxy
        self._auth = auth

    async def check(
        self, certificate: Mapping[str, Any] | None, headers: Headers, what: ResourceAttributes | NonResourceAttributes,
    ) -> None:
        """Raises Unauthorized, Forbidden, InternalError."""
        caller = self._proxy.caller(certificate, headers) if certificate else None
        if caller is None:
            token = next((value for name, value in headers if name == "authorization"), "")
            if not token:
                raise Unauthorized("Unauthorized")
            caller = await self._auth.caller(Credentials(None, token))
        if MASTERS in caller.groups or await self._auth.may(caller, what):
            return
        if isinstance(what, NonResourceAttributes):
            raise Forbidden(f'forbidden: User "{caller.user}" cannot {what.verb} path "{what.path}"')
        scope = f'in the namespace "{what.namespace}"' if what.namespace else "at the cluster scope"
        resource = f"{what.resource}.{what.group}" + (f' "{what.name}"' if what.name else "")
        question = f'cannot {what.verb} resource "{what.resource}" in API group "{what.group}" {scope}'
        raise Forbidden(f'{resource} is forbidden: User "{caller.user}" {question}')
