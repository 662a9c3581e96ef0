"""A kubelet's own certificates: what is asked for, what is on disk (key and chain in one file, so that they are replaced together)."""

from __future__ import annotations

import base64
import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kube.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from kube.api.meta_v1 import ObjectMeta

NODES_GROUP: Final = "system:nodes"
CLIENT_SIGNER: Final = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER: Final = "kubernetes.io/kubelet-serving"


@dataclass(frozen=True, slots=True)
class WantedCertificate:
    """One of the two that a kubelet needs. `dns_names` must be covered; `addresses` are asked for, but may change afterwards."""

    file: Path
    signer: str
    usage: str                          # beside "digital signature"
    common_name: str
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def request(self, key: ec.EllipticCurvePrivateKey) -> CertificateSigningRequest:
        pem = base64.b64encode(self._pkcs10(key)).decode()
        spec = CertificateSigningRequestSpec(request=pem, signer_name=self.signer, usages=("digital signature", self.usage))
        return CertificateSigningRequest(metadata=ObjectMeta(generate_name="csr-"), spec=spec)

    def _pkcs10(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        subject = x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, NODES_GROUP), x509.NameAttribute(NameOID.COMMON_NAME, self.common_name),
        ])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in self.dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in self.addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def client_certificate(file: str, node_name: str) -> WantedCertificate:
    return WantedCertificate(Path(file), CLIENT_SIGNER, "client auth", f"system:node:{node_name}")


def serving_certificate(file: str, node_name: str, node_ip: str) -> WantedCertificate:
    return WantedCertificate(Path(file), SERVING_SIGNER, "server auth", f"system:node:{node_name}", (node_name,), (node_ip,))


def held_certificate(wanted: WantedCertificate, ca_file: str, now: datetime) -> x509.Certificate | None:
    """The one on disk; None when there is none, it does not fit its key or its purpose, has expired, or another CA signed it."""
    try:
        pem = wanted.file.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(pem)
        authorities = x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
        fits = (
            key.public_key() == certificate.public_key() and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
            and _common_name(certificate) == wanted.common_name and {*wanted.dns_names} <= _dns_names(certificate)
        )
    except (OSError, ValueError, TypeError):
        return None
    return certificate if fits and any(_issued_by(certificate, authority) for authority in authorities) else None


def write_certificate(file: Path, key: ec.EllipticCurvePrivateKey, chain: bytes) -> None:
    """All or nothing, and for its owner's eyes alone. Raises ValueError when the chain is not this key's, or no certificate at all."""
    if x509.load_pem_x509_certificate(chain).public_key() != key.public_key():
        raise ValueError("the certificate that was issued is for another key")
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(chain + private)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)


def renewal_due(certificate: x509.Certificate, share: float) -> datetime:
    """When this share (0 ... 1) of its lifetime will have passed."""
    lifetime: timedelta = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc + lifetime * share


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[-1].value) if names else ""


def _dns_names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return set(names.get_values_for_type(x509.DNSName))


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
