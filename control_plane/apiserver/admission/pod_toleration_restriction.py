"""A namespace's tolerations become its Pods', and limit what they may tolerate."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from control_plane.apiserver.admission.lookup import NAMESPACES, PODS, annotations_of, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.tolerations import Toleration, merged, within
from control_plane.apiserver.strategies.pod_qos import qos_class
from kube.apimachinery.errors import ApiError, not_found
from kube.apimachinery.scheme import GroupResource
from kube.process.config import ConfigError

DEFAULTS: Final = "scheduler.alpha.kubernetes.io/defaultTolerations"
ALLOWED: Final = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_API_VERSION: Final = "podtolerationrestriction.admission.k8s.io/v1alpha1"
_MEMORY_PRESSURE: Final = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}


class _Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What holds where a namespace is not annotated."""

    api_version: str = ""
    kind: str = ""
    default: list[dict[str, Any]] = []
    whitelist: list[dict[str, Any]] = []


class PodTolerationRestriction:
    """Follows kube-apiserver's PodTolerationRestriction."""

    name: ClassVar[str] = "PodTolerationRestriction"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._namespaces = row_of("", "namespaces")
        given = context.configuration.get(self.name)
        try:
            self._of_cluster = msgspec.convert(given or {}, _Configuration)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self.name}: {error}") from error
        if given and (self._of_cluster.api_version, self._of_cluster.kind) != (_API_VERSION, "Configuration"):
            raise ConfigError(f"{self.name}: no kind Configuration of {_API_VERSION}")

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.setdefault("spec", {})
        extra: list[Toleration] = []
        if request.operation is Operation.CREATE:
            of_namespace = await self._of_namespace(request, DEFAULTS)
            extra = list(self._of_cluster.default if of_namespace is None else of_namespace)
        if qos_class(spec) != "BestEffort":
            extra.append(dict(_MEMORY_PRESSURE))
        if extra:
            spec["tolerations"] = merged(spec.get("tolerations") or (), extra)
        await self.validate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        tolerations = (request.obj.get("spec") or {}).get("tolerations") or ()
        if not tolerations:
            return
        of_namespace = await self._of_namespace(request, ALLOWED)
        allowed, whose = (self._of_cluster.whitelist, "cluster") if of_namespace is None else (of_namespace, "namespace")
        if not within(tolerations, allowed):
            # No reason, as upstream: what the plugin returns is no API error.
            raise ApiError(
                f"pod tolerations (possibly merged with namespace default tolerations) conflict with its {whose} whitelist"
            )

    async def _of_namespace(self, request: AdmissionRequest, annotation: str) -> list[Toleration] | None:
        """None if it does not say."""
        namespace = await find(self._cache, self._namespaces, request.namespace)
        if namespace is None:
            raise not_found(NAMESPACES, request.namespace)
        text = annotations_of(namespace).get(annotation)
        if not text:
            return None if text is None else []
        try:
            return msgspec.json.decode(text, type=list[dict[str, Any]])
        except msgspec.DecodeError as error:
            raise ApiError(f"{annotation}: {error}") from error
