"""What changes on a proxied request and its answer: headers, Location, links in HTML. Pure.

Follows apimachinery's proxy transport (util/proxy/transport.go) and Go's ReverseProxy. A server behind the proxy speaks of itself as if it
stood at "/": absolute links to its own host get the proxy's path before them. Pages are read as UTF-8 or anything that contains ASCII.
"""

from __future__ import annotations

import gzip
import html
import posixpath
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from multidict import CIMultiDict, CIMultiDictProxy

MAX_PAGE: Final = 8 * 1024 * 1024         # a longer page is passed on as it is
_HOP_BY_HOP: Final = frozenset({
    "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
})
_CORS: Final = frozenset({
    "access-control-allow-credentials", "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
})
_OURS: Final = ("impersonate-", "x-remote-")      # for the apiserver alone, as Authorization is
_TOKEN: Final = "base64url.bearer.authorization.k8s.io."      # noqa: S105 (how browsers send a token with a WebSocket)
_PATH_SAFE: Final = "$&+,/:;=@-_.~"               # what Go leaves as it is in a path

_LINKS: Final = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",), "base": ("href",), "blockquote": ("cite",),
    "body": ("background",), "button": ("formaction",), "command": ("icon",), "del": ("cite",), "embed": ("src",), "form": ("action",),
    "frame": ("longdesc", "src"), "head": ("profile",), "html": ("manifest",), "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"), "input": ("src", "usemap", "formaction"), "ins": ("cite",), "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",), "script": ("src",), "source": ("src",), "video": ("poster", "src"),
}
_RAW_TEXT: Final = frozenset({"script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp"})
_TAG: Final = re.compile(r"""<([a-zA-Z][^\s/>]*+)((?:[^>"']|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE: Final = re.compile(r"""([^\s=>"'/]++)(\s*+=\s*+)("[^"]*+"|'[^']*+'|[^\s>"']++)""")


@dataclass(frozen=True, slots=True)
class Proxied:
    """One proxied request, as far as rewriting needs it."""

    prefix: str           # of its path: "/api/v1/namespaces/x/pods/p/proxy"
    backend: str          # host:port that it goes to
    host: str             # its Host header


def request_headers(headers: CIMultiDictProxy[str], client: str, *, upgrade: bool = False) -> CIMultiDict[str]:
    """What the backend gets to see. `client` is its address, or ""."""
    dropped = set() if upgrade else _HOP_BY_HOP | _named_by_connection(headers.getall("Connection", []))
    kept = CIMultiDict[str]()
    for name, value in headers.items():
        lower = name.lower()
        if lower in dropped or lower == "authorization" or lower.startswith(_OURS):
            continue
        kept.add(name, value)
    if "trailers" in headers.get("TE", "").lower():
        kept["TE"] = "trailers"
    if protocols := kept.get("Sec-WebSocket-Protocol"):
        without_token = [one for one in (part.strip() for part in protocols.split(",")) if not one.startswith(_TOKEN)]
        kept["Sec-WebSocket-Protocol"] = ", ".join(without_token)
    if client:
        kept["X-Forwarded-For"] = ", ".join([*headers.getall("X-Forwarded-For", []), client])
    return kept


def response_headers(headers: Iterable[tuple[str, str]], connection: Iterable[str]) -> CIMultiDict[str]:
    dropped = _HOP_BY_HOP | _CORS | _named_by_connection(connection)
    return CIMultiDict((name, value) for name, value in headers if name.lower() not in dropped)


def _named_by_connection(values: Iterable[str]) -> frozenset[str]:
    return frozenset(name.strip().lower() for value in values for name in value.split(","))


def target_path(sub_path: str) -> str:
    """Cleaned, encoded; a slash at the end stays."""
    clean = posixpath.normpath("/" + sub_path.lstrip("/")) if sub_path else ""
    if sub_path.endswith("/") and not clean.endswith("/"):
        clean += "/"
    return quote(clean, safe=_PATH_SAFE)


def rewritten_url(url: str, proxied: Proxied) -> str:
    """A link within what the backend serves, as it is seen through the proxy; other links as they are."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if (parts.netloc and parts.netloc not in (proxied.backend, proxied.host)) or not parts.path.startswith("/"):
        return url
    if parts.netloc != proxied.host:
        parts = parts._replace(scheme="", netloc="")
    if not parts.path.startswith(proxied.prefix):
        path = posixpath.normpath(proxied.prefix + "/" + parts.path)
        parts = parts._replace(path=path + "/" if parts.path.endswith("/") else path)
    return urlunsplit(parts)


def rewritten_page(body: bytes, encoding: str, rewrite: Callable[[str], str]) -> bytes | None:
    """An HTML page with its links rewritten, in the same Content-Encoding. None: it cannot be read, and is to be left as it is."""
    try:
        plain = _unpacked(body, encoding)
    except (OSError, EOFError, zlib.error):
        return None
    if plain is None:
        return None
    page = rewritten_html(plain.decode("latin-1"), rewrite).encode("latin-1", errors="xmlcharrefreplace")
    if encoding == "gzip":
        return gzip.compress(page, mtime=0)
    if encoding == "deflate":
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return packer.compress(page) + packer.flush()
    return page


def _unpacked(body: bytes, encoding: str) -> bytes | None:
    """None for an encoding that nobody here knows, or a page that is too long."""
    if encoding == "":
        return body
    bits = {"gzip": 16 + zlib.MAX_WBITS, "deflate": -zlib.MAX_WBITS}.get(encoding)
    if bits is None:
        return None
    unpacker = zlib.decompressobj(wbits=bits)
    plain = unpacker.decompress(body, MAX_PAGE)
    return plain if unpacker.eof else None


def rewritten_html(page: str, rewrite: Callable[[str], str]) -> str:
    out, at = [], 0
    while (start := page.find("<", at)) >= 0:
        out.append(page[at:start])
        if page.startswith("<!--", start):
            end = page.find("-->", start + 4)
            at = len(page) if end < 0 else end + 3
            out.append(page[start:at])
            continue
        tag = _TAG.match(page, start)
        if tag is None:
            if page[start + 1 : start + 2].isalpha():      # a tag without an end: no tag follows
                at = start
                break
            out.append("<")
            at = start + 1
            continue
        name = tag[1].lower()
        out.append(_rewritten_tag(tag, _LINKS[name], rewrite) if name in _LINKS else tag[0])
        at = tag.end()
        if name in _RAW_TEXT:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(page, at)
            end = closing.start() if closing else len(page)
            out.append(page[at:end])
            at = end
    out.append(page[at:])
    return "".join(out)


def _rewritten_tag(tag: re.Match[str], links: tuple[str, ...], rewrite: Callable[[str], str]) -> str:
    def attribute(match: re.Match[str]) -> str:
        if match[1].lower() not in links:
            return match[0]
        value = html.unescape(match[3].strip("\"'"))
        changed = rewrite(value)
        return match[0] if changed == value else f'{match[1]}{match[2]}"{html.escape(changed)}"'

    return f"<{tag[1]}{_ATTRIBUTE.sub(attribute, tag[2])}>"
