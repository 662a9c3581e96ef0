"""A client certificate's subject: its common name is the user, its organizations are the groups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    common_name: str
    organizations: tuple[str, ...] = ()
    sha256: str = ""


def subject_of_der(data: bytes) -> CertificateSubject:
    """Of a certificate that TLS has verified. Repeated calls are cheap: certificates come back with every request."""
    raise NotImplementedError


def subject_of_pem(data: bytes) -> CertificateSubject:
    raise NotImplementedError
