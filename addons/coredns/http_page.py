"""The fixed pages of plugins: /health, /ready, /metrics, each at the address that its directive names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kube.process.pages import Answer, serve_pages

Page = Callable[[], tuple[int, str]]


def split_address(address: str) -> tuple[str, int]:
    """":8080" is every address. Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)


@asynccontextmanager
async def serve_page(address: str, path: str, page: Page, content_type: str = "text/plain; charset=utf-8") -> AsyncIterator[None]:
    """Serves one page while the context is open."""
    async with serve_pages(*split_address(address), {path: lambda query: Answer(*page(), content_type)}):
        yield
