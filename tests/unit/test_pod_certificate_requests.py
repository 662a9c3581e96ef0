"""PodCertificateRequests: what may be asked, what may be answered, when they go."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from control_plane.apiserver.strategies import pod_certificate_requests
from control_plane.apiserver.strategies.pod_certificate_requests import PodCertificateRequestStrategy
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.controllers.certificates.pod_request_cleaner import PodCertificateRequestCleaner
from kube.api.certificates_v1 import PodCertificateRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.client.client import Client
from kube.process.clock import to_rfc3339
from tests.support.controllers import eventually, running
from tests.support.memory_transport import MemoryTransport

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(UTC).replace(microsecond=0)


def proof(key: CertificateIssuerPrivateKeyTypes) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


def asked(**spec: Any) -> dict[str, Any]:
    names = {f"{what}{part}": "x" for what in ("pod", "serviceAccount", "node") for part in ("Name", "UID")}
    full = {**names, "signerName": "example.com/mesh", "maxExpirationSeconds": 7200, "stubPKCS10Request": PROOF, **spec}
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest", "metadata": {"name": "r", "namespace": "default"},
        "spec": {key: value for key, value in full.items() if value is not None},
    }


def certificate(key: ec.EllipticCurvePrivateKey = KEY, begin: datetime = NOW, life: timedelta = timedelta(hours=2)) -> str:
    made = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).serial_number(1).public_key(key.public_key())
    signed = made.not_valid_before(begin).not_valid_after(begin + life).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def answered(kind: str = "Issued", **status: Any) -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "reason": "Because", "lastTransitionTime": to_rfc3339(NOW)}
    issued = {
        "certificateChain": certificate(), "notBefore": to_rfc3339(NOW), "notAfter": to_rfc3339(NOW + timedelta(hours=2)),
        "beginRefreshAt": to_rfc3339(NOW + timedelta(hours=1)),
    }
    return {**asked(), "status": {"conditions": [condition], **(issued if kind == "Issued" else {}), **status}}


PROOF = proof(KEY)


@pytest.fixture
def strategy() -> PodCertificateRequestStrategy:
    resource = SCHEME.for_path("certificates.k8s.io", "v1", "podcertificaterequests")
    assert resource is not None
    found = strategy_for(resource)
    assert isinstance(found, PodCertificateRequestStrategy)
    return found


def test_a_day_if_nothing_is_said(strategy: PodCertificateRequestStrategy) -> None:
    request = asked(maxExpirationSeconds=None)
    strategy.default(request)

    assert request["spec"]["maxExpirationSeconds"] == 86400


@pytest.mark.parametrize(("spec", "said"), [
    ({}, ""),
    ({"stubPKCS10Request": proof(rsa.generate_private_key(65537, 3072))}, ""),
    ({"stubPKCS10Request": proof(rsa.generate_private_key(65537, 2048))},
     'spec.stubPKCS10Request: Invalid value: "2048-bit modulus": RSA keys must have modulus size 3072 or 4096'),
    ({"stubPKCS10Request": proof(ec.generate_private_key(ec.SECP224R1()))},
     'spec.stubPKCS10Request: Invalid value: "curve secp224r1": elliptic public keys must use curve P256, P384, or P521'),
    ({"stubPKCS10Request": base64.b64encode(b"words").decode()}, "spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR"),
    ({"stubPKCS10Request": None},
     "spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"),
    ({"maxExpirationSeconds": 3599}, "spec.maxExpirationSeconds: Invalid value: 3599: must be in the range [3600, 7862400]"),
    ({"maxExpirationSeconds": 86401, "signerName": "kubernetes.io/x"},
     "spec.maxExpirationSeconds: Invalid value: 86401: must be in the range [3600, 86400]"),
    ({"podUID": ""}, 'spec.podUID: Invalid value: "": must not be empty'),
    ({"unverifiedUserAnnotations": {"plain": "x"}},
     'spec.unverifiedUserAnnotations: Invalid value: "plain": must be a domain-prefixed key (such as "acme.io/foo")'),
])
def test_what_may_be_asked(strategy: PodCertificateRequestStrategy, spec: dict[str, Any], said: str) -> None:
    assert " | ".join(f"{cause.field}: {cause.message}" for cause in strategy.validate(asked(**spec))) == said


@pytest.mark.parametrize(("new", "said"), [
    pytest.param(answered(), "", id="issued"),
    pytest.param(answered("Denied"), "", id="denied"),
    pytest.param(answered("Denied", certificateChain=certificate()), "non-condition status fields must be empty", id="denied with one"),
    pytest.param(answered("Maybe"), 'supported values: "Issued", "Denied", "Failed"', id="unknown condition"),
    pytest.param(answered(certificateChain=""), "must contain at least one certificate", id="none"),
    pytest.param(
        answered(certificateChain=certificate(ec.generate_private_key(ec.SECP256R1()))), "not issued to the requested public key",
        id="another's key"),
    pytest.param(answered(notAfter=to_rfc3339(NOW)), "must be set to the NotAfter time encoded in the leaf certificate", id="other end"),
    pytest.param(answered(notBefore=""), "must be present and consistent with the issued certificate", id="no begin"),
    pytest.param(
        answered(beginRefreshAt=to_rfc3339(NOW + timedelta(minutes=5))), "must be at least 10 minutes after status.notBefore",
        id="refresh too early"),
    pytest.param(
        answered(certificateChain=certificate(life=timedelta(hours=3)), notAfter=to_rfc3339(NOW + timedelta(hours=3))),
        "leaf certificate lifetime must be <= spec.maxExpirationSeconds (7200)", id="longer than asked"),
    pytest.param({**asked(), "status": {"notBefore": to_rfc3339(NOW)}}, "status is immutable unless transitioning to", id="no decision"),
])
def test_what_may_be_answered(
    strategy: PodCertificateRequestStrategy, new: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_certificate_requests, "now", lambda: NOW + timedelta(minutes=1))
    causes = strategy.validate_status(new, asked())

    assert [said in cause.message for cause in causes] == ([True] if said else [])


def test_an_answer_stands(strategy: PodCertificateRequestStrategy) -> None:
    answer = answered()
    (cause,) = strategy.validate_status(answered("Failed"), answer)

    assert cause.message == "Invalid value: immutable after PodCertificateRequest is issued, denied, or failed"
    assert strategy.validate_status(answer, answer) == []
    (cause,) = strategy.validate_change(asked(podName="other"), asked())
    assert (cause.field, cause.message.endswith("field is immutable")) == ("spec", True)


async def test_they_go_after_a_quarter_of_an_hour() -> None:
    client = Client(MemoryTransport(lambda: datetime.now(UTC) - timedelta(minutes=16)))
    await client.create(msgspec.convert(asked(), PodCertificateRequest))
    async with running(client, PodCertificateRequestCleaner):
        async def gone() -> bool:
            try:
                await client.get(PodCertificateRequest, NamespacedName("default", "r"))
            except errors.NotFound:
                return True
            return False

        await eventually(gone)
