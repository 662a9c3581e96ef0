"""Client certificates: whether one of the authorities stands behind it, and for whom it stands (common name; organizations are groups).

TLS lets every certificate in, so that a stranger's gets an answer (401) and no broken connection; what it is worth is looked at here,
once per connection. Follows apiserver's x509 authenticator and the parts of Go's Certificate.Verify that concern clients.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kube.process.config import ConfigError

UID_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57683.2")        # Kubernetes' own: the user's uid
UNKNOWN_AUTHORITY: Final = "x509: certificate signed by unknown authority"
_REMEMBERED: Final = 1024
_MAX_INTERMEDIATES: Final = 4
_FOREVER: Final = float("inf")
_CLIENT_USAGES: Final = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    """`problem`: why the client CA does not stand behind it; `front_proxy`: the request-header CA does. Seconds since the epoch."""

    common_name: str
    organizations: tuple[str, ...] = ()
    sha256: str = ""          # of the DER form, in hex
    uid: str = ""
    problem: str = ""
    front_proxy: bool = False
    not_before: float = 0.0
    not_after: float = _FOREVER

    @property
    def in_time(self) -> bool:
        return self.not_before <= time.time() <= self.not_after


class ClientAuthorities:
    """Whose certificates are believed. Raises ConfigError for files that hold none."""

    def __init__(self, client_ca_file: str, front_proxy_ca_file: str = "") -> None:
        self._clients = _read(client_ca_file)
        self._proxies = _read(front_proxy_ca_file) if front_proxy_ca_file else []
        self._known: OrderedDict[bytes, CertificateSubject] = OrderedDict()

    def subject(self, der: bytes, chain: Sequence[bytes] = ()) -> CertificateSubject:
        """Of a certificate that somebody came with; `chain`: what else he sent, intermediates perhaps."""
        key = hashlib.sha256(b"\0".join((der, *chain))).digest()
        subject = self._known.get(key)
        if subject is None:
            subject = self._known[key] = self._judged(der, chain)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return subject

    def _judged(self, der: bytes, chain: Sequence[bytes]) -> CertificateSubject:
        try:
            certificate = x509.load_der_x509_certificate(der)
            subject = _subject(certificate, der)
            others = [x509.load_der_x509_certificate(other) for other in chain if other != der][:_MAX_INTERMEDIATES]
            problem = _problem(certificate, others, self._clients)
            return replace(subject, problem=problem, front_proxy=bool(self._proxies) and not _problem(certificate, others, self._proxies))
        except ValueError as error:
            return CertificateSubject("", problem=f"x509: {error}")


@lru_cache(maxsize=_REMEMBERED)
def subject_of_pem(data: bytes) -> CertificateSubject:
    """Of a certificate that TLS has verified. Repeated calls are cheap: certificates come back with every request."""
    certificate = x509.load_pem_x509_certificate(data)
    return _subject(certificate, certificate.public_bytes(serialization.Encoding.DER))


def _subject(certificate: x509.Certificate, der: bytes) -> CertificateSubject:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    uids = [str(uid.value) for uid in certificate.subject.get_attributes_for_oid(UID_OID)]
    if len(uids) > 1:
        raise ValueError(f"expected 1 UID, but found multiple: {uids}")
    return CertificateSubject(
        str(names[-1].value) if names else "",
        tuple(str(organization.value) for organization in organizations),
        hashlib.sha256(der).hexdigest(), uid=uids[0] if uids else "",
        not_before=certificate.not_valid_before_utc.timestamp(), not_after=certificate.not_valid_after_utc.timestamp(),
    )


def _problem(certificate: x509.Certificate, others: list[x509.Certificate], authorities: list[x509.Certificate]) -> str:
    if not _may_be_client(certificate):
        return "x509: certificate specifies an incompatible key usage"
    return "" if _leads_to(certificate, others, authorities) else UNKNOWN_AUTHORITY


def _leads_to(
    certificate: x509.Certificate, others: list[x509.Certificate], authorities: list[x509.Certificate], below: int = 0
) -> bool:
    """Whether an authority signed it, or signed who signed it; `below`: how many authorities stand between it and the client."""
    if any(certificate == authority or _signed(certificate, authority, below) for authority in authorities):
        return True
    return any(
        _may_be_client(other) and _signed(certificate, other, below)
        and _leads_to(other, others[:index] + others[index + 1:], authorities, below + 1)
        for index, other in enumerate(others)
    )


def _signed(certificate: x509.Certificate, authority: x509.Certificate, below: int) -> bool:
    now = time.time()
    if not authority.not_valid_before_utc.timestamp() <= now <= authority.not_valid_after_utc.timestamp():
        return False
    if not _may_sign(authority, below):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_sign(certificate: x509.Certificate, below: int) -> bool:
    """An authority, and one that may have so many below it. Version 1 certificates know no such thing: only roots can be such."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1 and certificate.subject == certificate.issuer
    return constraints.ca and (constraints.path_length is None or constraints.path_length >= below)


def _may_be_client(certificate: x509.Certificate) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return not _CLIENT_USAGES.isdisjoint(usages)


def _read(file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(Path(file).read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: data does not contain any valid RSA or ECDSA certificates") from error
