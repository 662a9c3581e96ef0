"""PodCertificateRequests: made once by a kubelet, answered once by a signer. Follows ValidatePodCertificateRequest* of upstream's
pkg/apis/certificates/validation. Whether the writer may sign is asked by admission (certificate_signing.py).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.certificates import validate_signer_name
from control_plane.pem import pem_blocks
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_subdomain_problems,
    each,
    invalid,
    invalid_whole,
    not_supported,
    qualified_name_problems,
    required,
    too_long,
)
from kube.process.clock import from_rfc3339

HOUR_S: Final = 3600
MAX_SECONDS, MAX_SECONDS_OF_KUBERNETES = 91 * 24 * HOUR_S, 24 * HOUR_S
TERMINAL: Final = ("Issued", "Denied", "Failed")
_REQUEST, _CHAIN = "spec.stubPKCS10Request", "status.certificateChain"
_MAX_REQUEST, _MAX_CHAIN, _MAX_UID, _MAX_ANNOTATIONS = 10 * 1024, 100 * 1024, 128, 256 * 1024
_MARGIN, _NEAR = timedelta(minutes=10), timedelta(minutes=5)


class PodCertificateRequestStrategy(Strategy):
    allows_update_without_version = False

    def default(self, obj: JsonObject) -> None:
        if isinstance(spec := obj.get("spec"), dict) and spec.get("maxExpirationSeconds") is None:
            spec["maxExpirationSeconds"] = MAX_SECONDS_OF_KUBERNETES

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return [] if old is not None else _new_causes(obj.get("spec") or {})

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        same = (obj.get("spec") or {}) == (old.get("spec") or {})
        return [] if same else [invalid("spec", obj.get("spec"), "field is immutable")]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        causes = _condition_causes(status.get("conditions") or [])
        if causes:
            return causes
        if decision_of(before):
            why = "immutable after PodCertificateRequest is issued, denied, or failed"
            return [] if status == before else [invalid_whole("status", why)]
        decision = decision_of(status)
        if decision == "Issued":
            return _issued_causes(status, old.get("spec") or {})
        if decision:
            why = "non-condition status fields must be empty when denying or failing the PodCertificateRequest"
            return [invalid_whole("status", why)] if any(value for key, value in status.items() if key != "conditions") else []
        why = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'
        return [] if status == before else [invalid_whole("status", why)]

    def fields(self, obj: JsonObject) -> dict[str, str]:
        """Namespaces are told apart by the path alone."""
        return {"metadata.name": obj["metadata"].get("name", ""), **self.own_fields(obj)}

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec = obj.get("spec") or {}
        return {f"spec.{key}": spec.get(key) or "" for key in ("signerName", "podName", "nodeName")}


def now() -> datetime:
    return datetime.now(UTC)


def decision_of(status: JsonObject) -> str:
    """Issued, Denied, Failed, or ""."""
    conditions = status.get("conditions") or []
    return next((one["type"] for one in conditions if one.get("type") in TERMINAL and one.get("status") == "True"), "")


def longest_s(signer: str) -> int:
    """What a certificate of this signer may be asked for at most, in seconds."""
    domain = signer.partition("/")[0]
    return MAX_SECONDS_OF_KUBERNETES if domain == "kubernetes.io" or domain.endswith(".kubernetes.io") else MAX_SECONDS


def user_annotation_causes(annotations: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in annotations:
        problems = qualified_name_problems(key.lower())
        if not problems and "/" not in key:
            problems = ['must be a domain-prefixed key (such as "acme.io/foo")']
        causes += each(path, key.lower(), problems)
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
    return [*causes, too_long(path, _MAX_ANNOTATIONS)] if size > _MAX_ANNOTATIONS else causes


def _new_causes(spec: JsonObject) -> list[Cause]:
    signer, seconds = spec.get("signerName") or "", spec.get("maxExpirationSeconds")
    causes = validate_signer_name(signer, "spec.signerName")
    causes += user_annotation_causes(spec.get("unverifiedUserAnnotations") or {}, "spec.unverifiedUserAnnotations")
    for what in ("pod", "serviceAccount", "node"):
        name, uid = spec.get(f"{what}Name") or "", spec.get(f"{what}UID") or ""
        causes += each(f"spec.{what}Name", name, dns_subdomain_problems(name))
        causes += [] if uid else [invalid(f"spec.{what}UID", uid, "must not be empty")]
        causes += [too_long(f"spec.{what}UID", _MAX_UID)] if len(uid) > _MAX_UID else []
    if seconds is None:
        return [*causes, required("spec.maxExpirationSeconds", "must be set")]
    longest = longest_s(signer)
    if not HOUR_S <= seconds <= longest:
        causes.append(invalid("spec.maxExpirationSeconds", seconds, f"must be in the range [{HOUR_S}, {longest}]"))
    if not spec.get("stubPKCS10Request"):
        why = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"
        return [*causes, invalid_whole("spec", why)]
    return causes + _request_causes(spec["stubPKCS10Request"])


def _request_causes(encoded: str) -> list[Cause]:
    try:
        der = base64.b64decode(encoded)
    except ValueError:
        return [invalid_whole(_REQUEST, "must be a valid PKCS#10 CSR")]
    if len(der) > _MAX_REQUEST:
        return [too_long(_REQUEST, _MAX_REQUEST)]
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
    except Exception:                # a stranger's bytes: the library has many ways to say no
        return [invalid_whole(_REQUEST, "must be a valid PKCS#10 CSR")]
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)):
            return [invalid(_REQUEST, f"curve {key.curve.name}", "elliptic public keys must use curve P256, P384, or P521")]
    elif isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in (3072, 4096):
            return [invalid(_REQUEST, f"{key.key_size}-bit modulus", "RSA keys must have modulus size 3072 or 4096")]
    elif not isinstance(key, ed25519.Ed25519PublicKey):
        return [invalid_whole(_REQUEST, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")]
    return [] if request.is_signature_valid else [invalid_whole(_REQUEST, "invalid signature")]


def _condition_causes(conditions: Sequence[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    known = 0
    for index, condition in enumerate(conditions):
        path, kind, status = f"status.conditions[{index}]", condition.get("type") or "", condition.get("status") or ""
        if kind not in TERMINAL:
            causes.append(not_supported(f"{path}.type", kind, TERMINAL))
            continue
        known += 1
        if known > 1:
            causes.append(invalid(f"{path}.type", kind, 'There may be at most one condition with type "Issued", "Denied", or "Failed"'))
        if status != "True":
            causes.append(not_supported(f"{path}.status", status, ("True",)))
        if not condition.get("reason"):
            causes.append(required(f"{path}.reason", ""))
        if not condition.get("lastTransitionTime"):
            causes.append(required(f"{path}.lastTransitionTime"))
    return causes


def _issued_causes(status: JsonObject, spec: JsonObject) -> list[Cause]:
    text = status.get("certificateChain") or ""
    if len(text) > _MAX_CHAIN:
        return [too_long(_CHAIN, _MAX_CHAIN)]
    blocks = list(pem_blocks(text.encode()))
    if not blocks:
        return [invalid(_CHAIN, text, "issued certificate chain must contain at least one certificate")]
    certificates: list[x509.Certificate] = []
    for index, block in enumerate(blocks):
        if block.label != "CERTIFICATE":
            return [invalid(_CHAIN, text, "issued certificate chain must consist entirely of CERTIFICATE PEM blocks")]
        try:
            certificates.append(x509.load_der_x509_certificate(block.der))
        except (ValueError, TypeError):
            which = "intermediate" if index else "leaf"
            return [invalid(_CHAIN, text, f"{which} certificate does not parse as valid X.509")]
    leaf, request = certificates[0], x509.load_der_x509_csr(base64.b64decode(spec["stubPKCS10Request"]))
    if _spki(leaf.public_key()) != _spki(request.public_key()):
        return [invalid(_CHAIN, text, "leaf certificate was not issued to the requested public key")]
    return _time_causes(status, leaf, spec)


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _time_causes(status: JsonObject, leaf: x509.Certificate, spec: JsonObject) -> list[Cause]:
    """Only the first that is wrong."""
    issued = "must be present and consistent with the issued certificate"
    missing = [required(f"status.{key}", issued) for key in ("notBefore", "notAfter") if not status.get(key)]
    if not status.get("beginRefreshAt"):
        missing.append(required("status.beginRefreshAt", "must be present and in the range [notbefore+10min, notafter-10min]"))
    if missing:
        return missing
    begin, end, refresh = (from_rfc3339(status[key]) for key in ("notBefore", "notAfter", "beginRefreshAt"))
    starts, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    life, longest = ends - starts, spec.get("maxExpirationSeconds") or 0
    rules: tuple[tuple[bool, str, Any, str], ...] = (
        (begin == starts, "notBefore", status["notBefore"], "must be set to the NotBefore time encoded in the leaf certificate"),
        (abs(begin - now()) <= _NEAR, "notBefore", status["notBefore"],
         "must be set to within 5 minutes of kube-apiserver's current time"),
        (end == ends, "notAfter", status["notAfter"], "must be set to the NotAfter time encoded in the leaf certificate"),
        (life >= timedelta(hours=1), "certificateChain", int(life.total_seconds()), "leaf certificate lifetime must be >= 1 hour"),
        (life <= timedelta(seconds=longest), "certificateChain", int(life.total_seconds()),
         f"leaf certificate lifetime must be <= spec.maxExpirationSeconds ({longest})"),
        (refresh >= begin + _MARGIN, "beginRefreshAt", status["beginRefreshAt"], "must be at least 10 minutes after status.notBefore"),
        (refresh <= end - _MARGIN, "beginRefreshAt", status["beginRefreshAt"], "must be at least 10 minutes before status.notAfter"),
    )
    return next(([invalid(f"status.{key}", value, why)] for right, key, value, why in rules if not right), [])
