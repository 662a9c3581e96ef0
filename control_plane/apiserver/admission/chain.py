"""All admission plugins in upstream's order."""

from __future__ import annotations

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, PluginNames


class AdmissionChain:
    def __init__(self, context: AdmissionContext, *, enable: PluginNames = (), disable: PluginNames = ()) -> None:
        """Raises ConfigError for an unknown name."""
        raise NotImplementedError

    async def admit(self, request: AdmissionRequest) -> None:
        """Mutating plugins, in order; may change `request.obj`. Call inside the compare-and-swap loop, before the strategy's prepare and validation."""
        raise NotImplementedError

    async def validate(self, request: AdmissionRequest) -> None:
        """Validating plugins, in order. Call after the object's own validation."""
        raise NotImplementedError
