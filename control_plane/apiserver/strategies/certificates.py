"""CertificateSigningRequests: what may be asked for, and what an approver and a signer may write.

Follows upstream's pkg/apis/certificates/validation and pkg/registry/certificates/certificates.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.certificate_requests import LEGACY_UNKNOWN, MalformedRequest, parse_request
from control_plane.pem import pem_blocks
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    NameRule,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    path_segment_problems,
    required,
    too_long,
)

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
USAGES: Final = tuple(sorted((
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment", "cert sign",
    "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing", "email protection", "s/mime",
    "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing", "microsoft sgc", "netscape sgc",
)))
_DOMAIN_LENGTH: Final = 253
_SIGNER_LENGTH: Final = _DOMAIN_LENGTH + 1 + 63 + 1 + 253       # DOMAIN/NAMESPACE.NAME
_CONDITIONS: Final = "status.conditions"


class CertificateRequestStrategy(Strategy):
    """The requester's identity is the server's to fill in; the spec never changes. Only /approval decides, only /status issues."""

    looks_at_names_again = False
    status_metadata = OPEN_METADATA

    def name_problems(self, name: str) -> list[str]:
        return path_segment_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        usages, seconds = spec.get("usages") or [], spec.get("expirationSeconds")
        causes = _request_causes(spec.get("request")) if old is None else []
        causes += [] if usages else [required("spec.usages")]
        causes += [not_supported(f"spec.usages[{index}]", usage, USAGES) for index, usage in enumerate(usages) if usage not in USAGES]
        first = {usage: index for index, usage in reversed([*enumerate(usages)])}
        causes += [duplicate(f"spec.usages[{index}]", usage) for index, usage in enumerate(usages) if first[usage] < index]
        causes += _signer_causes(spec.get("signerName") or "", old)
        if seconds is not None and seconds < 600:
            causes.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """Of the object itself or of its approval: both leave the certificate alone, and the former all of the status."""
        return [*_condition_causes(obj, old), *_removal_causes(obj, old)]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes = _condition_causes(obj, old)
        certificate, before = _certificate(obj), _certificate(old)
        if certificate != before:
            causes += _certificate_causes(certificate)
        causes += _removal_causes(obj, old)
        for kind in (APPROVED, DENIED):
            if len(_of_type(obj, kind)) > len(_of_type(old, kind)):
                causes.append(forbidden(_CONDITIONS, f'updates may not add a condition of type "{kind}"'))
        if before and certificate != before:
            causes.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
        return causes

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        obj["spec"] = old.get("spec")

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        """Decisions stay as they were made; one added or removed is for the validation to refuse."""
        conditions = (obj.get("status") or {}).get("conditions") or []
        for kind in (APPROVED, DENIED):
            held, places = _of_type(old, kind), [index for index, one in enumerate(conditions) if one.get("type") == kind]
            if len(held) == len(places):
                for index, condition in zip(places, held, strict=True):
                    conditions[index] = condition

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"spec.signerName": (obj.get("spec") or {}).get("signerName", "")}


def _request_causes(encoded: Any) -> list[Cause]:
    try:
        parse_request(encoded or "").check_signature()
    except MalformedRequest as error:
        return [invalid("spec.request", encoded, str(error))]
    return []


def _signer_causes(name: str, old: JsonObject | None) -> list[Cause]:
    if name == LEGACY_UNKNOWN and old is None:
        return [invalid("spec.signerName", name, "the legacy signerName is not allowed via this API version")]
    return validate_signer_name(name, "spec.signerName")


def validate_signer_name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    if name.count("/") != 1:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    domain, _, rest = name.partition("/")
    causes = [too_long(path, _DOMAIN_LENGTH)] if len(domain) > _DOMAIN_LENGTH else []
    labels = domain.split(".")
    causes += _label_causes(path, domain, labels, dns_label_problems)
    if len(labels) < 2:
        causes.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    causes += _label_causes(path, rest, rest.split("."), dns_subdomain_problems)
    return [*causes, too_long(path, _SIGNER_LENGTH)] if len(name) > _SIGNER_LENGTH else causes


def _label_causes(path: str, value: str, labels: Sequence[str], problems_of: NameRule) -> list[Cause]:
    """Of the first wrong label only."""
    for label in labels:
        if problems := problems_of(label):
            return [invalid(path, value, f'validating label "{label}": {problem}') for problem in problems]
    return []


def _condition_causes(obj: JsonObject, old: JsonObject) -> list[Cause]:
    """What is wrong with the conditions; what was wrong before is let be."""
    causes: list[Cause] = []
    seen: set[str] = set()
    before = [condition.get("type") or "" for condition in _conditions(old)]
    both_before, doubled_before = {APPROVED, DENIED} <= {*before}, len({*before}) < len(before)
    for index, condition in enumerate(_conditions(obj)):
        path, kind, status = f"{_CONDITIONS}[{index}]", condition.get("type") or "", condition.get("status") or ""
        if not kind and "" not in before:
            causes.append(required(f"{path}.type"))
        allowed = ("True",) if kind in (APPROVED, DENIED, FAILED) else ("False", "True", "Unknown")
        if not status:
            causes.append(required(f"{path}.status"))
        elif status not in allowed:
            causes.append(not_supported(f"{path}.status", status, allowed))
        if {APPROVED: DENIED, DENIED: APPROVED}.get(kind) in seen and not both_before:
            causes.append(invalid(f"{path}.type", kind, "Approved and Denied conditions are mutually exclusive"))
        if kind in seen and not doubled_before:
            causes.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
    return causes


def _removal_causes(obj: JsonObject, old: JsonObject) -> list[Cause]:
    return [
        forbidden(_CONDITIONS, f'updates may not remove a condition of type "{kind}"')
        for kind in (APPROVED, DENIED, FAILED) if len(_of_type(obj, kind)) < len(_of_type(old, kind))
    ]


def _certificate_causes(encoded: str) -> list[Cause]:
    problem = _certificate_problem(encoded)
    return [invalid("status.certificate", "<certificate data>", problem)] if problem else []


def _certificate_problem(encoded: str) -> str:
    if not encoded:
        return ""
    try:
        blocks = list(pem_blocks(base64.b64decode(encoded, validate=True)))
    except ValueError as error:
        return f"illegal base64 data: {error}"
    for block in blocks:
        if block.label != "CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{block.label}"'
        if block.has_headers:
            return "no PEM block headers are permitted"
        if not block.der:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            x509.load_der_x509_certificate(block.der)
        except (ValueError, TypeError) as error:
            return f"x509: {error}"
    return "" if blocks else "must contain at least one CERTIFICATE PEM block"


def _conditions(obj: JsonObject) -> list[JsonObject]:
    return (obj.get("status") or {}).get("conditions") or []


def _of_type(obj: JsonObject, kind: str) -> list[JsonObject]:
    return [condition for condition in _conditions(obj) if condition.get("type") == kind]


def _certificate(obj: JsonObject) -> str:
    return (obj.get("status") or {}).get("certificate") or ""
