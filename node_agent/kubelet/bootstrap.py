"""How a machine becomes a node: TLS bootstrapping, as after `kubeadm join`.

1. With the bootstrap token the kubelet asks for its client certificate (system:node:NAME). The controller-manager approves and signs.
2. With that it asks for its serving certificate. This takes a cloud that knows the machine, but no Node object: the
   cloud-controller-manager compares the names and addresses asked for with the machine's. Until it knows the machine the kubelet waits.
3. Only then the kubelet starts, and registers its Node: from its first moment on, the apiserver can verify it.

Both are kept over restarts, and renewed when 70 to 90 % of their lifetime has passed. A new one takes effect in a new process: this one
ends, its supervisor starts it again, containers outlive it. The serving certificate need not cover the present address: machines come
back with others, and the apiserver goes by the node's name. Upstream: pkg/kubelet/certificate.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.objects import key_of
from kube.client.rest_transport import RestTransport
from kube.client.transport import EventType
from kube.process.clock import Clock
from kube.process.log import get_logger
from node_agent.kubelet.certificate_files import (
    WantedCertificate,
    client_certificate,
    held_certificate,
    renewal_due,
    serving_certificate,
    write_certificate,
)
from node_agent.kubelet.config import KubeletBootstrap

RETRY_S: Final = 0.2                # doubles per failure
AWAY_CAP_S: Final = 2.0             # while the API does not answer: a cluster that starts is waited for with nothing else to do
REFUSED_CAP_S: Final = 300.0        # every try leaves a request behind, and somebody has said no
WAIT_S: Final = 900.0               # for approval and signature, then it is asked for anew; upstream's certificateWaitTimeout
LOOK_S: Final = 3600.0              # clocks may jump, machines sleep
RENEW_FROM: Final = 0.7
RENEW_UNTIL: Final = 0.9

log = get_logger("kubelet-bootstrap")

Connect = Callable[[], RestTransport]


class RequestRefused(Exception):
    """The request was denied, could not be signed, or has disappeared."""


class NodeCertificates:
    def __init__(self, bootstrap: KubeletBootstrap, node_name: str, node_ip: str, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._clock = clock
        self._client = client_certificate(bootstrap.client_tls.cert_file, node_name)
        self._serving = serving_certificate(bootstrap.serving_tls.cert_file, node_name, node_ip)

    async def ensure(self) -> None:
        """Returns when both certificates are on disk, be it soon or late: what goes wrong is tried again."""
        for wanted, connect in ((self._client, self._with_token), (self._serving, self._as_node)):
            if self._held(wanted) is None:
                await self._obtain(wanted, connect)

    async def renew(self) -> None:
        """Returns when the process must begin anew: with a new certificate, or because the client certificate ran out."""
        client, serving = self._held(self._client), self._held(self._serving)
        if client is None or serving is None:
            return
        share = random.uniform(RENEW_FROM, RENEW_UNTIL)
        wanted, due = min(
            ((self._client, renewal_due(client, share)), (self._serving, renewal_due(serving, share))), key=lambda pair: pair[1])
        while (rest_s := (due - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(min(rest_s, LOOK_S))
        try:
            async with asyncio.timeout((client.not_valid_after_utc - self._clock.now()).total_seconds()):
                await self._obtain(wanted, self._as_node)
        except TimeoutError:
            log.error("the client certificate has expired, joining anew")

    def _held(self, wanted: WantedCertificate) -> x509.Certificate | None:
        return held_certificate(wanted, self._bootstrap.ca_file, self._clock.now())

    def _with_token(self) -> RestTransport:
        return RestTransport.connect(self._bootstrap.server, ca_file=self._bootstrap.ca_file, token_file=self._bootstrap.token_file)

    def _as_node(self) -> RestTransport:
        tls = self._bootstrap.client_tls
        return RestTransport.connect(self._bootstrap.server, ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file)

    async def _obtain(self, wanted: WantedCertificate, connect: Connect) -> None:
        failures, last = 0, ""
        while True:
            try:
                async with Client(connect(), field_manager="kubelet") as client:
                    await self._request(client, wanted)
                log.info("certificate obtained", signer=wanted.signer, file=str(wanted.file))
                return
            except RequestRefused as error:
                cap_s, why = REFUSED_CAP_S, str(error)
            except (errors.ApiError, OSError, ValueError) as error:     # the API, its address, or one of our files is not there yet
                cap_s, why = AWAY_CAP_S, str(error) or type(error).__name__
            if why != last:
                log.warning("no certificate yet, trying again", signer=wanted.signer, error=why)
            last = why
            await self._clock.sleep(min(cap_s, RETRY_S * 2.0 ** min(failures, 20)))
            failures += 1

    async def _request(self, client: Client, wanted: WantedCertificate) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        made = await client.create(wanted.request(key))
        log.info("certificate requested", signer=wanted.signer, request=made.metadata.name)
        try:
            async with asyncio.timeout(WAIT_S):
                chain = await self._issued(client, made)
        except TimeoutError as error:
            raise RequestRefused(f"certificate signing request {made.metadata.name}: nothing within {WAIT_S:g} s") from error
        try:
            write_certificate(wanted.file, key, chain)
        except ValueError as error:
            raise RequestRefused(f"certificate signing request {made.metadata.name}: {error}") from error

    async def _issued(self, client: Client, request: CertificateSigningRequest) -> bytes:
        """Raises RequestRefused. The API may come and go meanwhile."""
        while True:
            try:
                held = await client.get(CertificateSigningRequest, key_of(request))
                if chain := issued_chain(held):
                    return chain
                async with aclosing(client.watch(
                    CertificateSigningRequest, field_selector=f"metadata.name={held.metadata.name}",
                    resource_version=held.metadata.resource_version,
                )) as events:
                    async for event in events:
                        if event.type is EventType.DELETED:
                            break
                        if event.type is not EventType.BOOKMARK and (chain := issued_chain(event.object)):
                            return chain
            except errors.NotFound as error:
                raise RequestRefused(str(error)) from error
            except errors.ApiError as error:
                log.debug("looking at the request again", request=request.metadata.name, error=str(error))
            await self._clock.sleep(RETRY_S)


def issued_chain(request: CertificateSigningRequest) -> bytes:
    """The certificate and perhaps its intermediates, PEM; empty while there is none. Raises RequestRefused."""
    for condition in request.status.conditions:
        if condition.type in ("Denied", "Failed"):
            raise RequestRefused(
                f"certificate signing request {request.metadata.name} is {condition.type}: {condition.reason} {condition.message}".rstrip())
    return base64.b64decode(request.status.certificate)
