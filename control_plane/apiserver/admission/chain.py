"""The plugins that are on, asked in order. Which there are: catalog.py."""

from __future__ import annotations

from typing import NamedTuple

from control_plane.apiserver.admission.catalog import ADMISSION_CHAIN, switched
from control_plane.apiserver.admission.plugin import (
    AdmissionContext,
    AdmissionRequest,
    MutatingPlugin,
    Operation,
    Plugin,
    PluginNames,
    ValidatingPlugin,
)
from kube.apimachinery.scheme import GroupResource

__all__ = ["ADMISSION_CHAIN", "AdmissionChain"]


class _Asked(NamedTuple):
    """Who has something to say about one operation on one resource."""

    mutating: tuple[MutatingPlugin, ...]
    validating: tuple[ValidatingPlugin, ...]


class AdmissionChain:
    """Those on by default, plus `enable`, minus `disable`."""

    def __init__(self, context: AdmissionContext, *, enable: PluginNames = (), disable: PluginNames = ()) -> None:
        """Raises ConfigError for an unknown name, for one that is both on and off, and for a plugin's wrong configuration."""
        self._plugins: list[Plugin] = [row.load()(context) for row in switched(enable, disable)]
        self.names = tuple(plugin.name for plugin in self._plugins)
        self._asked: dict[tuple[Operation, GroupResource], _Asked] = {}

    async def admit(self, request: AdmissionRequest) -> None:
        """Mutating plugins, in order; may change `request.obj`. Call inside the compare-and-swap loop, before validation."""
        mutating = self._for(request).mutating
        for plugin in mutating:
            await plugin.admit(request)
        if request.wants_second_round:      # what webhooks put in is to be defaulted and checked as what the client sent
            request.second_round = True
            for plugin in mutating:
                await plugin.admit(request)

    async def validate(self, request: AdmissionRequest) -> None:
        """Validating plugins, in order. Call after the object's own validation."""
        for plugin in self._for(request).validating:
            await plugin.validate(request)

    def _for(self, request: AdmissionRequest) -> _Asked:
        key = (request.operation, request.resource.group_resource)
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = self._find(*key)
        return asked

    def _find(self, operation: Operation, resource: GroupResource) -> _Asked:
        plugins = [
            plugin for plugin in self._plugins
            if plugin.handles(operation) and ((only := getattr(plugin, "resources", None)) is None or resource in only)
        ]
        return _Asked(
            tuple(plugin for plugin in plugins if isinstance(plugin, MutatingPlugin)),
            tuple(plugin for plugin in plugins if isinstance(plugin, ValidatingPlugin)),
        )
