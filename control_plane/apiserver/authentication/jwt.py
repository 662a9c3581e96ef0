"""RS256 JSON Web Tokens: sign, take apart, check a signature. No other algorithm exists here, so none can be smuggled in.

Written out because it is these few lines; PyJWT would bring its own defaults, algorithm negotiation and claim rules beside
Kubernetes' ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ALGORITHM: Final = "RS256"


class MalformedToken(ValueError):
    """Not a token of ours; the message says what is wrong with it."""


class Token(NamedTuple):
    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes              # what the signature is over
    signature: bytes


def sign(claims: dict[str, Any], key: rsa.RSAPrivateKey, key_id: str) -> str:
    header = {"alg": ALGORITHM, "kid": key_id}
    signed = f"{_encode(msgspec.json.encode(header))}.{_encode(msgspec.json.encode(claims))}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_encode(signature)}"


def parse(token: str) -> Token:
    """Takes a token apart; nothing in it is to be believed before `is_signed_by`. Raises MalformedToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedToken("compact JWS format must have three parts")
    try:
        header, claims = (msgspec.json.decode(_decode(part), type=dict[str, Any]) for part in parts[:2])
        signature = _decode(parts[2])
    except (msgspec.DecodeError, binascii.Error, UnicodeError) as error:
        raise MalformedToken(str(error)) from error
    if header.get("alg") != ALGORITHM:
        raise MalformedToken(f"unexpected signature algorithm {header.get('alg')!r}; expected [{ALGORITHM!r}]")
    return Token(header, claims, token.rpartition(".")[0].encode(), signature)


def is_signed_by(token: Token, key: rsa.RSAPublicKey) -> bool:
    try:
        key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def key_id(key: rsa.RSAPublicKey) -> str:
    """Upstream's key id: the hash of the key's DER form."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _encode(hashlib.sha256(der).digest())


def to_jwk(key: rsa.RSAPublicKey) -> dict[str, Any]:
    numbers = key.public_numbers()
    return {
        "use": "sig", "kty": "RSA", "kid": key_id(key), "alg": ALGORITHM,
        "n": _encode(_big_endian(numbers.n)), "e": _encode(_big_endian(numbers.e)),
    }


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
