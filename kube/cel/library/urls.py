"""url, isURL and the parts of a URL. What is a URL is what Go's url.ParseRequestURI takes: an absolute URL or an absolute path."""

from __future__ import annotations

import re
from typing import Final, NoReturn
from urllib.parse import quote, unquote_plus

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, STRING, URL, list_of, map_of

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_BAD_HOST: Final = re.compile(r"[\x00-\x20<>\"\\^`{|}]")
_PATH_SAFE: Final = "$&+,/:;=@-_.~!'()*"


class Url:
    """A parsed URL; equal to what has the same text."""

    __slots__ = ("fragment", "host", "opaque", "path", "query", "scheme", "text")

    cel_type_name = URL.name

    def __init__(self, text: str) -> None:
        """Raises ValueError with Go's reason."""
        self.text = text
        _validate(text)
        text, _, self.fragment = text.partition("#")
        self.scheme, rest = _scheme_of(text)
        rest, _, self.query = rest.partition("?")
        self.host = self.path = self.opaque = ""
        if not rest.startswith("/") and self.scheme:
            self.opaque = rest
        elif rest.startswith("//") and (self.scheme or not rest.startswith("///")):
            authority, slash, path = rest[2:].partition("/")
            self.path = slash + path
            self.host = _host_of(authority)
        else:
            self.path = rest
        if found := _BAD_ESCAPE.search(self.path):
            raise ValueError(f'invalid URL escape "{found[0][:3]}"')

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.rpartition(":")[0] if ":" in self.host else self.host

    def port(self) -> str:
        return self.host.rpartition(":")[2] if ":" in self.host.rpartition("]")[2] else ""

    def escaped_path(self) -> str:
        if self.opaque:
            return ""
        return self.path if re.fullmatch(r"[A-Za-z0-9%$&+,/:;=@\-_.~!'()*\[\]]*", self.path) else quote(self.path, safe=_PATH_SAFE + "%")

    def values(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for pair in self.query.split("&"):
            if pair and ";" not in pair and not _BAD_ESCAPE.search(pair):
                name, _, value = pair.partition("=")
                found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
        return found


def _validate(text: str) -> None:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise ValueError("net/url: invalid control character in URL")
    if not text:
        raise ValueError("empty url")
    scheme, rest = _scheme_of(text)
    rest = rest.partition("?")[0]
    if not rest.startswith("/") and not scheme:
        raise ValueError("invalid URI for request")


def _scheme_of(text: str) -> tuple[str, str]:
    for index, character in enumerate(text):
        if character == ":":
            if index == 0:
                raise ValueError("missing protocol scheme")
            return text[:index].lower(), text[index + 1:]
        if not (character.isascii() and (character.isalpha() or (index and (character.isdigit() or character in "+-.")))):
            break
    return "", text


def _host_of(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if found := _BAD_HOST.search(host):
        raise ValueError(f'invalid character "{found[0]}" in host name')
    after = host.rpartition("]")[2] if host.startswith("[") else host
    if host.startswith("[") and "]" not in host:
        raise ValueError("missing ']' in host")
    _, colon, port = after.rpartition(":")
    if colon and not re.fullmatch(r"[0-9]*", port):
        raise ValueError(f'invalid port ":{port}" after host')
    if found := _BAD_ESCAPE.search(host):
        raise ValueError(f'invalid URL escape "{found[0][:3]}"')
    return host


def parse_url(text: str) -> Url:
    try:
        return Url(text)
    except ValueError as error:
        _fail(text, error)


def _fail(text: str, error: ValueError) -> NoReturn:
    raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {error}') from error


def request_uri_error(text: str) -> str:
    """Why the text is no URL, or ""."""
    try:
        Url(text)
    except ValueError as error:
        return f'parse "{text}": {error}'
    return ""


FUNCTIONS: Final[Table] = {
    "url": [Overload("string_to_url", (STRING,), URL, parse_url)],
    "isURL": [Overload("is_url_string", (STRING,), BOOL, lambda text: not request_uri_error(text))],
    "getScheme": [method("url_get_scheme", (URL,), STRING, lambda url: url.scheme)],
    "getHost": [method("url_get_host", (URL,), STRING, lambda url: url.host)],
    "getHostname": [method("url_get_hostname", (URL,), STRING, lambda url: url.hostname())],
    "getPort": [method("url_get_port", (URL,), STRING, lambda url: url.port())],
    "getEscapedPath": [method("url_get_escaped_path", (URL,), STRING, lambda url: url.escaped_path())],
    "getQuery": [method("url_get_query", (URL,), map_of(STRING, list_of(STRING)), lambda url: url.values())],
}
