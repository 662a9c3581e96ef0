"""Failures of a connection as Go's HTTP client words them: what users of webhooks look for, and find, on the web."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from kube.client.http_connection import BadAnswer, StaleConnection

_ERRNO: Final = {
    errno.ECONNREFUSED: "connection refused", errno.EHOSTUNREACH: "no route to host", errno.ENETUNREACH: "network is unreachable",
    errno.ETIMEDOUT: "connection timed out", errno.ECONNRESET: "connection reset by peer", errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
}
# OpenSSL's verify codes (x509_vfy.h).
_NOT_YET_OR_NO_MORE: Final = frozenset({9, 10})
_UNKNOWN_AUTHORITY: Final = frozenset({2, 7, 18, 19, 20, 21})
_OTHER_NAME: Final = frozenset({62, 64})


def describe(error: OSError, address: tuple[str, int], server_name: str) -> str:
    """`address`: what was dialled; `server_name`: what the certificate should have said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_certificate(error, server_name)}"
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, StaleConnection):
        return "EOF"
    if isinstance(error, BadAnswer):
        return f"malformed HTTP response: {error}"
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {address[0]}: no such host"
    if error.errno in _ERRNO:
        return f"dial tcp {host}:{address[1]}: connect: {_ERRNO[error.errno]}"
    return f"dial tcp {host}:{address[1]}: {error.strerror or error}"


def _certificate(error: ssl.SSLCertVerificationError, server_name: str) -> str:
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "certificate signed by unknown authority"
    if error.verify_code in _NOT_YET_OR_NO_MORE:
        return "certificate has expired or is not yet valid"
    if error.verify_code in _OTHER_NAME:
        return f"certificate is not valid for {server_name}"
    return error.verify_message


# Upstream's NewGenericServerResponse for a POST: HTTP statuses that come without a Status object.
_MEANING: Final = {
    400: "the server rejected our request for an unknown reason", 401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource", 405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict", 415: "the media type of the request is not supported by the server",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
_TEXT: Final = 2048


def meaning_of(status: int, content_type: str, body: bytes) -> str:
    """What an answer with an HTTP status beyond 2xx says when its body is no Status."""
    said = "unknown"
    if not content_type or content_type.startswith("text/"):
        said = body[:_TEXT].decode(errors="replace").strip()
    if status in _MEANING:
        return _MEANING[status]
    if status == 403:
        return said
    if status == 406:
        return said if said not in ("", "unknown") else (
            "the server was unable to respond with a content type that the client supports")
    if status >= 500:
        quoted = said.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'an error on the server ("{quoted}") has prevented the request from succeeding'
    return f"the server responded with the status code {status} but did not return more information"
