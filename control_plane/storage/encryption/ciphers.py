"""What hides a value. Follows apiserver's storage/value/encrypt: the bytes are the same."""

from __future__ import annotations

import os
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from control_plane.storage.encryption import secretbox

_IV_SIZE: Final = 16
_NONCE_SIZE: Final = 12


class Cipher(Protocol):
    def seal(self, value: bytes, key: bytes) -> bytes:
        """`key` is where in etcd the value stands."""
        ...

    def unseal(self, hidden: bytes, key: bytes) -> bytes:
        """Raises ValueError."""
        ...


class AesCbc:
    def __init__(self, secret: bytes) -> None:
        self._algorithm = algorithms.AES(secret)

    def seal(self, value: bytes, key: bytes) -> bytes:
        iv, padder = os.urandom(_IV_SIZE), PKCS7(128).padder()
        encryptor = BlockCipher(self._algorithm, modes.CBC(iv)).encryptor()
        return iv + encryptor.update(padder.update(value) + padder.finalize()) + encryptor.finalize()

    def unseal(self, hidden: bytes, key: bytes) -> bytes:
        decryptor = BlockCipher(self._algorithm, modes.CBC(hidden[:_IV_SIZE])).decryptor()
        padded = decryptor.update(hidden[_IV_SIZE:]) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()


class AesGcm:
    """A value is bound to its key: copied to another it does not open."""

    def __init__(self, secret: bytes) -> None:
        self._aead = AESGCM(secret)

    def seal(self, value: bytes, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._aead.encrypt(nonce, value, key)

    def unseal(self, hidden: bytes, key: bytes) -> bytes:
        try:
            return self._aead.decrypt(hidden[:_NONCE_SIZE], hidden[_NONCE_SIZE:], key)
        except InvalidTag as error:
            raise ValueError("message authentication failed") from error


class SecretBox:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, value: bytes, key: bytes) -> bytes:
        nonce = os.urandom(secretbox.NONCE_SIZE)
        return nonce + secretbox.seal(self._secret, nonce, value)

    def unseal(self, hidden: bytes, key: bytes) -> bytes:
        return secretbox.unseal(self._secret, hidden[:secretbox.NONCE_SIZE], hidden[secretbox.NONCE_SIZE:])
