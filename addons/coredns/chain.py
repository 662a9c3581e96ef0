"""The order of the plugins, as data, and how a server block becomes a chain.

A request passes the configured plugins from top to bottom, whatever their order in the Corefile; a reply comes back up. Follows the
order of CoreDNS's plugin.cfg:
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from addons.coredns.corefile import CorefileError, Directive, ServerBlock
from addons.coredns.message import Handler, NoNextPlugin

if TYPE_CHECKING:
    from addons.coredns.runtime import Runtime

ORDER: Final = (
    "reload",           # these five answer nothing
    "bind",
    "ready",
    "health",
    "prometheus",
    "errors",           # above all that can fail
    "log",
    "loadbalance",      # above cache: cached addresses turn as well
    "cache",
    "hosts",            # before kubernetes: it may override names of the cluster
    "kubernetes",
    "loop",             # just above forward: it looks for its own question coming back
    "forward",          # last: whatever nobody above knows
)

Wrap = Callable[[Handler], Handler]
Service = Callable[[], AbstractAsyncContextManager[None]]


class PluginModule(Protocol):
    def setup(self, directive: Directive, setup: Setup) -> Wrap | None:
        """Reads the directive. Returns what puts the plugin in front of the next handler; None if it handles no requests."""


@dataclass(slots=True)
class Setup:
    """What a plugin may use while it is set up, and what it leaves behind."""

    runtime: Runtime
    zone: str                                   # of the chain that is being built
    port: int
    addresses: list[str] = field(default_factory=list)              # to listen on; empty: all
    services: dict[Hashable, Service] = field(default_factory=dict)     # to run while the configuration is in force
    ready: dict[str, Callable[[], bool]] = field(default_factory=dict)
    lameduck_s: float = 0.0


def build_chain(block: ServerBlock, setup: Setup) -> Handler:
    """Raises CorefileError."""
    configured: dict[str, Directive] = {}
    for directive in block.directives:
        if directive.name not in ORDER:
            raise CorefileError(f"{directive.where} - Error during parsing: Unknown directive '{directive.name}'")
        if directive.name in configured:
            raise directive.error("plugin can only be used once per server block")
        configured[directive.name] = directive
    wraps = [
        wrap
        for name in ORDER
        if name in configured and (wrap := _module(name).setup(configured[name], setup)) is not None
    ]
    handler: Handler = NoNextPlugin()
    for wrap in reversed(wraps):
        handler = wrap(handler)
    return handler


def _module(name: str) -> PluginModule:
    module: PluginModule = importlib.import_module(f"addons.coredns.plugins.{name}")
    return module
