"""TLS that asks for a client certificate and takes any: a stranger gets 401, as from upstream, and no broken connection.

The standard library either breaks the handshake off or does not ask at all; OpenSSL's own switch between the two, a verify callback, is
set through ctypes, once per context. The private key of the certificate is still proven by the handshake.
"""

from __future__ import annotations

import ctypes
import ssl
import sys
from functools import lru_cache
from typing import Any, Final

from kube.process.log import get_logger

log = get_logger("http-door")

_CONTEXT_AT: Final = object.__basicsize__        # struct PySSLContext { PyObject_HEAD; SSL_CTX *ctx; ... }
_VERIFY_PEER: Final = 1
_DER: Final = 2
_Verify = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


def _verified(found: int, store: int) -> int:
    return 1


_GO_ON: Final = _Verify(_verified)       # kept for ever: OpenSSL calls it


def accept_any(context: ssl.SSLContext) -> bool:
    """Whether it could be done; if not, the handshake goes on to refuse strangers: less polite, no less safe."""
    library = _openssl()
    if library is None:
        return False
    pointer = ctypes.c_void_p.from_address(id(context) + _CONTEXT_AT)
    if library.SSL_CTX_get_verify_mode(pointer) != int(context.verify_mode):
        return False
    library.SSL_CTX_set_verify(pointer, _VERIFY_PEER, _GO_ON)
    return True


def shown_chain(tls: Any) -> tuple[bytes, ...]:
    """Every certificate that the client sent (DER): its own and perhaps intermediates."""
    session = getattr(tls, "_sslobj", None)
    if session is None or not hasattr(session, "get_unverified_chain"):
        return ()
    return tuple(bytes(shown.public_bytes(_DER)) for shown in session.get_unverified_chain() or () if shown is not None)


@lru_cache(maxsize=1)
def _openssl() -> Any:
    """The library that the `ssl` module itself runs on."""
    if sys.implementation.name != "cpython" or hasattr(sys, "getobjects"):      # a debug build: other objects
        return None
    try:
        import _ssl

        library: Any = ctypes.CDLL(getattr(_ssl, "__file__", None))
        library.SSL_CTX_get_verify_mode.argtypes = [ctypes.c_void_p]
        library.SSL_CTX_set_verify.argtypes = [ctypes.c_void_p, ctypes.c_int, _Verify]
        library.SSL_CTX_set_verify.restype = None
    except (ImportError, OSError, AttributeError) as error:
        log.info("client certificates of strangers break the connection off", error=str(error))
        return None
    return library
