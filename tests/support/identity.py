"""Servers that tell who somebody is, or what he may: a small OpenID Connect issuer, and webhooks. Real ones, on loopback."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from control_plane import jwt
from kube.process.tls import server_context
from tests.support.apiserver_pki import TestPki

Answer = Callable[[dict[str, Any]], dict[str, Any] | int]


class Issuer:
    """Signs what it is told to; publishes its keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fetched: list[str] = []
        self.keys: list[jwt.PrivateKey] = []
        self.rotate()

    def rotate(self, key: jwt.PrivateKey | None = None) -> None:
        self.keys = [key or rsa.generate_private_key(65537, 2048)]

    def token(self, key: jwt.PrivateKey | None = None, **claims: Any) -> str:
        now, signer = int(time.time()), key or self.keys[0]
        told = {"iss": self.url, "aud": "kubonsai", "sub": "anna", "iat": now, "exp": now + 300, **claims}
        return jwt.sign(told, signer, jwt.key_id(signer.public_key()))

    async def answer(self, request: web.Request) -> web.Response:
        self.fetched.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        if request.path == "/keys":
            return web.json_response({"keys": [jwt.to_jwk(key.public_key()) for key in self.keys]})
        return web.Response(status=404)


def elliptic_key() -> jwt.PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@asynccontextmanager
async def running_issuer(pki: TestPki) -> AsyncIterator[Issuer]:
    issuer = Issuer("")
    async with _serving(issuer.answer, server_context(pki.identity("issuer"), client_certificates=ssl.CERT_NONE)) as port:
        issuer.url = f"https://127.0.0.1:{port}"
        yield issuer


class Webhook:
    """`answer` makes the status of each review (or an HTTP status); `asked` holds every review that came."""

    def __init__(self, kubeconfig: Path, answer: Answer) -> None:
        self.kubeconfig = str(kubeconfig)
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    async def serve(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.asked.append(review)
        status = self.answer(review["spec"])
        if isinstance(status, int):
            return web.Response(status=status)
        return web.json_response({"apiVersion": review["apiVersion"], "kind": review["kind"], "status": status})


@asynccontextmanager
async def running_webhook(pki: TestPki, directory: Path, answer: Answer, name: str = "webhook") -> AsyncIterator[Webhook]:
    hook = Webhook(directory / f"{name}.kubeconfig", answer)
    async with _serving(hook.serve, server_context(pki.identity(name), client_certificates=ssl.CERT_NONE)) as port:
        cluster = {"server": f"https://127.0.0.1:{port}/review", "certificate-authority": pki.ca_file}
        Path(hook.kubeconfig).write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "hook",
            "clusters": [{"name": "hook", "cluster": cluster}], "users": [{"name": "apiserver", "user": {"token": "of-the-apiserver"}}],
            "contexts": [{"name": "hook", "context": {"cluster": "hook", "user": "apiserver"}}],
        }))
        yield hook


@asynccontextmanager
async def _serving(handler: Callable[[web.Request], Any], context: ssl.SSLContext) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        assert site._server is not None
        yield site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()
