"""The keys of service-account tokens, and what a token in a Secret says: the apiserver and the token controller share both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from control_plane import jwt
from kube.process.config import ConfigError

LEGACY_ISSUER: Final = "kubernetes/serviceaccount"      # of tokens in Secrets; they never end


def legacy_claims(namespace: str, name: str, uid: str, secret_name: str) -> dict[str, Any]:
    prefix = "kubernetes.io/serviceaccount/"
    return {
        "iss": LEGACY_ISSUER, "sub": f"system:serviceaccount:{namespace}:{name}", prefix + "namespace": namespace,
        prefix + "secret.name": secret_name, prefix + "service-account.name": name, prefix + "service-account.uid": uid,
    }


def private_key(file: str) -> jwt.PrivateKey:
    """Raises ConfigError."""
    return _private_key(file, _read(file))


def _private_key(file: str, data: bytes) -> jwt.PrivateKey:
    # Not checked for being two primes and all: that takes longer than everything else in this package's start, for a file of our own.
    try:
        key = serialization.load_pem_private_key(data, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{file}: not a private key in PEM: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{file}: the service-account signing key must be an RSA or ECDSA key")
    _check_curve(file, key.public_key())
    return key


def public_keys(file: str) -> list[jwt.PublicKey]:
    """A file may hold several, of private ones their public halves, and certificates."""
    data = _read(file)
    found = [_public_key(file, b"-----BEGIN " + block) for block in data.split(b"-----BEGIN ")[1:] if b" PARAMETERS-----" not in block]
    if not found:
        raise ConfigError(f"{file}: data does not contain any valid RSA or ECDSA public keys")
    return found


def _public_key(file: str, block: bytes) -> jwt.PublicKey:
    label = block.partition(b"\n")[0]
    if b"PRIVATE KEY" in label:
        return _private_key(file, block).public_key()
    try:
        if b"CERTIFICATE" in label:
            from cryptography import x509

            key: Any = x509.load_pem_x509_certificate(block).public_key()
        else:
            key = serialization.load_pem_public_key(block)
    except ValueError as error:
        raise ConfigError(f"{file}: not a key in PEM: {error}") from error
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ConfigError(f"{file}: a service-account key must be an RSA or ECDSA key")
    _check_curve(file, key)
    return key


def _check_curve(file: str, key: jwt.PublicKey) -> None:
    try:
        jwt.algorithm_of(key)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from error


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
