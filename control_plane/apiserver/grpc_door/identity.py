"""Who calls: the peer's certificate, which TLS has verified."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import grpc.aio

from control_plane.apiserver.authentication.authenticator import RequestCredentials
from control_plane.apiserver.authentication.certificate import subject_of_pem
from control_plane.apiserver.request_info import RequestInfo

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import AuditLog, Trail


def credentials_of(context: grpc.aio.ServicerContext[Any, Any]) -> RequestCredentials:
    certificates = context.auth_context().get("x509_pem_cert")
    return RequestCredentials(subject_of_pem(next(iter(certificates))) if certificates else None)


def trail_of(audit: AuditLog, info: RequestInfo, context: grpc.aio.ServicerContext[Any, Any]) -> Trail:
    """Of a call, under the path that it would have over HTTPS."""
    agent = next((str(value) for key, value in context.invocation_metadata() or () if key == "user-agent"), "")
    kind, _, address = unquote(context.peer()).partition(":")      # ipv4:192.0.2.1:40000, ipv6:[2001:db8::1]:40000, unix:...
    host = address.rpartition(":")[0].strip("[]") if kind.startswith("ip") else ""
    return audit.trail(info.path, host, agent, str(uuid.uuid4()))
