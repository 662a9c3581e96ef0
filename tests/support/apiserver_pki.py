"""A throwaway PKI: what an apiserver on loopback and its clients need."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kube.process.config import TlsFiles


class TestPki:
    """One CA for servers and clients; files stand in `directory`."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("test-ca", (), self._key, authority=True)
        self.ca_key_file = str(self._write("ca.key", _private(self._key)))
        self.ca_file = str(self._write("ca.crt", self._certificate.public_bytes(serialization.Encoding.PEM)))

    def identity(self, name: str, groups: Sequence[str] = (), *, host: str = "kubernetes") -> TlsFiles:
        """A certificate for 127.0.0.1, localhost and `host` that serves both sides: user `name` in `groups`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, groups, key, host=host)
        stem = name.replace(":", "-")
        return TlsFiles(
            cert_file=str(self._write(f"{stem}.crt", certificate.public_bytes(serialization.Encoding.PEM))),
            key_file=str(self._write(f"{stem}.key", _private(key))),
            ca_file=self.ca_file,
        )

    def service_account_key(self) -> str:
        return str(self._write("sa.key", _private(rsa.generate_private_key(public_exponent=65537, key_size=2048))))

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(content)
        return path

    def _sign(
        self, name: str, groups: Sequence[str], key: ec.EllipticCurvePrivateKey, *, host: str = "", authority: bool = False
    ) -> x509.Certificate:
        subject = x509.Name([
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ])
        issuer = subject if authority else self._certificate.subject
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if authority:
            usage = x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost"), x509.DNSName(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(usages, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
