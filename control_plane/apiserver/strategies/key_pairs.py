"""Whether a certificate and a private key belong together, in the words of Go's crypto/tls."""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.*?-----END (?:[A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


def key_pair_problem(certificate: bytes, key: bytes) -> str:
    """What is wrong with them as PEM, "" for a pair."""
    for text, pattern, what in ((certificate, _CERTIFICATE, "certificate"), (key, _KEY, "key")):
        if pattern.search(text):
            continue
        if b"-----BEGIN " not in text:
            return f"tls: failed to find any PEM data in {what} input"
        wanted = '"CERTIFICATE" PEM block in certificate input' if what == "certificate" else \
            'PEM block with type ending in "PRIVATE KEY" in key input'
        return f"tls: failed to find {wanted} after skipping PEM blocks of the following types: {_types(text)}"
    try:
        leaf = x509.load_pem_x509_certificate(_CERTIFICATE.findall(certificate)[0])
    except ValueError:
        return "x509: malformed certificate"
    try:
        private = load_pem_private_key(_KEY.findall(key)[0], password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls: failed to parse private key"
    known, own = (one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for one in (leaf.public_key(), private.public_key()))
    return "" if known == own else "tls: private key does not match public key"


def _types(text: bytes) -> str:
    return "[" + " ".join(found.decode(errors="replace") for found in re.findall(rb"-----BEGIN ([^-\n]*)-----", text)) + "]"
