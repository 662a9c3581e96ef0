"""What a CertificateSigningRequest asks for, and the rules on it that apiserver, controllers and cloud share. Pure.

Follows upstream's pkg/apis/certificates/helpers.go.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from control_plane.pem import pem_blocks

KUBE_APISERVER_CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBE_APISERVER_CLIENT_KUBELET: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN: Final = "kubernetes.io/legacy-unknown"

NODES_GROUP: Final = "system:nodes"
NODE_USER_PREFIX: Final = "system:node:"
_CLIENT_USAGES: Final = frozenset(("client auth", "digital signature"))
_SERVER_USAGES: Final = frozenset(("digital signature", "server auth"))
_RSA_USAGE: Final = "key encipherment"
_UNREADABLE: Final = (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm)


class MalformedRequest(ValueError):
    """`spec.request` is no PKCS#10 request in PEM, or its signature is wrong."""


@dataclass(frozen=True, slots=True)
class RequestedCertificate:
    """Of several common names the last one counts, here as where a client certificate logs in."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    signing_request: x509.CertificateSigningRequest

    def check_signature(self) -> None:
        """That the requester holds the key. Raises MalformedRequest."""
        try:
            valid, key = self.signing_request.is_signature_valid, self.signing_request.public_key()
        except _UNREADABLE as error:
            raise MalformedRequest(f"x509: cannot verify signature: {error}") from error
        if not valid:
            if isinstance(key, rsa.RSAPublicKey):
                raise MalformedRequest("crypto/rsa: verification error")
            raise MalformedRequest(f"x509: {'ECDSA' if isinstance(key, ec.EllipticCurvePublicKey) else 'Ed25519'} verification failure")


def parse_request(encoded: str) -> RequestedCertificate:
    """`encoded`: spec.request, PEM in base64. Raises MalformedRequest."""
    block = next(pem_blocks(_decoded(encoded)), None)
    if block is None or block.label != "CERTIFICATE REQUEST":
        raise MalformedRequest("PEM block type must be CERTIFICATE REQUEST")
    try:
        request = x509.load_der_x509_csr(block.der)
        names = _alternative_names(request)
        return RequestedCertificate(
            common_name=(_subject(request, NameOID.COMMON_NAME) or ("",))[-1],
            organizations=_subject(request, NameOID.ORGANIZATION_NAME),
            dns_names=tuple(names.get_values_for_type(x509.DNSName)),
            ip_addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
            emails=tuple(names.get_values_for_type(x509.RFC822Name)),
            uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
            signing_request=request,
        )
    except _UNREADABLE as error:
        raise MalformedRequest(f"x509: {error}") from error


def kubelet_client_problem(request: RequestedCertificate, usages: Iterable[str]) -> str:
    """Why this is no request for a kubelet's client certificate; "" when it is one."""
    if request.organizations != (NODES_GROUP,):
        return "subject organization is not system:nodes"
    for what, values in (
        ("DNS", request.dns_names), ("Email", request.emails), ("IP", request.ip_addresses), ("URI", request.uris),
    ):
        if values:
            return f"{what} subjectAltNames are not allowed"
    if not request.common_name.startswith(NODE_USER_PREFIX):
        return "subject common name does not begin with system:node:"
    return _usages_problem(usages, _CLIENT_USAGES)


def kubelet_serving_problem(request: RequestedCertificate, usages: Iterable[str]) -> str:
    """Why this is no request for a kubelet's serving certificate; "" when it is one."""
    if request.organizations != (NODES_GROUP,):
        return "subject organization is not system:nodes"
    if not request.dns_names and not request.ip_addresses:
        return "DNS or IP subjectAltName is required"
    if request.emails:
        return "Email subjectAltNames are not allowed"
    if request.uris:
        return "URI subjectAltNames are not allowed"
    if problem := _usages_problem(usages, _SERVER_USAGES):
        return problem
    return "" if request.common_name.startswith(NODE_USER_PREFIX) else "subject common name does not begin with system:node:"


def apiserver_client_problem(usages: Iterable[str]) -> str:
    """Why these usages are not those of an API client's certificate; "" when they are."""
    allowed = ("digital signature", _RSA_USAGE, "client auth")
    for usage in usages:
        if usage not in allowed:
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def _usages_problem(usages: Iterable[str], needed: frozenset[str]) -> str:
    if frozenset(usages) in (needed, needed | {_RSA_USAGE}):
        return ""
    return f"usages did not match [{' '.join(sorted(needed | {_RSA_USAGE}))}]"


def _subject(request: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(attribute.value) for attribute in request.subject.get_attributes_for_oid(oid))


def _alternative_names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.SubjectAlternativeName(())


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise MalformedRequest(f"illegal base64 data: {error}") from error
