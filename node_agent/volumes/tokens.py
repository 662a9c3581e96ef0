"""Tokens of service accounts for Pods: asked for by TokenRequest, bound to the Pod, renewed well before they end."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kube.api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from kube.api.core_v1 import Pod
from kube.process.clock import Clock, from_rfc3339

RENEW_AFTER = 0.8                # of the life; kubelet's token manager
MAX_AGE_S = 24 * 3600.0
JITTER_S = 10.0

# namespace, service account, request -> answer
RequestToken = Callable[[str, str, TokenRequest], Awaitable[TokenRequest]]
_Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    renew_at: float
    expires_at: float


class TokenManager:
    def __init__(self, request: RequestToken, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._held: dict[_Key, _Held] = {}

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str:
        """From memory while it is fresh. Raises the apiserver's errors, but not while an old token is still good."""
        key = (pod.metadata.uid, pod.spec.service_account_name, audience, expiration_s)
        now = self._clock.now().timestamp()
        held = self._held.get(key)
        if held is not None and now < held.renew_at:
            return held.token
        try:
            held = await self._fetch(pod, audience, expiration_s, now)
        except Exception:
            if held is not None and now < held.expires_at:
                return held.token
            raise
        self._held[key] = held
        return held.token

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._held if key[0] == pod_uid]:
            del self._held[key]

    async def _fetch(self, pod: Pod, audience: str, expiration_s: int, now: float) -> _Held:
        metadata = pod.metadata
        bound = BoundObjectReference(api_version="v1", kind="Pod", name=metadata.name, uid=metadata.uid)
        spec = TokenRequestSpec(
            audiences=(audience,) if audience else (), expiration_seconds=expiration_s, bound_object_ref=bound,
        )
        answer = await self._request(metadata.namespace, pod.spec.service_account_name or "default", TokenRequest(spec=spec))
        expires_at = from_rfc3339(answer.status.expiration_timestamp).timestamp()
        life = expires_at - now
        renew_at = now + min(life * RENEW_AFTER, MAX_AGE_S) - random.uniform(0, min(JITTER_S, life * 0.1))
        return _Held(answer.status.token, renew_at, expires_at)
