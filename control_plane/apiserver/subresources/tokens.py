"""serviceaccounts/token: a token for a service account, bound to a Pod, Secret or Node if the request says so."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.authentication.token import BoundObject, TokenAuthority
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.reader import Reader
from kube.apimachinery.errors import BadRequest, Cause, conflict, invalid
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.process.clock import Clock, to_rfc3339

_DEFAULT_EXPIRATION_S: Final = 3600
_MIN_EXPIRATION_S: Final = 600
_MAX_EXPIRATION_S: Final = 1 << 32
_KIND: Final = GroupVersionKind("authentication.k8s.io", "v1", "TokenRequest")


def _row(plural: str) -> ResourceType:
    row = SCHEME.for_path("", "v1", plural)
    assert row is not None
    return row


_BINDABLE: Final = {kind: _row(plural) for kind, plural in (("Pod", "pods"), ("Secret", "secrets"), ("Node", "nodes"))}


class TokenRequests:
    def __init__(self, reader: Reader, admission: AdmissionChain, tokens: TokenAuthority, clock: Clock) -> None:
        self._reader = reader
        self._admission = admission
        self._tokens = tokens
        self._clock = clock

    async def create(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        _check_identity(call, body.get("metadata") or {})
        account = (await self._reader.get(call)).obj
        request = AdmissionRequest(
            user=call.user, operation=Operation.CREATE, resource=call.resource, subresource="token", namespace=call.namespace,
            name=call.name, obj=body, dry_run=options.dry_run, warnings=call.warnings, annotations=call.annotations,
            options=options.to_object("CreateOptions"),
        )
        await self._admission.admit(request)
        await self._admission.validate(request)
        spec = body.setdefault("spec", {})
        if spec.get("expirationSeconds") is None:
            spec["expirationSeconds"] = _DEFAULT_EXPIRATION_S
        expiration_s = spec["expirationSeconds"]
        _check_expiration(expiration_s)
        longest = self._tokens.max_expiration_s
        if longest and expiration_s > longest:
            call.warnings.append(f"requested expiration of {expiration_s} seconds shortened to {longest} seconds")
            expiration_s = spec["expirationSeconds"] = longest
        reference = spec.get("boundObjectRef")
        issued = self._tokens.issue(
            namespace=call.namespace, name=call.name, uid=account["metadata"]["uid"],
            audiences=tuple(spec.get("audiences") or ()), expiration_s=expiration_s,
            bound=await self._bound(call, reference) if reference else None,
        )
        spec["audiences"] = list(issued.audiences)
        body["metadata"] = {"name": call.name, "namespace": call.namespace, "creationTimestamp": to_rfc3339(self._clock.now())}
        body["status"] = {"token": issued.token, "expirationTimestamp": to_rfc3339(issued.expires_at)}
        return body

    async def _bound(self, call: Call, reference: dict[str, Any]) -> BoundObject:
        kind, name, uid = reference.get("kind", ""), reference.get("name", ""), reference.get("uid", "")
        resource = _BINDABLE.get(kind)
        if resource is None or reference.get("apiVersion") != "v1":
            group, _, version = reference.get("apiVersion", "").rpartition("/")
            raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
        namespace = call.namespace if resource.namespaced else ""
        obj = (await self._reader.get(Call(call.user, "get", resource, namespace, name))).obj
        if kind == "Pod" and obj.get("spec", {}).get("serviceAccountName") != call.name:
            raise BadRequest(f'cannot bind token for serviceaccount "{call.name}" to pod running with different serviceaccount name.')
        held = obj["metadata"].get("uid", "")
        if uid and uid != held:
            raise conflict(
                resource.group_resource, name,
                f"the UID in the bound object reference ({uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated",
            )
        node_name = obj.get("spec", {}).get("nodeName", "") if kind == "Pod" else ""
        return BoundObject(kind, name, held, node_name, await self._uid_of_node(call, node_name))

    async def _uid_of_node(self, call: Call, name: str) -> str:
        if not name:
            return ""
        nodes = _BINDABLE["Node"]
        node = await self._reader.find(Call(call.user, "get", nodes, "", name))
        return node.obj["metadata"].get("uid", "") if node else ""


def _check_identity(call: Call, metadata: JsonObject) -> None:
    for key, held in (("name", call.name), ("namespace", call.namespace)):
        if (sent := metadata.get(key)) and sent != held:
            why = f'Invalid value: "{sent}": must match the service account {key} if specified'
            raise invalid(_KIND, call.name, [Cause("FieldValueInvalid", f"metadata.{key}", why)])


def _check_expiration(seconds: int) -> None:
    field = "spec.expirationSeconds"
    why = ""
    if seconds < _MIN_EXPIRATION_S:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _MAX_EXPIRATION_S:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        raise invalid(_KIND, "", [Cause("FieldValueInvalid", field, f"Invalid value: {seconds}: {why}")])
