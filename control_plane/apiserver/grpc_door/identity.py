"""Who calls: the peer's certificate, which TLS has verified."""

from __future__ import annotations

from typing import Any

import grpc.aio

from control_plane.apiserver.authentication.authenticator import RequestCredentials
from control_plane.apiserver.authentication.certificate import subject_of_pem


def credentials_of(context: grpc.aio.ServicerContext[Any, Any]) -> RequestCredentials:
    certificates = context.auth_context().get("x509_pem_cert")
    return RequestCredentials(subject_of_pem(next(iter(certificates))) if certificates else None)
