"""Signs approved requests of Kubernetes' own signers with the cluster's CA. Follows upstream's csrsigning, one controller for its four."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import msgspec

from control_plane.certificate_requests import (
    KUBE_APISERVER_CLIENT,
    KUBE_APISERVER_CLIENT_KUBELET,
    KUBELET_SERVING,
    LEGACY_UNKNOWN,
    MalformedRequest,
    RequestedCertificate,
    apiserver_client_problem,
    kubelet_client_problem,
    kubelet_serving_problem,
    parse_request,
)
from control_plane.controllers.certificates.authority import CannotSign, SigningAuthority, granted_lifetime
from control_plane.controllers.certificates.requests import FAILED, is_to_be_signed, with_condition
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.process.config import ConfigError

Rule = Callable[[RequestedCertificate, Sequence[str]], str]

RULES: Final[dict[str, Rule]] = {
    KUBELET_SERVING: kubelet_serving_problem,
    KUBE_APISERVER_CLIENT_KUBELET: kubelet_client_problem,
    KUBE_APISERVER_CLIENT: lambda _asked, usages: apiserver_client_problem(usages),
    LEGACY_UNKNOWN: lambda _asked, _usages: "",
}


class CertificateSigner(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, cert_file: str, key_file: str, longest: timedelta) -> None:
        """Raises ConfigError for files that are no CA. They are read anew for each signature: a CA may be replaced."""
        super().__init__("certificatesigningrequest-signing", context)
        self._files = cert_file, key_file
        self._longest = longest
        SigningAuthority.load(cert_file, key_file)
        self._requests = self.informer(CertificateSigningRequest)
        self._requests.add_handler(self._on_request, lambda _old, new: self._on_request(new))

    def _on_request(self, request: CertificateSigningRequest) -> None:
        if request.spec.signer_name in RULES and is_to_be_signed(request):
            self.queue.add(key_of(request))

    async def reconcile(self, key: NamespacedName) -> Result:
        request = self._requests.get(key)
        if request is None or not is_to_be_signed(request):
            return DONE
        spec = request.spec
        try:
            asked = parse_request(spec.request)
            asked.check_signature()
        except MalformedRequest as error:
            self.log.warning("request cannot be read", request=key.name, error=str(error))
            return DONE
        if problem := RULES[spec.signer_name](asked, spec.usages):
            await self._write(with_condition(request, FAILED, "SignerValidationFailure", problem))
            self.log.info("refused", request=key.name, signer=spec.signer_name, why=problem)
            return DONE
        certificate = self._certificate(request, asked)
        await self._write(msgspec.structs.replace(
            request, status=msgspec.structs.replace(request.status, certificate=base64.b64encode(certificate).decode())))
        self.log.info("signed", request=key.name, signer=spec.signer_name, subject=asked.common_name)
        return DONE

    def _certificate(self, request: CertificateSigningRequest, asked: RequestedCertificate) -> bytes:
        lifetime = granted_lifetime(request.spec.expiration_seconds, self._longest)
        try:
            return SigningAuthority.load(*self._files).sign(asked, request.spec.usages, lifetime, self.clock.now())
        except (CannotSign, ConfigError) as error:      # tried again: a CA may be repaired
            raise errors.InternalError(f"error auto signing csr: {error}") from error

    async def _write(self, request: CertificateSigningRequest) -> None:
        try:
            await self.client.update_status(request)
        except errors.NotFound:
            return
