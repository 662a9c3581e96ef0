"""Servers that are asked who somebody is, and what he may: webhooks named by a kubeconfig, issuers named by a URL.

Blocking calls, to be made in threads of their own (`Threads`): authorization is also asked for in places that cannot wait (CEL).
Follows apiserver's util/webhook: what is tried again, and how often.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec
import yaml

from kube.process.config import YAML_LOADER, ConfigError

T = TypeVar("T")
JSON: Final = "application/json"
TIMEOUT_S: Final = 30.0
TRIES: Final = 5
FIRST_PAUSE_S: Final = 0.5         # times 1.5 each time, with a fifth of jitter
PAUSE_FACTOR: Final = 1.5
JITTER: Final = 0.2
MAX_ANSWER: Final = 4 * 1024 * 1024
_THREADS: Final = 32
_IDLE: Final = 8
_TRANSIENT: Final = frozenset({429, 500, 504})


class RemoteError(Exception):
    """The server could not be asked, or answered with an error; `again`: it may be only for a moment."""

    def __init__(self, message: str, *, again: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.retry_after_s = retry_after_s


class Threads:
    """Where blocking calls wait. Made at the first call: most clusters never ask anybody."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, call: Callable[[], T]) -> T:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="asks")
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


class Remote:
    """One server. Safe to be used by several threads at once; idle connections are kept."""

    def __init__(
        self, url: str, context: ssl.SSLContext | None = None, headers: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Raises ValueError for what is no URL of a server."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the URL of a server: {url!r}")
        self.url = url
        self._parts = parts
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Sends the object to the URL itself, tries again what may be passing. Raises RemoteError."""
        data = msgspec.json.encode(body)
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                return _object(self._exchange("POST", _target(self._parts), data))
            except RemoteError as error:
                if not error.again or not left:
                    raise
                time.sleep(max(error.retry_after_s, pause_s * (1 + random.random() * JITTER)))
            pause_s *= PAUSE_FACTOR
        raise AssertionError("unreachable")

    def get(self, target: str = "") -> bytes:
        """The body of what is at the URL, or at `target` (path and query) of its server. Raises RemoteError."""
        return self._exchange("GET", target or _target(self._parts), b"")

    def _exchange(self, method: str, target: str, body: bytes) -> bytes:
        headers = {"Accept": JSON, "User-Agent": "kube-apiserver", **self._headers}
        if body:
            headers["Content-Type"] = JSON
        while True:
            used = bool(self._idle)
            connection = self._idle.pop() if used else self._connection()
            try:
                connection.request(method, target, body or None, headers)
                answer = connection.getresponse()
                data = answer.read(MAX_ANSWER + 1)
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest) as error:
                connection.close()
                if not used:                        # an idle connection may have died meanwhile; a new one may not
                    raise RemoteError(f'{method} "{self.url}": {error or "EOF"}', again=True) from error
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise RemoteError(f'{method} "{self.url}": {_reason(error)}', again=isinstance(error, TimeoutError)) from error
        if answer.will_close or len(data) > MAX_ANSWER or len(self._idle) >= _IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        if len(data) > MAX_ANSWER:
            raise RemoteError(f'{method} "{self.url}": answer is too long')
        if not 200 <= answer.status < 300:
            raise _refused(answer, data)
        return data

    def _connection(self) -> http.client.HTTPConnection:
        host = self._parts.hostname or ""
        if self._context is None:
            return http.client.HTTPConnection(host, self._parts.port or 80, timeout=self._timeout_s)
        return http.client.HTTPSConnection(host, self._parts.port or 443, timeout=self._timeout_s, context=self._context)


def trusting(ca: bytes | str | None) -> ssl.SSLContext:
    """For servers whose certificate one of these authorities (PEM) signed; None: those that the machine trusts. Raises ValueError."""
    if ca is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=ca.decode() if isinstance(ca, bytes) else ca)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError("data does not contain any valid RSA or ECDSA certificates") from error


def from_kubeconfig(file: str, *, timeout_s: float = TIMEOUT_S) -> Remote:
    """The server and the credentials of the current context. Raises ConfigError."""
    try:
        return _of_kubeconfig(file, timeout_s)
    except OSError as error:
        raise ConfigError(f"{error.filename or file}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: invalid kubeconfig: {error}") from error


def _of_kubeconfig(file: str, timeout_s: float) -> Remote:
    config = yaml.load(Path(file).read_text(), Loader=YAML_LOADER) or {}  # noqa: S506  (a SafeLoader)
    folder = Path(file).parent
    context = _named(config, "contexts", "context", config.get("current-context") or "")
    cluster = _named(config, "clusters", "cluster", context.get("cluster") or "")
    user = _named(config, "users", "user", context["user"]) if context.get("user") else {}
    server = str(cluster["server"])
    tls = _tls(cluster, user, folder) if server.startswith("https:") else None
    return Remote(server, tls, _credentials(user, folder), timeout_s=timeout_s)


def _named(config: dict[str, Any], plural: str, kind: str, name: str) -> dict[str, Any]:
    found = next((entry.get(kind) for entry in config.get(plural) or () if entry.get("name") == name), None)
    if found is None:
        raise ValueError(f'{kind} "{name}" does not exist')
    return dict(found)


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    if cluster.get("insecure-skip-tls-verify"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = trusting(_data(cluster, "certificate-authority", folder))
    certificate, key = _data(user, "client-certificate", folder), _data(user, "client-key", folder)
    if certificate and key:
        import tempfile  # the standard library loads certificates from files only

        with tempfile.NamedTemporaryFile() as pair:
            pair.write(certificate + b"\n" + key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _credentials(user: dict[str, Any], folder: Path) -> dict[str, str]:
    token = user.get("token") or ""
    if not token and user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text().strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _data(of: dict[str, Any], key: str, folder: Path) -> bytes | None:
    if inline := of.get(f"{key}-data"):
        return base64.b64decode(inline)
    return (folder / of[key]).read_bytes() if of.get(key) else None


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _object(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RemoteError(f"answer is not a JSON object: {error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "no such host"
    return str(error)


def _refused(answer: http.client.HTTPResponse, data: bytes) -> RemoteError:
    try:
        message = str(msgspec.json.decode(data, type=dict[str, Any]).get("message") or "")
    except msgspec.DecodeError:
        message = ""
    after = answer.headers.get("Retry-After", "")
    text = message or f"the server answered {answer.status} {answer.reason}".strip()
    return RemoteError(text, again=answer.status in _TRANSIENT or after.isdigit(), retry_after_s=float(after) if after.isdigit() else 0.0)
