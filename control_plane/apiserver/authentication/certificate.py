"""A client certificate's subject: its common name is the user, its organizations are the groups."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    common_name: str
    organizations: tuple[str, ...] = ()
    sha256: str = ""          # of the DER form, in hex


@lru_cache(maxsize=1024)
def subject_of_der(data: bytes) -> CertificateSubject:
    """Of a certificate that TLS has verified. Repeated calls are cheap: certificates come back with every request."""
    return _subject(x509.load_der_x509_certificate(data), data)


@lru_cache(maxsize=1024)
def subject_of_pem(data: bytes) -> CertificateSubject:
    certificate = x509.load_pem_x509_certificate(data)
    return _subject(certificate, certificate.public_bytes(serialization.Encoding.DER))


def _subject(certificate: x509.Certificate, der: bytes) -> CertificateSubject:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return CertificateSubject(
        str(names[-1].value) if names else "",
        tuple(str(organization.value) for organization in organizations),
        hashlib.sha256(der).hexdigest(),
    )
