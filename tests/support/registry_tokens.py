"""A token service as registries send their clients to: signs what Debian's docker-registry believes. And certificates for the loopback."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.support.registry import basic

SERVICE, ISSUER = "test registry", "test issuer"


@dataclass(frozen=True)
class Certificate:
    """Self-signed, of 127.0.0.1."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    cert_file: str
    key_file: str


def make_certificate(folder: Path) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1)).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "tls.crt", folder / "tls.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
    return Certificate(key, certificate, str(cert_file), str(key_file))


@dataclass
class TokenService:
    """Everybody may pull below "open/"; elsewhere, and to push, one has to be alice, whose password is "secret"."""

    certificate: Certificate
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def auth(self) -> dict[str, Any]:
        """For the registry's configuration."""
        return {"token": {"realm": self.url, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": self.certificate.cert_file}}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/token", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        query, header = dict(request.query), request.headers.get("Authorization", "")
        self.asked.append(query)
        known = header == basic("alice", "secret")["Authorization"]
        if header and not known:
            return web.Response(status=401)
        _, name, actions = query["scope"].split(":")
        allowed = actions.split(",") if known else ["pull"] if name.startswith("open/") else []
        return web.json_response({"token": self.token([{"type": "repository", "name": name, "actions": allowed}])})

    def token(self, access: list[dict[str, Any]]) -> str:
        chain = base64.b64encode(self.certificate.certificate.public_bytes(serialization.Encoding.DER)).decode()
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": "", "aud": SERVICE, "exp": now + 300, "nbf": now - 60, "iat": now, "jti": secrets.token_hex(8),
            "access": access,
        }
        text = ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "RS256", "x5c": [chain]}, claims))
        return f"{text}.{_base64(self.certificate.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
