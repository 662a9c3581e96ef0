"""What gives a Pod its identity in files: trust anchors, certificates of its own, and who may read them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from kube.api.certificates_v1 import ClusterTrustBundle, ClusterTrustBundleSpec, PodCertificateRequest, PodCertificateRequestStatus
from kube.api.core_v1 import (
    ClusterTrustBundleProjection,
    Node,
    Pod,
    PodCertificateProjection,
    PodSecurityContext,
    ProjectedVolumeSource,
    SecurityContext,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from kube.api.meta_v1 import Condition, LabelSelector, ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import to_rfc3339
from node_agent.volumes.payloads import volume_payload
from node_agent.volumes.plugin import VolumeError
from node_agent.volumes.pod_certificates import ABANDON_S, JITTER_S, PodCertificates, key_and_proof
from node_agent.volumes.trust_bundles import TrustAnchors, certificate_pem, pem_blocks
from tests.support.memory_transport import MemoryTransport
from tests.support.pods import UID, container, pod
from tests.unit.test_volumes_files import ManualClock, Objects

SIGNER = "example.com/mesh"
PROJECTION = PodCertificateProjection(
    signer_name=SIGNER, key_type="ED25519", credential_bundle_path="bundle.pem", user_annotations={"a.b/c": "d"},
)


def bundle(name: str, *anchors: bytes, signer: str = "", **labels: str) -> ClusterTrustBundle:
    text = "said before\n" + "between\n".join(certificate_pem(anchor).decode() for anchor in anchors)
    return ClusterTrustBundle(
        metadata=ObjectMeta(name=name, labels=labels), spec=ClusterTrustBundleSpec(signer_name=signer, trust_bundle=text))


BUNDLES = (
    bundle("plain", b"one" * 40, b"two", b"two"), bundle("e.c:m:1", b"three", signer=SIGNER, stage="live"),
    bundle("e.c:m:2", b"four", b"three", signer=SIGNER, stage="test"), bundle("other", b"five", signer="example.com/other", stage="live"),
)


@pytest.mark.parametrize(("projection", "anchors"), [
    pytest.param(ClusterTrustBundleProjection(name="plain"), {b"one" * 40, b"two"}, id="by name, without doubles"),
    pytest.param(ClusterTrustBundleProjection(name="none", optional=True), set(), id="optional"),
    pytest.param(
        ClusterTrustBundleProjection(signer_name=SIGNER, label_selector=LabelSelector()), {b"three", b"four"}, id="all of a signer"),
    pytest.param(
        ClusterTrustBundleProjection(signer_name=SIGNER, label_selector=LabelSelector(match_labels={"stage": "live"})), {b"three"},
        id="by labels"),
    pytest.param(ClusterTrustBundleProjection(signer_name=SIGNER, optional=True), set(), id="no selector selects nothing"),
])
def test_trust_anchors(projection: ClusterTrustBundleProjection, anchors: set[bytes]) -> None:
    chosen = TrustAnchors()
    text = chosen.select(projection, BUNDLES)

    found = list(pem_blocks(text.decode()))
    assert len(found) == len(anchors) and set(found) == anchors
    assert chosen.select(projection, tuple(reversed(BUNDLES))) == text


@pytest.mark.parametrize(("projection", "message"), [
    (
        ClusterTrustBundleProjection(name="none"),
        'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "none" not found',
    ),
    (
        ClusterTrustBundleProjection(signer_name="example.com/none", label_selector=LabelSelector()),
        "combination of signerName and labelSelector matched zero ClusterTrustBundles",
    ),
])
def test_trust_anchors_that_are_not_there(projection: ClusterTrustBundleProjection, message: str) -> None:
    with pytest.raises(VolumeError) as error:
        TrustAnchors().select(projection, BUNDLES)

    assert str(error.value) == message


@pytest.mark.parametrize(("spec", "mode", "uid"), [
    pytest.param({}, 0o644, None, id="anybody"),
    pytest.param({"security_context": PodSecurityContext(fs_group=5)}, 0o600, None, id="fsGroup"),
    pytest.param({"security_context": PodSecurityContext(run_as_user=7)}, 0o600, 7, id="one user"),
])
async def test_who_may_read_what_a_pod_is_known_by(spec: dict[str, Any], mode: int, uid: int | None) -> None:
    sources = (
        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token")),
        VolumeProjection(cluster_trust_bundle=ClusterTrustBundleProjection(path="ca.pem", name="plain")),
        VolumeProjection(pod_certificate=PodCertificateProjection(
            credential_bundle_path="both.pem", key_path="key.pem", certificate_chain_path="chain.pem")),
    )
    wanted = pod(**spec)

    payload = await volume_payload(wanted, Volume(name="v", projected=ProjectedVolumeSource(sources=sources)), Objects())

    assert {content[1:] for content in payload.values()} == {(mode, uid)}
    assert payload["both.pem"].data == payload["key.pem"].data + payload["chain.pem"].data == b"key v/2\nchain\n"


async def test_two_users_are_no_one_user() -> None:
    wanted = pod(container("a", security_context=SecurityContext(run_as_user=1)), container("b"))
    volume = Volume(projected=ProjectedVolumeSource(
        sources=(VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token")),)))

    assert (await volume_payload(wanted, volume, Objects()))["token"][1:] == (0o644, None)


@dataclass
class Signing:
    """A kubelet's part, a signer's part and the time between."""

    client: Client
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[tuple[str, str]] = field(default_factory=list)
    pod: Pod = field(default_factory=lambda: replace(pod(service_account_name="robot")))

    def __post_init__(self) -> None:
        self.certificates = PodCertificates(
            self.client, "node1", self.find, lambda _, reason, message: self.told.append((reason, message)), self.clock)

    async def find(self, namespace: str, name: str) -> PodCertificateRequest | None:
        try:
            return await self.client.get(PodCertificateRequest, NamespacedName(namespace, name))
        except errors.NotFound:
            return None

    async def requests(self) -> list[PodCertificateRequest]:
        return sorted((await self.client.list(PodCertificateRequest)).items, key=lambda one: int(one.metadata.resource_version))

    async def answer(self, kind: str = "Issued", chain: bytes = b"leaf", life_s: int = 7200, message: str = "") -> None:
        (request,) = [one for one in await self.requests() if not one.status.conditions]
        now = self.clock.now()
        status = PodCertificateRequestStatus(conditions=(Condition(type=kind, status="True", reason="Why", message=message),))
        if kind == "Issued":
            status = replace(
                status, certificate_chain="noise\n" + certificate_pem(chain).decode(), not_before=to_rfc3339(now),
                not_after=to_rfc3339(now + timedelta(seconds=life_s)), begin_refresh_at=to_rfc3339(now + timedelta(seconds=life_s // 2)))
        await self.client.update_status(replace(request, status=status))

    async def get(self) -> tuple[bytes, bytes]:
        return await self.certificates.credentials(self.pod, "v", 0, PROJECTION)

    async def waits(self) -> None:
        with pytest.raises(VolumeError, match=r"^credential bundle is not issued yet$"):
            await self.get()


@pytest.fixture
async def signing() -> AsyncIterator[Signing]:
    async with Client(MemoryTransport()) as client:
        await client.create(Node(metadata=ObjectMeta(name="node1")))
        await client.create(ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default")))
        yield Signing(client)


async def test_a_pod_gets_its_certificate(signing: Signing) -> None:
    await signing.waits()
    await signing.waits()
    (request,) = await signing.requests()
    await signing.answer()

    key_pem, chain = await signing.get()

    spec = request.spec
    assert (spec.pod_name, spec.pod_uid, spec.node_name, spec.service_account_name) == ("web", UID, "node1", "robot")
    assert spec.node_uid and spec.service_account_uid and spec.unverified_user_annotations == {"a.b/c": "d"}
    assert [(owner.kind, owner.uid) for owner in request.metadata.owner_references] == [("Pod", UID)]
    proof = x509.load_der_x509_csr(base64.b64decode(spec.stub_pkcs10_request))
    key = serialization.load_pem_private_key(key_pem, None)
    raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert proof.is_signature_valid and not list(proof.subject)
    assert proof.public_key().public_bytes(*raw) == key.public_key().public_bytes(*raw)
    assert chain == certificate_pem(b"leaf")


async def test_it_is_renewed_when_the_signer_says_and_used_until_then(signing: Signing) -> None:
    await signing.waits()
    await signing.answer(chain=b"first")
    first = await signing.get()
    await signing.clock.sleep(3600 + JITTER_S)

    assert await signing.get() == first
    assert len(await signing.requests()) == 2
    await signing.answer(chain=b"second")
    second = await signing.get()

    assert second[1] == certificate_pem(b"second") and second[0] != first[0]
    assert signing.told == []


async def test_what_is_late_is_told_once(signing: Signing) -> None:
    await signing.waits()
    await signing.answer()
    await signing.get()
    for _ in range(3):
        await signing.clock.sleep(7200)
        await signing.get()

    assert signing.told == [
        ("CertificateOverdueForRefresh", "PodCertificate refresh overdue"), ("CertificateExpired", "PodCertificate expired")]
    assert len(await signing.requests()) == 2


@pytest.mark.parametrize(("kind", "did"), [("Denied", "was denied"), ("Failed", "failed")])
async def test_a_refusal_stands(signing: Signing, kind: str, did: str) -> None:
    await signing.waits()
    (request,) = await signing.requests()
    await signing.answer(kind, message='no "mesh"')

    for _ in range(2):
        with pytest.raises(VolumeError) as error:
            await signing.get()
        assert str(error.value) == f'PodCertificateRequest was permanently {kind.lower()}: reason="Why" message="no \\"mesh\\""'

    assert signing.told == [
        (kind, f'PodCertificateRequest default/{request.metadata.name} {did}, reason="Why" message="no \\"mesh\\""')]
    assert len(await signing.requests()) == 1


async def test_a_request_that_was_deleted_is_made_again(signing: Signing) -> None:
    await signing.waits()
    (request,) = await signing.requests()
    await signing.client.delete(PodCertificateRequest, NamespacedName("default", request.metadata.name))
    await signing.waits()
    assert await signing.requests() == []
    await signing.clock.sleep(ABANDON_S + JITTER_S + 1)
    await signing.waits()

    assert len(await signing.requests()) == 1


@pytest.mark.parametrize("key_type", ["ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072"])
def test_kinds_of_keys(key_type: str) -> None:
    pem, proof = key_and_proof(key_type)

    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert x509.load_der_x509_csr(proof).is_signature_valid


def test_an_unknown_kind_of_key() -> None:
    with pytest.raises(VolumeError, match='unknown key type "DSA"'):
        key_and_proof("DSA")
