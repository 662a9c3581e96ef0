"""Every Pod runs under a service account, and finds that account's token in its file system."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from control_plane.apiserver.admission.api_references import refers_to_secrets
from control_plane.apiserver.admission.lookup import annotations_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.authentication.token import WARN_ONLY_EXPIRATION_S
from control_plane.apiserver.authorization.node_graph import MIRROR_ANNOTATION
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource

ENFORCE_MOUNTABLE_SECRETS: Final = "kubernetes.io/enforce-mountable-secrets"
DEFAULT_ACCOUNT: Final = "default"
MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX: Final = "kube-api-access-"
PODS: Final = GroupResource("", "pods")
PATIENCE_S: Final = 1.5          # for the account `default` of a namespace that was just made
POLL_S: Final = 0.02
_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"      # upstream's: no vowels, no words


class ServiceAccount:
    """Follows kube-apiserver's ServiceAccount."""

    name: ClassVar[str] = "ServiceAccount"
    resources: ClassVar[frozenset[GroupResource]] = frozenset({PODS})

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        row = SCHEME.for_path("", "v1", "serviceaccounts")
        assert row is not None
        self._accounts = row

    def handles(self, operation: Operation) -> bool:
        return operation in (Operation.CREATE, Operation.UPDATE)

    async def admit(self, request: AdmissionRequest) -> None:
        if not _is_new_pod(request) or request.obj is None:
            return
        spec: JsonObject = request.obj.setdefault("spec", {})
        if _is_mirror(request.obj):
            self._check_mirror(request, spec)
            return
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._find(request, name)
        if _wants_token(spec, account):
            _mount_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(reference) for reference in account["imagePullSecrets"]]

    async def validate(self, request: AdmissionRequest) -> None:
        if request.operation is Operation.UPDATE and request.subresource == "ephemeralcontainers":
            await self._check_ephemeral(request, (request.obj or {}).get("spec") or {})
        if not _is_new_pod(request) or request.obj is None:
            return
        spec = request.obj.get("spec") or {}
        if _is_mirror(request.obj):
            self._check_mirror(request, spec)
            return
        if not spec.get("serviceAccountName"):
            raise request.forbidden(f"no service account specified for pod {request.namespace}/{request.name}")
        account = await self._find(request, spec["serviceAccountName"])
        if _limits_secrets(account) and (why := _foreign_secret(spec, account)):
            raise request.forbidden(f"{why} because service account {spec['serviceAccountName']} does not reference that "
                                    f"{'imagePullSecret' if why.startswith('imagePull') else 'secret'}")

    async def _check_ephemeral(self, request: AdmissionRequest, spec: JsonObject) -> None:
        name = spec.get("serviceAccountName") or ""
        if not name:
            raise request.forbidden(f"no service account specified for pod {request.namespace}/{request.name}")
        account = await self._find(request, name)
        if _limits_secrets(account) and (why := _secret_of_containers(spec, (("ephemeralContainers", "ephemeral container"),), account)):
            raise ApiError(f"{why} because service account {name} does not reference that secret")      # no reason, as upstream

    def _check_mirror(self, request: AdmissionRequest, spec: JsonObject) -> None:
        if spec.get("serviceAccountName"):
            raise request.forbidden("a mirror pod may not reference service accounts")
        if refers_to_secrets(spec):
            raise request.forbidden("a mirror pod may not reference secrets")
        for volume in spec.get("volumes") or ():
            if any(source.get("serviceAccountToken") for source in (volume.get("projected") or {}).get("sources") or ()):
                raise request.forbidden("a mirror pod may not use ServiceAccountToken volume projections")

    async def _find(self, request: AdmissionRequest, name: str) -> JsonObject:
        key = NamespacedName(request.namespace, name)
        held = self._cache.get(self._accounts, key)
        if held is None:
            await self._cache.fresh()
            held = self._cache.get(self._accounts, key)
        if held is None and name == DEFAULT_ACCOUNT:
            # The controller makes it right after the namespace; who creates both in one go should not be refused.
            loop = asyncio.get_running_loop()
            end = loop.time() + PATIENCE_S
            while held is None and loop.time() < end:
                await asyncio.sleep(POLL_S)
                held = self._cache.get(self._accounts, key)
        if held is None:
            raise request.forbidden(f'error looking up service account {key}: serviceaccount "{name}" not found')
        return held.obj


def _is_new_pod(request: AdmissionRequest) -> bool:
    return request.operation is Operation.CREATE and not request.subresource


def _limits_secrets(account: JsonObject) -> bool:
    """By a deprecated annotation: its Pods may use the Secrets that it lists, and no others."""
    return annotations_of(account).get(ENFORCE_MOUNTABLE_SECRETS) in ("1", "t", "T", "true", "TRUE", "True")


def _foreign_secret(spec: JsonObject, account: JsonObject) -> str:
    """The first use of a Secret that the account does not list, in upstream's words; "" if there is none."""
    allowed = _names(account.get("secrets"))
    for volume in spec.get("volumes") or ():
        if volume.get("secret") is not None and (name := volume["secret"].get("secretName") or "") not in allowed:
            return f'volume with secret.secretName="{name}" is not allowed'
    kinds = (("initContainers", "init container"), ("containers", "container"))
    if why := _secret_of_containers(spec, kinds, account):
        return why
    pulling = _names(account.get("imagePullSecrets"))
    for index, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if (name := reference.get("name") or "") not in pulling:
            return f'imagePullSecrets[{index}].name="{name}" is not allowed'
    return ""


def _secret_of_containers(spec: JsonObject, kinds: Iterable[tuple[str, str]], account: JsonObject) -> str:
    allowed = _names(account.get("secrets"))
    for key, words in kinds:
        for container in spec.get(key) or ():
            variables = container.get("env") or ()
            uses = [(f"envVar {one.get('name', '')}", (one.get("valueFrom") or {}).get("secretKeyRef")) for one in variables]
            uses += [("envFrom", one.get("secretRef")) for one in container.get("envFrom") or ()]
            for how, reference in uses:
                if reference is not None and (name := reference.get("name") or "") not in allowed:
                    return f'{words} {container.get("name", "")} with {how} referencing secret.secretName="{name}" is not allowed'
    return ""


def _names(references: Iterable[JsonObject] | None) -> set[str]:
    return {reference.get("name") or "" for reference in references or ()}


def _is_mirror(pod: JsonObject) -> bool:
    return MIRROR_ANNOTATION in ((pod.get("metadata") or {}).get("annotations") or {})


def _wants_token(spec: JsonObject, account: JsonObject) -> bool:
    wish = spec.get("automountServiceAccountToken")
    return account.get("automountServiceAccountToken", True) is not False if wish is None else bool(wish)


def _mount_token(spec: JsonObject) -> None:
    volumes: list[Any] = spec.get("volumes") or []
    present = next((volume["name"] for volume in volumes if str(volume.get("name", "")).startswith(VOLUME_PREFIX)), None)
    name = present or VOLUME_PREFIX + "".join(random.choices(_SUFFIX_LETTERS, k=5))
    mounted = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = container.get("volumeMounts") or []
        if all(mount.get("mountPath") != MOUNT_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            mounted = True
    if mounted and present is None:
        spec["volumes"] = [*volumes, _token_volume(name)]


def _token_volume(name: str) -> JsonObject:
    return {"name": name, "projected": {"defaultMode": 0o644, "sources": [
        {"serviceAccountToken": {"expirationSeconds": WARN_ONLY_EXPIRATION_S, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}}
