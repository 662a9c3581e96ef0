"""JSON Web Tokens: sign, take apart, check a signature. A key fixes which algorithms it can be used with, so none can be smuggled in.

Written out because it is these few lines; PyJWT would bring its own defaults, algorithm negotiation and claim rules beside
Kubernetes' ones. Algorithms: RFC 7518; those of upstream's OIDC authenticator.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_JWK_CURVES: Final[dict[str, ec.EllipticCurve]] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
ALGORITHMS: Final = tuple(kind + size for kind in ("ES", "PS", "RS") for size in _HASHES)


class MalformedToken(ValueError):
    """Not such a token; the message says what is wrong with it."""


class Token(NamedTuple):
    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes              # what the signature is over
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])


def sign(claims: dict[str, Any], key: PrivateKey, key_id: str) -> str:
    """RS256, or what the curve of the key says."""
    header = {"alg": algorithm_of(key.public_key()), "kid": key_id}
    signed = f"{_encode(msgspec.json.encode(header))}.{_encode(msgspec.json.encode(claims))}"
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        size = _coordinate_bytes(key.curve)
        r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(_hash(header["alg"]))))
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return f"{signed}.{_encode(signature)}"


def parse(token: str) -> Token:
    """Takes a token apart; nothing in it is to be believed before `is_signed_by`. Raises MalformedToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedToken("compact JWS format must have three parts")
    try:
        header, claims = (msgspec.json.decode(_decode(part), type=dict[str, Any]) for part in parts[:2])
        signature = _decode(parts[2])
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedToken(str(error)) from error
    if header.get("alg") not in ALGORITHMS:
        raise MalformedToken(f"unexpected signature algorithm {header.get('alg')!r}; expected {list(ALGORITHMS)}")
    return Token(header, claims, token.rpartition(".")[0].encode(), signature)


def is_signed_by(token: Token, key: PublicKey) -> bool:
    algorithm = token.algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            size = _coordinate_bytes(key.curve)
            if algorithm != algorithm_of(key) or len(token.signature) != 2 * size:
                return False
            r, s = (int.from_bytes(half, "big") for half in (token.signature[:size], token.signature[size:]))
            key.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(_hash(algorithm)))
        elif algorithm.startswith("RS"):
            key.verify(token.signature, token.signed, padding.PKCS1v15(), _hash(algorithm))
        elif algorithm.startswith("PS"):
            digest = _hash(algorithm)
            key.verify(token.signature, token.signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def algorithm_of(key: PublicKey) -> str:
    """What a service account's token is signed with. Raises ValueError for a curve that has no algorithm."""
    if isinstance(key, rsa.RSAPublicKey):
        return "RS256"
    if key.curve.name not in _CURVES:
        raise ValueError(f"unknown ecdsa curve {key.curve.name}, must be 256, 384, or 521")
    return _CURVES[key.curve.name]


def key_id(key: PublicKey) -> str:
    """Upstream's key id: the hash of the key's DER form."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _encode(hashlib.sha256(der).digest())


def to_jwk(key: PublicKey) -> dict[str, Any]:
    common = {"use": "sig", "kid": key_id(key), "alg": algorithm_of(key)}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {**common, "kty": "RSA", "n": _encode(_big_endian(numbers.n)), "e": _encode(_big_endian(numbers.e))}
    point, size = key.public_numbers(), _coordinate_bytes(key.curve)
    curve = next(name for name, curve in _JWK_CURVES.items() if curve.name == key.curve.name)
    return {
        **common, "kty": "EC", "crv": curve, "x": _encode(point.x.to_bytes(size, "big")), "y": _encode(point.y.to_bytes(size, "big")),
    }


def from_jwk(jwk: dict[str, Any]) -> PublicKey | None:
    """None for a key that is of another kind, or that is not for signatures. Raises ValueError for a broken one."""
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        if jwk.get("kty") == "RSA":
            return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        if jwk.get("kty") == "EC" and jwk.get("crv") in _JWK_CURVES:
            return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), _JWK_CURVES[jwk["crv"]]).public_key()
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"invalid JWK: {error}") from error
    return None


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    return _HASHES[algorithm[2:]]


def _coordinate_bytes(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8


def _number(text: str) -> int:
    return int.from_bytes(_decode(text), "big")


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
