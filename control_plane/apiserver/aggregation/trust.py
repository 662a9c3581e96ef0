"""TLS towards extension servers, and the headers that tell them who asks. Follows client-go's transport.SetAuthProxyHeaders.

They know us by the front-proxy client certificate and therefore believe the headers; credentials of the client never reach them.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from typing import Final

from control_plane.apiserver.authentication.user import UserInfo
from kube.process.config import TlsFiles

Headers = tuple[tuple[str, str], ...]

_KEPT: Final = 200
_TOKEN: Final = frozenset(b"!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")      # "%" escapes


class BadBundle(ValueError):
    """A caBundle that holds no certificate; the text is upstream's."""


class Contexts:
    """TLS contexts, one per trust, kept."""

    def __init__(self, front_proxy: TlsFiles | None) -> None:
        self._front_proxy = front_proxy
        self._kept: OrderedDict[tuple[bytes, bool], ssl.SSLContext] = OrderedDict()

    def of(self, ca_bundle: bytes, *, insecure: bool) -> ssl.SSLContext:
        """`ca_bundle` is PEM; empty: the machine's own CAs. Raises BadBundle."""
        key = (ca_bundle, insecure)
        context = self._kept.get(key)
        if context is None:
            context = self._kept[key] = self._made(ca_bundle, insecure=insecure)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return context

    def _made(self, ca_bundle: bytes, *, insecure: bool) -> ssl.SSLContext:
        if insecure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif ca_bundle:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_verify_locations(cadata=ca_bundle.decode("ascii", errors="replace"))
            except (ssl.SSLError, ValueError) as error:
                raise BadBundle("unable to load root certificates: unable to parse bytes as PEM block") from error
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN      # as Go: who is in the bundle is trusted, a CA or not
            context.hostname_checks_common_name = False
        else:
            context = ssl.create_default_context()
        if self._front_proxy is not None:
            context.load_cert_chain(self._front_proxy.cert_file, self._front_proxy.key_file)
        return context


def identity_headers(user: UserInfo) -> Headers:
    headers = [("X-Remote-User", user.name)]
    if user.uid:
        headers.append(("X-Remote-Uid", user.uid))
    headers += [("X-Remote-Group", group) for group in user.groups]
    headers += [(f"X-Remote-Extra-{escaped_key(key)}", value) for key, values in user.extra.items() for value in values]
    return tuple(headers)


def escaped_key(key: str) -> str:
    """A key of the user's extra as part of a header's name: what no name may hold is percent-encoded."""
    return "".join(chr(byte) if byte in _TOKEN else f"%{byte:02X}" for byte in key.encode())
