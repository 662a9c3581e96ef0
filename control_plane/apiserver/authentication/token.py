"""Service-account tokens: bound to an audience, a time and often a Pod; signed with the cluster's key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube.process.clock import Clock


@dataclass(frozen=True, slots=True)
class BoundObject:
    """What a token dies with."""

    kind: str                 # Pod, Secret or Node
    name: str
    uid: str
    node_name: str = ""       # of a Pod: the Node it runs on, told in the token as well
    node_uid: str = ""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_at: datetime


class TokenAuthority:
    def __init__(
        self, issuer: str, signing_key_file: str, key_files: Sequence[str], clock: Clock, *, api_audiences: Sequence[str] = ()
    ) -> None:
        """`api_audiences` defaults to the issuer, as kube-apiserver's --api-audiences."""
        raise NotImplementedError

    def issue(
        self, *, namespace: str, name: str, uid: str, audiences: Sequence[str] = (), expiration_s: int = 3600,
        bound: BoundObject | None = None,
    ) -> IssuedToken:
        """For the service account `namespace`/`name`; no audiences: the apiserver's own.

        A Pod's token of 3607 s lives a year for the apiserver's own audience (upstream's extended expiration), its `warnafter` says when it should have been renewed.
        """
        raise NotImplementedError

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, issuer and times are good. Raises errors.Unauthorized."""
        raise NotImplementedError

    def jwks(self) -> dict[str, Any]:
        """/openid/v1/jwks"""
        raise NotImplementedError
