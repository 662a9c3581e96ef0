"""What a container's HEALTHCHECK asks: curl reads the pages from a file (curl --config), which each role writes when it starts."""

from __future__ import annotations

from kube.process.config import TlsFiles
from launcher.cluster.private_file import write_private
from launcher.compose.paths import HEALTH


def tell(page: str, ca_file: str, identity: TlsFiles | None = None) -> None:
    """An HTTPS page; `identity` where it wants a client certificate."""
    lines = [("url", page), ("cacert", ca_file)]
    if identity is not None:
        lines += [("cert", identity.cert_file), ("key", identity.key_file)]
    _write([f'{key} = "{value}"' for key, value in lines])


def tell_plain(*pages: str) -> None:
    """HTTP pages that must all answer."""
    _write(["fail-early", *(f'url = "{page}"' for page in pages)])


def _write(lines: list[str]) -> None:
    write_private(HEALTH, ("\n".join(lines) + "\n").encode())
