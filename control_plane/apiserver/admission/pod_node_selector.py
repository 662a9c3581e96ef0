"""A namespace's node selector becomes its Pods', and limits what they may select."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from control_plane.apiserver.admission.lookup import NAMESPACES, PODS, annotations_of, find, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.errors import ApiError, not_found
from kube.apimachinery.scheme import GroupResource
from kube.apimachinery.validation import label_value_problems, qualified_name_problems
from kube.process.config import ConfigError

ANNOTATION: Final = "scheduler.alpha.kubernetes.io/node-selector"
CLUSTER_DEFAULT: Final = "clusterDefaultNodeSelector"


class _Configuration(msgspec.Struct, frozen=True, rename="camel"):
    """Selectors as text ("a=b,c=d"): of namespaces, and what holds where a namespace is not annotated."""

    pod_node_selector_plugin_config: dict[str, str] = {}


class PodNodeSelector:
    """Follows kube-apiserver's PodNodeSelector."""

    name: ClassVar[str] = "PodNodeSelector"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._namespaces = row_of("", "namespaces")
        try:
            read = msgspec.convert(context.configuration.get(self.name) or {}, _Configuration)
            self._selectors = {name: labels_of(text) for name, text in read.pod_node_selector_plugin_config.items()}
        except (msgspec.ValidationError, ValueError) as error:
            raise ConfigError(f"{self.name}: {error}") from error

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.setdefault("spec", {})
        theirs = await self._of_namespace(request)
        own = spec.get("nodeSelector") or {}
        if _conflict(theirs, own):
            raise request.forbidden("pod node label selector conflicts with its namespace node label selector")
        if theirs:
            spec["nodeSelector"] = {**theirs, **own}
        await self.validate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        own = (request.obj.get("spec") or {}).get("nodeSelector") or {}
        if _conflict(await self._of_namespace(request), own):
            raise request.forbidden("pod node label selector conflicts with its namespace node label selector")
        allowed = self._selectors.get(request.namespace, {})
        if allowed and not own.items() <= allowed.items():
            raise request.forbidden("pod node label selector labels conflict with its namespace whitelist")

    async def _of_namespace(self, request: AdmissionRequest) -> dict[str, str]:
        namespace = await find(self._cache, self._namespaces, request.namespace)
        if namespace is None:
            raise not_found(NAMESPACES, request.namespace)
        text = annotations_of(namespace).get(ANNOTATION)
        if text is None:
            return self._selectors.get(CLUSTER_DEFAULT, {})
        try:
            return labels_of(text)
        except ValueError as error:
            raise ApiError(str(error)) from error


def labels_of(selector: str) -> dict[str, str]:
    """Of "a=b,c=d". Raises ValueError, with upstream's words."""
    found: dict[str, str] = {}
    for part in selector.split(",") if selector else ():
        pair = part.split("=")
        if len(pair) != 2:
            raise ValueError(f"invalid selector: [{' '.join(pair)}]")
        key, value = pair[0].strip(), pair[1].strip()
        if problems := [*qualified_name_problems(key), *label_value_problems(value)]:
            raise ValueError(f"{key}: {problems[0]}")
        found[key] = value
    return found


def _conflict(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return any(other.get(key, value) != value for key, value in one.items())
