"""Requests to registries: the network each host is reached by, TLS or not, redirects, credentials and tokens. One object per pull."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from node_agent.runtime.image_pulls import PullCredential
from node_agent.runtime.model import RuntimeServiceError
from node_agent.runtime.registry.access import AccessRules, Network, NotAllowedError, split_host
from node_agent.runtime.registry.challenge import Challenge, parse_challenges
from node_agent.runtime.registry.endpoints import Endpoint
from node_agent.runtime.registry.machine import MachineNetwork

MAX_REDIRECTS: Final = 5
MAX_COMPLAINT: Final = 16 << 10
MAX_TOKEN: Final = 1 << 20
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
REDIRECTS: Final = (301, 302, 303, 307, 308)


class RegistryError(RuntimeServiceError):
    """A registry did not give what was asked for."""


class NotFoundError(RegistryError):
    """It does not have it."""


class BrokenOffError(RegistryError):
    """The connection ended too early; the rest may be had by asking again."""


class RegistryHttp:
    """`schemes` remembers, over pulls, whether a host speaks TLS where nobody has said it."""

    def __init__(
        self, rules: AccessRules, machine: MachineNetwork | None, credential: PullCredential | None, schemes: dict[str, str],
    ) -> None:
        self._rules = rules
        self._machine = machine
        self._credential = credential
        self._schemes = schemes
        self._sessions: dict[Network, aiohttp.ClientSession] = {}
        self._contexts: dict[Endpoint, ssl.SSLContext] = {}
        self._authorization: dict[tuple[str, str], str] = {}     # host, repository -> header

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    @asynccontextmanager
    async def request(
        self, method: str, endpoint: Endpoint, repository: str, what: str, headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """`what` is "manifests/latest" or "blobs/sha256:...". Raises NotFoundError, BrokenOffError, RegistryError, NotAllowedError."""
        url = f"{await self._scheme(endpoint)}://{endpoint.host}{endpoint.path}/{repository}/{what}"
        key = (endpoint.host, repository)
        for again in (False, True):
            authorization = self._authorization.get(key)
            response = await self._follow(method, url, endpoint, {**(headers or {}), **_header(authorization)})
            try:
                if response.status == 401 and not again:
                    challenges = parse_challenges(response.headers.getall("WWW-Authenticate", ()))
                    if (wanted := await self._authorize(endpoint, challenges, repository)) and wanted != authorization:
                        self._authorization[key] = wanted
                        continue
                if response.status >= 400:
                    raise await self._complaint(response, method, url)
                yield response
                return
            except aiohttp.ClientError as error:
                raise BrokenOffError(f"{method.title()} \"{url}\": {_reason(error)}") from error
            except TimeoutError as error:
                raise BrokenOffError(f'{method.title()} "{url}": the registry stopped answering') from error
            finally:
                response.release()

    # -- authorization

    async def _authorize(self, endpoint: Endpoint, challenges: Sequence[Challenge], repository: str) -> str:
        """The header that satisfies one of them; "" if none can be."""
        for challenge in challenges:
            if challenge.scheme == "bearer" and "realm" in challenge.parameters:
                return await self._token(endpoint, challenge.parameters, repository)
            if challenge.scheme == "basic" and self._credential is not None:
                return self._basic(self._credential)
        return ""

    async def _token(self, endpoint: Endpoint, challenge: Mapping[str, str], repository: str) -> str:
        """Asks the token service, anonymously without a credential. Follows distribution's token authentication."""
        realm = urljoin(f"{await self._scheme(endpoint)}://{endpoint.host}", challenge["realm"])
        query = {"scope": challenge.get("scope") or f"repository:{repository}:pull"}
        if service := challenge.get("service"):
            query["service"] = service
        headers = {}
        if self._credential is not None:
            query["account"] = self._credential.username
            headers = _header(self._basic(self._credential))
        response = await self._send("GET", realm, endpoint, headers, query)
        try:
            if response.status >= 400:
                kind = "oauth" if self._credential else "anonymous"
                raise RegistryError(
                    f"failed to authorize: failed to fetch {kind} token: unexpected status from GET request to {realm}: "
                    f"{_status(response)}")
            answer = msgspec.json.decode(await response.content.read(MAX_TOKEN), type=dict[str, Any])
        except (msgspec.MsgspecError, aiohttp.ClientError) as error:
            raise RegistryError(f"failed to authorize: the token service {realm} gave no token: {error}") from error
        finally:
            response.release()
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(f"failed to authorize: the token service {realm} gave no token")
        return f"Bearer {token}"

    @staticmethod
    def _basic(credential: PullCredential) -> str:
        return "Basic " + base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()

    async def _complaint(self, response: aiohttp.ClientResponse, method: str, url: str) -> RegistryError:
        said = ""
        try:
            body = msgspec.json.decode(await response.content.read(MAX_COMPLAINT), type=dict[str, Any])
            said = "; ".join(str(error.get("message", "")) for error in body.get("errors") or ())
        except (msgspec.MsgspecError, aiohttp.ClientError, AttributeError, TimeoutError):
            pass                                    # a HEAD has no body; others may say it in HTML
        status = f"unexpected status from {method} request to {url}: {_status(response)}{f': {said[:300]}' if said else ''}"
        if response.status == 404:
            return NotFoundError(status)
        if response.status in (401, 403):
            given = "the credentials that were given are not accepted" if self._credential else "no credentials were given"
            return RegistryError(f"pull access denied, repository does not exist or may require authorization: {status} ({given})")
        return RegistryError(status)

    # -- connections

    async def _scheme(self, endpoint: Endpoint) -> str:
        """Where TLS may be missing and nobody says whether it is, plain HTTP is tried once: without credentials."""
        access = self._rules.of(endpoint.host)
        if access is None:
            raise NotAllowedError(not_allowed(endpoint.host))
        if endpoint.scheme:
            return endpoint.scheme
        if not access.plain_http:
            return "https"
        if endpoint.host not in self._schemes:
            self._schemes[endpoint.host] = await self._probe(endpoint)
        return self._schemes[endpoint.host]

    async def _probe(self, endpoint: Endpoint) -> str:
        try:
            response = await self._open("GET", f"http://{endpoint.host}{endpoint.path}/", endpoint, {})
        except (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionResetError):
            return "https"
        except aiohttp.ClientOSError as error:
            if error.errno == errno.ECONNRESET:
                return "https"
            hint = self._loopback_hint(endpoint.host)
            raise RegistryError(f'failed to do request: Get "http://{endpoint.host}{endpoint.path}/": {_reason(error)}{hint}') from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryError(f'failed to do request: Get "http://{endpoint.host}{endpoint.path}/": {_reason(error)}') from error
        response.release()
        return "https" if response.status == 400 else "http"

    def _loopback_hint(self, host: str) -> str:
        """Many mean the machine's loopback and not the node's."""
        access, name = self._rules.of(host), split_host(host)[0]
        if access is None or access.network != "node" or not (name == "localhost" or name.startswith("127.")):
            return ""
        return f" (on this node; the machine's own loopback needs the setting registries: [{{host: {host!r}, network: machine}}])"

    async def _follow(self, method: str, url: str, endpoint: Endpoint, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Redirects, each held to the rules; a credential is not taken along to another host."""
        headers = {**dict(endpoint.headers), **headers}
        for _ in range(MAX_REDIRECTS):
            response = await self._send(method, url, endpoint, headers)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or not location:
                return response
            response.release()
            target = urljoin(url, location)
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                headers = {name: value for name, value in headers.items() if name in ("Accept", "Range", "Accept-Encoding")}
            url = target
        raise RegistryError(f"{url}: redirected more than {MAX_REDIRECTS} times")

    async def _send(
        self, method: str, url: str, endpoint: Endpoint, headers: Mapping[str, str], query: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        try:
            return await self._open(method, url, endpoint, headers, query)
        except aiohttp.ClientConnectionError as error:
            raise BrokenOffError(f'failed to do request: {method.title()} "{url}": {_reason(error)}') from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RegistryError(f'failed to do request: {method.title()} "{url}": {_reason(error)}') from error

    async def _open(
        self, method: str, url: str, endpoint: Endpoint, headers: Mapping[str, str], query: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        parts = urlsplit(url)
        access = self._rules.of(parts.netloc)
        if access is None or parts.scheme not in ("http", "https"):
            raise NotAllowedError(not_allowed(parts.netloc))
        if parts.scheme == "http" and not access.plain_http and endpoint.scheme != "http":
            raise NotAllowedError(f"{parts.netloc} would be asked without TLS, which neither plain_http nor a hosts.toml allows")
        trusted = endpoint if parts.netloc == endpoint.host else Endpoint(host=parts.netloc)
        tls = await self._tls(trusted) if parts.scheme == "https" else False
        return await self._session(access.network).request(
            method, url, params=query, headers={"Accept-Encoding": "identity", **headers}, allow_redirects=False, ssl=tls)

    def _session(self, network: Network) -> aiohttp.ClientSession:
        if network not in self._sessions:
            if network == "machine" and self._machine is None:
                raise NotAllowedError("the machine's network cannot be reached from this node")
            self._sessions[network] = aiohttp.ClientSession(
                connector=_connector(self._machine if network == "machine" else None), timeout=TIMEOUT,
                auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=1 << 19,
                headers={"User-Agent": "kubonsai"},
            )
        return self._sessions[network]

    async def _tls(self, endpoint: Endpoint) -> ssl.SSLContext:
        if endpoint not in self._contexts:
            try:
                self._contexts[endpoint] = await asyncio.to_thread(_context, endpoint)
            except (OSError, ssl.SSLError) as error:
                raise RegistryError(f"certificates for {endpoint.host} cannot be used: {error}") from error
        return self._contexts[endpoint]


def _connector(machine: MachineNetwork | None) -> aiohttp.TCPConnector:
    if machine is None:
        return aiohttp.TCPConnector(limit=16, resolver=aiohttp.ThreadedResolver())
    return aiohttp.TCPConnector(limit=16, resolver=_OutsideNames(machine), socket_factory=machine.make_socket)


class _OutsideNames(AbstractResolver):
    """Names as the machine knows them."""

    def __init__(self, machine: MachineNetwork) -> None:
        self._machine = machine

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        def ask() -> list[ResolveResult]:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            return [
                ResolveResult(hostname=host, host=str(item[4][0]), port=port, family=item[0], proto=item[2], flags=socket.AI_NUMERICHOST)
                for item in found
            ]

        return await asyncio.get_running_loop().run_in_executor(self._machine.executor, ask)

    async def close(self) -> None:
        pass


def not_allowed(host: str) -> str:
    return (
        f"{host} may not be asked: nodes ask registries in the cluster's own networks, and those that the cluster's setting "
        "`registries` lists; list it there, or put the image into the store with `kubonsai load`"
    )


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for file in endpoint.ca_files:
        context.load_verify_locations(cafile=file)
    if endpoint.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if endpoint.client_files:
        context.load_cert_chain(*endpoint.client_files[:2])
    return context


def _header(authorization: str | None) -> dict[str, str]:
    return {"Authorization": authorization} if authorization else {}


def _status(response: aiohttp.ClientResponse) -> str:
    return f"{response.status} {response.reason or ''}".strip()


def _reason(error: BaseException) -> str:
    """As short as the kernel says it: "connection refused"."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"lookup {error.host}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        if error.os_error.errno and error.os_error.errno in errno.errorcode:
            return f"dial tcp {error.host}:{error.port}: connect: {os.strerror(error.os_error.errno).lower()}"
        return f"dial tcp {error.host}:{error.port}: {error.os_error}"
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__
