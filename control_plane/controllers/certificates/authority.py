"""A certificate request becomes a certificate: subject and names as asked for, all else as decided here.

Follows upstream's pkg/controller/certificates/authority.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from control_plane.certificate_requests import RequestedCertificate
from kube.process.config import ConfigError

BACKDATED: Final = timedelta(minutes=5)         # clocks differ
SHORT: Final = timedelta(hours=8)               # so short a certificate loses nothing of its time to backdating
SHORTEST: Final = timedelta(minutes=10)

KEY_USAGES: Final = {
    "signing": "digital_signature", "digital signature": "digital_signature", "content commitment": "content_commitment",
    "key encipherment": "key_encipherment", "key agreement": "key_agreement", "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign", "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}
EXTENDED_USAGES: Final = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION, "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"), "ipsec tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"), "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING, "microsoft sgc": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": ObjectIdentifier("2.16.840.1.113730.4.1"),
}


class CannotSign(Exception):
    """Nothing that the requester did; the message says why no certificate can be made."""


@dataclass(frozen=True, slots=True)
class SigningAuthority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @classmethod
    def load(cls, cert_file: str, key_file: str) -> SigningAuthority:
        """Raises ConfigError."""
        try:
            certificate = x509.load_pem_x509_certificate(Path(cert_file).read_bytes())
            key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None)
        except OSError as error:
            raise ConfigError(f"{error.filename}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{cert_file}, {key_file}: not a CA's certificate and key: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ConfigError(f"{key_file}: the signing key must be an EC or RSA key")
        if key.public_key() != certificate.public_key():
            raise ConfigError(f"{key_file}: not the key of {cert_file}")
        return cls(certificate, key)

    def sign(self, asked: RequestedCertificate, usages: Iterable[str], lifetime: timedelta, now: datetime) -> bytes:
        """The certificate, PEM. Raises CannotSign."""
        not_before, not_after = self._validity(lifetime, now)
        request = asked.signing_request
        builder = (
            x509.CertificateBuilder().subject_name(request.subject).issuer_name(self.certificate.subject)
            .public_key(request.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(not_before).not_valid_after(not_after)
        )
        for extension, critical in self._extensions(asked, usages):
            builder = builder.add_extension(extension, critical)
        try:
            return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        except (ValueError, TypeError) as error:
            raise CannotSign(f"failed to sign certificate: {error}") from error

    def _validity(self, lifetime: timedelta, now: datetime) -> tuple[datetime, datetime]:
        end = self.certificate.not_valid_after_utc
        if now >= end:
            raise CannotSign(f"refusing to sign a certificate that expired in the past: NotAfter={end}")
        return now - BACKDATED, min(now + lifetime if lifetime < SHORT else now + lifetime - BACKDATED, end)

    def _extensions(self, asked: RequestedCertificate, usages: Iterable[str]) -> Iterable[tuple[x509.ExtensionType, bool]]:
        """Each with whether it is critical."""
        yield x509.BasicConstraints(ca=False, path_length=None), True
        wanted = frozenset(usages)
        if (key_usage := _key_usage(wanted)) is not None:
            yield key_usage, True
        if extended := [oid for usage, oid in EXTENDED_USAGES.items() if usage in wanted]:
            yield x509.ExtendedKeyUsage(dict.fromkeys(extended)), False
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False
        except x509.ExtensionNotFound:
            pass
        if names := _alternative_names(asked):
            yield x509.SubjectAlternativeName(names), not list(asked.signing_request.subject)


def granted_lifetime(expiration_s: int | None, longest: timedelta) -> timedelta:
    """What was asked for, within bounds; without a wish the longest."""
    return longest if expiration_s is None else min(longest, max(SHORTEST, timedelta(seconds=expiration_s)))


def _key_usage(usages: frozenset[str]) -> x509.KeyUsage | None:
    bits = {bit: any(KEY_USAGES.get(usage) == bit for usage in usages) for bit in dict.fromkeys(KEY_USAGES.values())}
    if not bits["key_agreement"]:       # without it these two mean nothing
        bits |= {"encipher_only": False, "decipher_only": False}
    return x509.KeyUsage(**bits) if any(bits.values()) else None


def _alternative_names(asked: RequestedCertificate) -> list[x509.GeneralName]:
    return [
        *(x509.DNSName(name) for name in asked.dns_names), *(x509.RFC822Name(email) for email in asked.emails),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in asked.ip_addresses),
        *(x509.UniformResourceIdentifier(uri) for uri in asked.uris),
    ]
