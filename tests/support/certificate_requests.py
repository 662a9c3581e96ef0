"""PKCS#10 requests for tests, as `spec.request` holds them, and a throwaway CA on disk."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
CLIENT = "kubernetes.io/kube-apiserver-client"


def encoded_request(
    common_name: str = "jane", organizations: Sequence[str] = (), *, dns: Sequence[str] = (), ips: Sequence[str] = (),
    emails: Sequence[str] = (), uris: Sequence[str] = (), key: PrivateKey | None = None,
) -> str:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    names += [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    alternatives: list[x509.GeneralName] = [
        *(x509.DNSName(name) for name in dns), *(x509.IPAddress(ipaddress.ip_address(address)) for address in ips),
        *(x509.RFC822Name(email) for email in emails), *(x509.UniformResourceIdentifier(uri) for uri in uris),
    ]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    request = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


def forged_request() -> str:
    """Signed by another key than the one it names."""
    good, other = (base64.b64decode(_der(encoded_request())) for _ in range(2))
    tampered = good[:-60] + other[-60:]
    lines = base64.encodebytes(tampered).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}-----END CERTIFICATE REQUEST-----\n"
    return base64.b64encode(pem.encode()).decode()


def _der(encoded: str) -> str:
    return "".join(base64.b64decode(encoded).decode().splitlines()[1:-1])


def certificate_request(name: str = "r", signer: str = CLIENT, usages: Sequence[str] = ("client auth",), **spec: Any) -> dict[str, Any]:
    """A CertificateSigningRequest object."""
    spec.setdefault("request", encoded_request())
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {"signerName": signer, "usages": list(usages), **spec},
    }


class TestAuthority:
    """A CA whose files stand in `directory`."""

    __test__ = False

    def __init__(self, directory: Path, *, lifetime_s: float = 30 * 86400, name: str = "test-ca") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(seconds=lifetime_s))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.cert_file, self.key_file = str(directory / "ca.crt"), str(directory / "ca.key")
        Path(self.cert_file).write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        Path(self.key_file).write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
