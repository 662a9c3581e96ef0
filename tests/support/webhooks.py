"""Real HTTPS webhooks for tests, their configurations, and what they were asked."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kube.process.config import TlsFiles

Json = dict[str, Any]
Answer = Json | bytes | tuple[int, Mapping[str, str], bytes] | None
Handler = Callable[[Json], Answer | Awaitable[Answer]]


def allow(review: Json, **response: Any) -> Json:
    return answer(review, allowed=True, **response)


def deny(review: Json, **status: Any) -> Json:
    return answer(review, allowed=False, **({"status": status} if status else {}))


def patch(review: Json, *operations: Json, **response: Any) -> Json:
    encoded = base64.b64encode(json.dumps(operations).encode()).decode()
    return allow(review, patchType="JSONPatch", patch=encoded, **response)


def answer(review: Json, **response: Any) -> Json:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": review["request"]["uid"], **response}}


def labelled(review: Json, key: str, value: str = "yes") -> Json:
    """Adds a label, whether there are labels already or not."""
    labels = {**(review["request"]["object"]["metadata"].get("labels") or {}), key: value}
    return patch(review, {"op": "add", "path": "/metadata/labels", "value": labels})


@dataclass
class WebhookServer:
    """`paths`: what answers where. `reviews`: every AdmissionReview that came, in order, with the path it came to."""

    port: int
    paths: dict[str, Handler] = field(default_factory=dict)
    reviews: list[tuple[str, Json]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"https://{host}:{self.port}{path}"

    def serves(self, path: str, handler: Handler) -> str:
        self.paths[path] = handler
        return self.url(path)

    def asked(self, path: str) -> list[Json]:
        """The `request` of each review that came there, but for those of what the apiserver writes itself, whenever it likes."""
        requests = [review["request"] for at, review in self.reviews if at == path]
        return [request for request in requests if request["userInfo"]["username"] != "system:apiserver"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
                review = json.loads(await reader.readexactly(length))
                path = head.split(" ")[1].partition("?")[0]
                self.reviews.append((path, review))
                said = self.paths[path](review)
                writer.write(_encoded(await said if isinstance(said, Awaitable) else said))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def _encoded(said: Answer) -> bytes:
    status, headers, body = 200, {"Content-Type": "application/json"}, b""
    if isinstance(said, tuple):
        status, headers, body = said[0], dict(said[1]), said[2]
    elif said is not None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def webhook_server(tls: TlsFiles, host: str = "127.0.0.1") -> AsyncIterator[WebhookServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_file, tls.key_file)
    running = WebhookServer(0)
    server = await asyncio.start_server(running.serve, host, 0, ssl=context)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()


def ca_bundle(tls: TlsFiles) -> str:
    return base64.b64encode(Path(tls.ca_file).read_bytes()).decode()


def rule(*resources: str, operations: tuple[str, ...] = ("CREATE", "UPDATE"), groups: tuple[str, ...] = ("",),
         versions: tuple[str, ...] = ("v1",), **more: Any) -> Json:
    return {"operations": [*operations], "apiGroups": [*groups], "apiVersions": [*versions], "resources": [*resources], **more}


def webhook(name: str, url: str = "", bundle: str = "", *rules: Json, **more: Any) -> Json:
    config: Json = {"url": url} if url else {}
    if bundle:
        config["caBundle"] = bundle
    return {
        "name": name, "clientConfig": config, "rules": [*rules], "sideEffects": "None", "admissionReviewVersions": ["v1"], **more,
    }


def configuration(kind: str, name: str, *webhooks: Json) -> Json:
    """`kind`: Mutating or Validating."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration", "metadata": {"name": name},
        "webhooks": [*webhooks],
    }
