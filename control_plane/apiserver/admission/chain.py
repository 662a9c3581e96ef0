"""All admission plugins in upstream's order, and which of them are on."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.admission.certificate_approval import CertificateApproval
from control_plane.apiserver.admission.certificate_signing import CertificateSigning
from control_plane.apiserver.admission.certificate_subject_restriction import CertificateSubjectRestriction
from control_plane.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from control_plane.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from control_plane.apiserver.admission.node_restriction import NodeRestriction
from control_plane.apiserver.admission.plugin import (
    AdmissionContext,
    AdmissionRequest,
    MutatingPlugin,
    Plugin,
    PluginNames,
    ValidatingPlugin,
)
from control_plane.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from control_plane.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from control_plane.apiserver.admission.priority import Priority
from control_plane.apiserver.admission.service_account import ServiceAccount
from control_plane.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from control_plane.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from control_plane.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook
from kube.process.config import ConfigError

# Upstream's AllOrderedPlugins. Webhooks and, after them, ResourceQuota come last: they must see what the others filled in.
ADMISSION_CHAIN: Final[tuple[type[Plugin], ...]] = (
    NamespaceLifecycle,             # first: the cheapest refusal, and nothing below need ask whether the namespace is there
    ServiceAccount,
    NodeRestriction,                # after ServiceAccount, which leaves mirror Pods alone
    TaintNodesByCondition,
    Priority,
    DefaultTolerationSeconds,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    MutatingAdmissionPolicy,
    MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionWebhook,
)


class AdmissionChain:
    """The plugins that are on. All are by default, NodeRestriction too (kubeadm's choice)."""

    def __init__(self, context: AdmissionContext, *, enable: PluginNames = (), disable: PluginNames = ()) -> None:
        """Raises ConfigError for an unknown name, or one that is both on and off."""
        enabled, disabled = tuple(enable), frozenset(disable)
        known = [plugin.name for plugin in ADMISSION_CHAIN]
        for option, names in (("enable_admission_plugins", enabled), ("disable_admission_plugins", disabled)):
            for name in names:
                if name not in known:
                    raise ConfigError(f"{option}: plugin {name!r} is unknown, known are {', '.join(known)}")
        if both := sorted(disabled.intersection(enabled)):
            raise ConfigError(f"{both[0]!r} is in enable_admission_plugins and in disable_admission_plugins")
        plugins = [plugin(context) for plugin in ADMISSION_CHAIN if plugin.name not in disabled]
        self.names = tuple(plugin.name for plugin in plugins)
        self._mutating = [plugin for plugin in plugins if isinstance(plugin, MutatingPlugin)]
        self._validating = [plugin for plugin in plugins if isinstance(plugin, ValidatingPlugin)]

    async def admit(self, request: AdmissionRequest) -> None:
        """Mutating plugins, in order; may change `request.obj`. Call inside the compare-and-swap loop, before validation."""
        await self._admit(request)
        if request.wants_second_round:      # what webhooks put in is to be defaulted and checked as what the client sent
            request.second_round = True
            await self._admit(request)

    async def _admit(self, request: AdmissionRequest) -> None:
        for plugin in self._mutating:
            if plugin.handles(request.operation):
                await plugin.admit(request)

    async def validate(self, request: AdmissionRequest) -> None:
        """Validating plugins, in order. Call after the object's own validation."""
        for plugin in self._validating:
            if plugin.handles(request.operation):
                await plugin.validate(request)
