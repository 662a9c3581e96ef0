"""Approves kubelets' serving certificates: the names and addresses asked for are those of the machine that asks.

Upstream leaves this to cloud providers, for only they know whose an address is. Nothing is denied: a cloud may learn of a machine or of
its new address a moment later.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from control_plane.certificate_requests import (
    KUBELET_SERVING,
    NODE_USER_PREFIX,
    NODES_GROUP,
    MalformedRequest,
    kubelet_serving_problem,
    parse_request,
)
from control_plane.cloud.machines import Cloud, CloudError, Machine
from control_plane.controllers.certificates.requests import APPROVED, is_pending, look_again, with_condition
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

MESSAGE: Final = "Auto approving kubelet serving certificate: its names and addresses are the machine's."


def objection(request: CertificateSigningRequest, machines: Mapping[str, Machine]) -> str:
    """Why a request for a serving certificate is not approved, now; "" when it is. Pure."""
    spec = request.spec
    if not spec.username.startswith(NODE_USER_PREFIX) or NODES_GROUP not in spec.groups:
        return f"{spec.username!r} is no node"
    try:
        asked = parse_request(spec.request)
    except MalformedRequest as error:
        return str(error)
    if problem := kubelet_serving_problem(asked, spec.usages):
        return problem
    if asked.common_name != spec.username:
        return f"{spec.username!r} asks for {asked.common_name!r}"
    name = spec.username.removeprefix(NODE_USER_PREFIX)
    machine = machines.get(name)
    if machine is None:
        return f"there is no machine {name!r}"
    if strange := [dns_name for dns_name in asked.dns_names if dns_name != machine.name]:
        return f"{strange[0]!r} is not the name of machine {name!r}"
    own = ipaddress.ip_address(machine.address)
    if others := [address for address in asked.ip_addresses if ipaddress.ip_address(address) != own]:
        return f"{others[0]} is not the address of machine {name!r}, {own} is"
    return ""


class ServingCertificateApprover(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, cloud: Cloud) -> None:
        super().__init__("kubelet-serving-approver", context)
        self._cloud = cloud
        self._requests = self.informer(CertificateSigningRequest)
        self._requests.add_handler(self._on_request, lambda _old, new: self._on_request(new))

    def _on_request(self, request: CertificateSigningRequest) -> None:
        if request.spec.signer_name == KUBELET_SERVING and is_pending(request):
            self.queue.add(key_of(request))

    async def reconcile(self, key: NamespacedName) -> Result:
        request = self._requests.get(key)
        if request is None or not is_pending(request):
            return DONE
        try:
            machines = await self._cloud.machines()
        except CloudError as error:
            raise errors.ServiceUnavailable(str(error)) from error
        if why := objection(request, machines):
            self.log.info("not approved", request=key.name, requester=request.spec.username, why=why)
            return look_again(request, self.clock)
        try:
            await self.client.update(with_condition(request, APPROVED, "AutoApproved", MESSAGE), subresource="approval")
        except errors.NotFound:
            return DONE
        self.log.info("approved", request=key.name, requester=request.spec.username)
        return DONE
