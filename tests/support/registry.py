"""Debian's docker-registry on the loopback, as a test wants it: with passwords, with TLS, in another namespace. And how it is filled."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_archives import Files, digest
from tests.support.ports import free_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
# "secret" for the user "alice", by bcrypt: the registry takes no other hash
HTPASSWD = "alice:$2y$05$Qo70MxEvfZhFWtZHGoc2b.7cu.q.ohlEnrbjN7bViNatZMFYJw9o2\n"
START_S = 90.0
NOTED_S = 30.0


@dataclass
class Registry:
    data: Path
    host: str                                   # as in an image's name: 127.0.0.1:PORT
    process: subprocess.Popen[bytes]
    log: Path
    headers: dict[str, str] = field(default_factory=dict)

    def push(self, repository: str, tag: str, files: Files, descriptor: Mapping[str, Any]) -> str:
        """Every blob of an OCI layout, its manifests, and the tag; the digest it stands for."""
        manifests = {name: content for name, content in files.content.items() if _is_manifest(content)}
        for name, content in files.content.items():
            if name.startswith("blobs/") and name not in manifests:
                self.push_blob(repository, content)
        top = str(descriptor["digest"])
        for content in sorted(manifests.values(), key=lambda content: b'"manifests"' in content):
            if digest(content) != top:
                self.push_manifest(repository, digest(content), content)
        self.push_manifest(repository, tag, files.content[f"blobs/sha256/{top[7:]}"])
        return top

    def push_blob(self, repository: str, content: bytes) -> str:
        _, headers = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        location = headers["Location"]
        path = location[location.index("/v2/"):]
        path += f"{'&' if '?' in path else '?'}digest={digest(content)}"
        self.ask("PUT", path, content, {"Content-Type": "application/octet-stream"})
        return digest(content)

    def push_manifest(self, repository: str, reference: str, content: bytes, kind: str = "") -> None:
        kind = kind or (INDEX if b'"manifests"' in content else MANIFEST)
        self.ask("PUT", f"/v2/{repository}/manifests/{reference}", content, {"Content-Type": kind})

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[bytes, Any]:
        request = urllib.request.Request(
            f"http://{self.host}{path}", data=body, method=method, headers={**self.headers, **(headers or {})})
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.read(), answer.headers

    def blob_file(self, blob: str) -> Path:
        """Where the registry keeps it: for a test that spoils it."""
        return self.data / f"docker/registry/v2/blobs/sha256/{blob[7:9]}/{blob[7:]}/data"

    async def asked(self, method: str, part: str, count: int) -> None:
        """Waits until it has noted so many requests; more are an error."""
        deadline = time.monotonic() + NOTED_S
        while (found := self.requests(method, part)) != count:
            assert found < count and time.monotonic() < deadline, f"{found} times {method} {part} instead of {count}"
            await asyncio.sleep(0.02)

    def requests(self, method: str, part: str) -> int:
        """How many it has been asked for, whose address has `part` in it. It notes each after its answer: the last may be missing."""
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(f'"{method} ' in line and part in line.split(f'"{method} ')[1].split('"')[0] for line in lines)


def _is_manifest(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except ValueError:
        return False
    return isinstance(document, dict) and ("layers" in document or "manifests" in document)


@contextmanager
def docker_registry(
    folder: Path, *, auth: Mapping[str, Any] | None = None, tls: Mapping[str, str] | None = None, address: str = "127.0.0.1",
    port: int = 0, prefix: tuple[str, ...] = (), data: Path | None = None,
) -> Iterator[Registry]:
    """`auth` and `tls` as in the registry's configuration; `prefix`: a command that runs it elsewhere (ip netns exec NAME).

    `data`: what several of them serve; `folder` is each one's own.
    """
    program = shutil.which("docker-registry")
    if program is None:
        pytest.fail("docker-registry is not installed (apt-get install docker-registry); ./kubonsai test installs it")
    folder.mkdir(parents=True, exist_ok=True)
    port, data = port or free_port(), data or folder / "data"
    http: dict[str, Any] = {"addr": f"{address}:{port}", "secret": "test"}
    if tls:
        http["tls"] = dict(tls)
    config = {
        "version": 0.1, "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(data)}, "delete": {"enabled": True}}, "http": http,
        **({"auth": dict(auth)} if auth else {}),
    }
    (folder / "config.json").write_text(json.dumps(config))     # JSON is YAML
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*prefix, program, "serve", str(folder / "config.json")], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
    registry = Registry(data, f"{address}:{port}", process, log)
    try:
        _wait(registry)
        yield registry
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(registry: Registry) -> None:
    deadline = time.monotonic() + START_S
    while "listening on " not in registry.log.read_text(errors="replace"):
        assert registry.process.poll() is None, registry.log.read_text()
        assert time.monotonic() < deadline, registry.log.read_text()
        time.sleep(0.02)


def htpasswd(folder: Path) -> dict[str, Any]:
    """The `auth` of a registry that wants alice's password, which is "secret"."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}
