"""One repository, behind its mirrors: what a tag stands for, manifests, blobs. Follows the OCI distribution specification."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import aiohttp

from node_agent.runtime.image_archive import MAX_DOCUMENT, ImageArchiveError, blob_name, sha256_of
from node_agent.runtime.image_manifest import DOCKER_MANIFEST, Descriptor
from node_agent.runtime.references import Reference
from node_agent.runtime.registry.endpoints import Endpoint
from node_agent.runtime.registry.http import BrokenOffError, NotFoundError, RegistryError, RegistryHttp

T = TypeVar("T")
Answering = AbstractAsyncContextManager[aiohttp.ClientResponse]
MANIFESTS: Final = (
    DOCKER_MANIFEST, "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1"
CHUNK: Final = 1 << 19
MAX_BREAKS: Final = 5           # of one blob's connection, without a byte between two of them
RETRY_S: Final = 0.2


class RepositoryClient:
    def __init__(self, http: RegistryHttp, endpoints: Sequence[Endpoint], reference: Reference) -> None:
        self._http = http
        self._endpoints = endpoints
        self._reference = reference

    async def resolve(self) -> Descriptor:
        """What the name stands for now. Raises RegistryError, NotAllowedError."""
        wanted = self._reference.digest or self._reference.tag
        resolving = [endpoint for endpoint in self._endpoints if endpoint.resolves or self._reference.digest]
        try:
            found = await self._first(resolving, lambda endpoint: self._head(endpoint, wanted))
        except NotFoundError as error:
            raise NotFoundError(f"{self._reference}: not found") from error
        if self._reference.digest and found.digest != self._reference.digest:
            raise RegistryError(f"the registry gave {found.digest} for {self._reference}")
        return found

    async def manifest(self, digest: str) -> bytes:
        """Of that digest for sure. Raises RegistryError."""
        content, _ = await self._first(self._pulling, lambda endpoint: self._get(endpoint, digest))
        return content

    async def document(self, descriptor: Descriptor) -> bytes:
        """A configuration: a blob that is small. Raises RegistryError."""
        async def get(endpoint: Endpoint) -> bytes:
            async with self._ask("GET", endpoint, f"blobs/{descriptor.digest}") as response:
                return _checked(await _read(response.content), descriptor.digest, endpoint)

        return await self._first(self._pulling, get)

    async def download(self, descriptor: Descriptor, path: Path) -> None:
        """Into a new file; what was interrupted goes on where it ended. Raises RegistryError, OSError."""
        await self._first(self._pulling, lambda endpoint: self._download(endpoint, descriptor, path))

    # -- one endpoint

    async def _head(self, endpoint: Endpoint, wanted: str) -> Descriptor:
        async with self._ask("HEAD", endpoint, f"manifests/{wanted}", _ACCEPT) as response:
            digest = response.headers.get("Docker-Content-Digest", "")
            kind = response.content_type
        if _is_digest(digest):
            _check_kind(kind, self._reference)
            return Descriptor(digest=digest, media_type=kind)
        content, kind = await self._get(endpoint, wanted)           # it does not tell: the manifest does
        return Descriptor(digest=sha256_of(content), media_type=kind)

    async def _get(self, endpoint: Endpoint, wanted: str) -> tuple[bytes, str]:
        async with self._ask("GET", endpoint, f"manifests/{wanted}", _ACCEPT) as response:
            _check_kind(response.content_type, self._reference)
            content = await _read(response.content)
            return (_checked(content, wanted, endpoint) if _is_digest(wanted) else content), response.content_type

    async def _download(self, endpoint: Endpoint, descriptor: Descriptor, path: Path) -> None:
        breaks, file_digest = 0, hashlib.sha256()
        with path.open("wb") as file:
            while True:
                before = file.tell()
                try:
                    await self._receive(endpoint, descriptor, file, file_digest)
                    break
                except BrokenOffError:
                    breaks = breaks + 1 if file.tell() == before else 0
                    if breaks >= MAX_BREAKS:
                        raise
                    await asyncio.sleep(RETRY_S)
        found = f"sha256:{file_digest.hexdigest()}"
        if found != descriptor.digest:
            raise RegistryError(f"{descriptor.digest} is damaged: what {endpoint.host} sent has the digest {found}")

    async def _receive(self, endpoint: Endpoint, descriptor: Descriptor, file: BinaryIO, digest: hashlib._Hash) -> None:
        """The rest of a blob: from where the file ends. Raises BrokenOffError when the connection ended too early."""
        def keep(chunk: bytes) -> None:
            digest.update(chunk)
            file.write(chunk)

        begin = file.tell()
        if descriptor.size and begin >= descriptor.size:
            return
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        what = f"blobs/{descriptor.digest}"
        async with self._ask("GET", endpoint, what, headers) as response:
            skip = begin if response.status != 206 else 0           # it gives all of it once more
            async for chunk in response.content.iter_chunked(CHUNK):
                if skip:
                    chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                if descriptor.size and file.tell() + len(chunk) > descriptor.size:
                    raise RegistryError(f"{descriptor.digest} is damaged: {endpoint.host} sent more than {descriptor.size} bytes")
                await asyncio.to_thread(keep, chunk)
        if file.tell() < descriptor.size:
            raise BrokenOffError(f"{endpoint.host} sent {file.tell()} of {descriptor.size} bytes of {descriptor.digest}")

    # -- all of them

    async def _first(self, endpoints: Sequence[Endpoint], ask: Callable[[Endpoint], Awaitable[T]]) -> T:
        """The first answer; else the first error, one that is more than "not found" if there is one."""
        failures: list[RegistryError] = []
        for endpoint in endpoints:
            try:
                return await ask(endpoint)
            except RegistryError as error:
                failures.append(error)
        if not failures:
            raise RegistryError("no host is configured that could be asked")
        raise next((error for error in failures if not isinstance(error, NotFoundError)), failures[0])

    @property
    def _pulling(self) -> list[Endpoint]:
        return [endpoint for endpoint in self._endpoints if endpoint.pulls]

    def _ask(self, method: str, endpoint: Endpoint, what: str, headers: Mapping[str, str] | None = None) -> Answering:
        """A mirror may be one of several registries: it is told which, as containerd does."""
        namespace = f"?ns={self._reference.registry}" if endpoint.mirror else ""
        return self._http.request(method, endpoint, self._reference.repository, what + namespace, headers)


_ACCEPT: Final = {"Accept": ", ".join((*MANIFESTS, "*/*"))}


def _is_digest(text: str) -> bool:
    try:
        blob_name(text)
    except ImageArchiveError:
        return False
    return True


def _check_kind(kind: str, reference: Reference) -> None:
    if kind.startswith(SCHEMA_1):
        raise RegistryError(f"{reference}: its manifest is of Docker's schema 1, which no runtime takes any more; push the image again")


def _checked(content: bytes, digest: str, endpoint: Endpoint) -> bytes:
    if (found := sha256_of(content)) != digest:
        raise RegistryError(f"{digest} is damaged: what {endpoint.host} sent has the digest {found}")
    return content


async def _read(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for chunk in stream.iter_chunked(CHUNK):
        content += chunk
        if len(content) > MAX_DOCUMENT:
            raise RegistryError("the registry sent a document that is larger than any manifest should be")
    return bytes(content)
