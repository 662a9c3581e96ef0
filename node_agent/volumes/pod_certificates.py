"""Certificates that Pods have of their own (KEP-4317): asked for by PodCertificateRequest, renewed when the signer says so.

    (nothing) ── key made, request created ──► asked ──► issued ── beginRefreshAt ──► issued, asked anew ──► issued
                                                └──────► denied, failed: for ever ◄──────────┘

Keys never leave the node, and are in memory and in the Pod's tmpfs alone: a kubelet that was started again asks for new ones, as upstream.
Nothing runs here by itself: each set-up and each refresh of the volume is a step. Follows pkg/kubelet/podcertificate.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from kube.api.certificates_v1 import PodCertificateRequest, PodCertificateRequestSpec
from kube.api.core_v1 import Node, Pod, PodCertificateProjection, ServiceAccount
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.go_text import go_quoted
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import Clock, from_rfc3339
from node_agent.volumes.plugin import VolumeError
from node_agent.volumes.trust_bundles import certificate_pem, pem_blocks

ABANDON_S = 600.0              # a request not seen for so long has been deleted
OVERDUE_S = 600.0
JITTER_S = 300.0
NOT_ISSUED = "credential bundle is not issued yet"

# Request by namespace and name, None if there is none (now).
Find = Callable[[str, str], Awaitable[PodCertificateRequest | None]]
# Pod, reason, message of a Warning event.
Tell = Callable[[Pod, str, str], object]


class _Key(NamedTuple):
    pod_uid: str
    volume: str
    source: int


@dataclass(slots=True)
class _Asked:
    key_pem: bytes
    name: str
    abandon_at: float


@dataclass(slots=True)
class _Held:
    key_pem: bytes
    chain: bytes
    refresh_at: float
    not_after: float
    told_overdue: bool = False
    told_expired: bool = False


@dataclass(slots=True)
class _Record:
    """Of one projection."""

    held: _Held | None = None
    asked: _Asked | None = None
    refused: str = ""


class PodCertificates:
    def __init__(self, client: Client, node_name: str, find: Find, tell: Tell, clock: Clock) -> None:
        self._client = client
        self._node_name = node_name
        self._find = find
        self._tell = tell
        self._clock = clock
        self._records: dict[_Key, _Record] = {}

    async def credentials(self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection) -> tuple[bytes, bytes]:
        """Key and certificates, PEM. Raises VolumeError while there are none, and for ever if the signer has refused."""
        record = self._records.setdefault(_Key(pod.metadata.uid, volume, index), _Record())
        if not record.refused:
            await self._step(record, pod, projection)
        if record.refused:
            raise VolumeError(record.refused)
        if record.held is None:
            raise VolumeError(NOT_ISSUED)
        return record.held.key_pem, record.held.chain

    def forget(self, pod_uid: str) -> None:
        for key in [key for key in self._records if key.pod_uid == pod_uid]:
            del self._records[key]

    async def _step(self, record: _Record, pod: Pod, projection: PodCertificateProjection) -> None:
        now = self._clock.now().timestamp()
        if record.asked is not None:
            await self._look(record, pod, now)
        if record.held is not None:
            self._complain(record.held, pod, now)
        due = record.held is None or now >= record.held.refresh_at
        if record.asked is None and due and not record.refused:
            try:
                record.asked = await self._ask(pod, projection, now)
            except errors.ApiError:
                if record.held is None:
                    raise

    async def _look(self, record: _Record, pod: Pod, now: float) -> None:
        asked = record.asked
        assert asked is not None
        request = await self._find(pod.metadata.namespace, asked.name)
        if request is None:
            if now > asked.abandon_at:
                record.asked = None
            return
        for condition in request.status.conditions:
            if condition.type in ("Denied", "Failed"):
                how = f"reason={go_quoted(condition.reason)} message={go_quoted(condition.message)}"
                record.refused = f"PodCertificateRequest was permanently {condition.type.lower()}: {how}"
                record.asked = None
                did = "was denied" if condition.type == "Denied" else "failed"
                self._tell(pod, condition.type, f"PodCertificateRequest {pod.metadata.namespace}/{asked.name} {did}, {how}")
                return
            if condition.type == "Issued":
                refresh_at = from_rfc3339(request.status.begin_refresh_at).timestamp() + random.uniform(0, JITTER_S)
                chain = b"".join(map(certificate_pem, pem_blocks(request.status.certificate_chain)))
                record.held = _Held(asked.key_pem, chain, refresh_at, from_rfc3339(request.status.not_after).timestamp())
                record.asked = None
                return

    def _complain(self, held: _Held, pod: Pod, now: float) -> None:
        if now > held.refresh_at + OVERDUE_S and not held.told_overdue:
            held.told_overdue = True
            self._tell(pod, "CertificateOverdueForRefresh", "PodCertificate refresh overdue")
        if now > held.not_after and not held.told_expired:
            held.told_expired = True
            self._tell(pod, "CertificateExpired", "PodCertificate expired")

    async def _ask(self, pod: Pod, projection: PodCertificateProjection, now: float) -> _Asked:
        metadata, spec = pod.metadata, pod.spec
        account, node, (key_pem, proof) = await asyncio.gather(
            self._client.get(ServiceAccount, NamespacedName(metadata.namespace, spec.service_account_name)),
            self._client.get(Node, NamespacedName("", self._node_name)),
            asyncio.to_thread(key_and_proof, projection.key_type),
        )
        request = await self._client.create(PodCertificateRequest(
            metadata=ObjectMeta(
                namespace=metadata.namespace, generate_name="req-",
                owner_references=(OwnerReference(api_version="v1", kind="Pod", name=metadata.name, uid=metadata.uid),),
            ),
            spec=PodCertificateRequestSpec(
                signer_name=projection.signer_name, pod_name=metadata.name, pod_uid=metadata.uid,
                service_account_name=spec.service_account_name, service_account_uid=account.metadata.uid,
                node_name=self._node_name, node_uid=node.metadata.uid, max_expiration_seconds=projection.max_expiration_seconds,
                stub_pkcs10_request=base64.b64encode(proof).decode(), unverified_user_annotations=projection.user_annotations,
            ),
        ))
        return _Asked(key_pem, request.metadata.name, now + ABANDON_S + random.uniform(0, JITTER_S))


def key_and_proof(key_type: str) -> tuple[bytes, bytes]:
    """A new private key (PKCS#8, PEM), and a PKCS#10 request (DER) without a word in it, signed by it. Takes seconds for RSA4096."""
    from cryptography import x509  # heavy, and few Pods need it
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = hashes.SHA256()
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if key_type in ("RSA3072", "RSA4096"):
        key = rsa.generate_private_key(65537, int(key_type.removeprefix("RSA")))
    elif key_type == "ECDSAP256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif key_type == "ECDSAP384":
        key, digest = ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()
    elif key_type == "ECDSAP521":
        key, digest = ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()
    elif key_type == "ED25519":
        key, digest = ed25519.Ed25519PrivateKey.generate(), None
    else:
        raise VolumeError(f'while creating initial PodCertificateRequest: while generating keypair: unknown key type "{key_type}"')
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, request.public_bytes(serialization.Encoding.DER)
