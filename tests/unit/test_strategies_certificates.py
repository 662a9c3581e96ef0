"""What a certificate request may ask for, and what its approver and its signer may write."""

from __future__ import annotations

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.registry import strategy_for
from control_plane.pem import pem_blocks
from tests.support.certificate_requests import TestAuthority, certificate_request, encoded_request, forged_request
from tests.support.memory_store import resource_of

SIGNER_FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'"


def rules() -> Strategy:
    return strategy_for(resource_of(certificate_request()))


def problems(**spec: Any) -> list[str]:
    obj = certificate_request()
    obj["spec"] |= spec
    return [f"{cause.field}: {cause.message}" for cause in rules().validate(obj)]


def pem(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def status_problems(new: dict[str, Any], old: dict[str, Any] | None = None, *, subresource: str = "status") -> list[str]:
    """Of a write of `new` over `old`, as the registry does it."""
    held = certificate_request() | {"status": old or {}}
    held["metadata"]["resourceVersion"] = "1"
    obj = copy.deepcopy(held) | {"status": copy.deepcopy(new)}
    if subresource == "status":
        rules().prepare_for_status_update(obj, held)
        causes = rules().validate_status_update(obj, held)
    else:
        causes = rules().validate_update(obj, held)
    return [f"{cause.field}: {cause.message}" for cause in causes]


def condition(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return pem(Path(TestAuthority(tmp_path_factory.mktemp("ca")).cert_file).read_text())


def test_a_proper_request_is_taken() -> None:
    assert problems() == []
    assert problems(signerName="example.com/my.signer", usages=["signing", "any"], expirationSeconds=600) == []


def test_rsa_keys_are_taken() -> None:
    assert problems(request=encoded_request(key=rsa.generate_private_key(65537, 2048))) == []


@pytest.mark.parametrize(("request_", "why"), [
    pytest.param("", "PEM block type must be CERTIFICATE REQUEST", id="empty"),
    pytest.param(pem("hello"), "PEM block type must be CERTIFICATE REQUEST", id="no PEM"),
    pytest.param(pem("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"),
                 "PEM block type must be CERTIFICATE REQUEST", id="another block"),
    pytest.param(pem("-----BEGIN CERTIFICATE REQUEST-----\nYQ==\n-----END CERTIFICATE REQUEST-----\n"), "x509: ", id="no request in it"),
    pytest.param("%%%", "illegal base64 data", id="no base64"),
])
def test_what_is_no_request_is_refused(request_: str, why: str) -> None:
    (problem,) = problems(request=request_)
    assert problem.startswith("spec.request: Invalid value: ") and why in problem


def test_a_request_signed_by_another_key_is_refused() -> None:
    (problem,) = problems(request=forged_request())
    assert problem.endswith("x509: ECDSA verification failure")


@pytest.mark.parametrize(("spec", "expected"), [
    pytest.param({"usages": []}, ["spec.usages: Required value"], id="no usage"),
    pytest.param({"usages": ["client auth", "client auth"]}, ['spec.usages[1]: Duplicate value: "client auth"'], id="a usage twice"),
    pytest.param({"signerName": ""}, ["spec.signerName: Required value"], id="no signer"),
    pytest.param({"signerName": "kubernetes.io/legacy-unknown"}, [
        'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ], id="legacy signer"),
    pytest.param({"signerName": "plain"}, [f'spec.signerName: Invalid value: "plain": {SIGNER_FORM}'], id="no slash"),
    pytest.param({"signerName": "a.b/c/d"}, [f'spec.signerName: Invalid value: "a.b/c/d": {SIGNER_FORM}'], id="two slashes"),
    pytest.param({"signerName": "example/x"}, [
        'spec.signerName: Invalid value: "example": should be a domain with at least two segments separated by dots',
    ], id="no domain"),
    pytest.param({"expirationSeconds": 599}, [
        "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
    ], id="too short"),
])
def test_the_rest_of_the_spec_has_rules(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(**spec) == expected


def test_an_unknown_usage_and_a_wrong_label_are_named() -> None:
    (usage,) = problems(usages=["fly"])
    assert usage.startswith('spec.usages[0]: Unsupported value: "fly": supported values: "any", "cert sign"')
    assert 'validating label "Up": a lowercase RFC 1123 label' in problems(signerName="Up.example.com/x")[0]
    assert 'validating label "": a lowercase RFC 1123 subdomain' in problems(signerName="example.com/")[0]


def test_any_name_will_do_that_a_path_can_hold() -> None:
    assert rules().validate(certificate_request("Anything goes!")) == []
    assert [cause.field for cause in rules().validate(certificate_request("a/b"))] == ["metadata.name"]


def test_the_spec_never_changes() -> None:
    old = certificate_request()
    new = copy.deepcopy(old)
    new["spec"]["signerName"] = "example.com/other"

    rules().prepare_for_update(new, old)

    assert new["spec"]["signerName"] == old["spec"]["signerName"]


@pytest.mark.parametrize(("new", "old", "expected"), [
    pytest.param([condition("Approved")], [], [], id="approved"),
    pytest.param([condition("Denied", "False")], [], [
        'status.conditions[0].status: Unsupported value: "False": supported values: "True"'], id="denied, but not true"),
    pytest.param([condition("Mine", "")], [], ["status.conditions[0].status: Required value"], id="no status"),
    pytest.param([condition("")], [], ["status.conditions[0].type: Required value"], id="no type"),
    pytest.param([condition("Approved"), condition("Denied")], [], [
        'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'], id="both"),
    pytest.param([condition("Mine"), condition("Mine")], [], ['status.conditions[1].type: Duplicate value: "Mine"'], id="twice"),
    pytest.param([], [condition("Denied")], [
        'status.conditions: Forbidden: updates may not remove a condition of type "Denied"'], id="taken back"),
])
def test_an_approver_decides_once(new: list[Any], old: list[Any], expected: list[str]) -> None:
    assert status_problems({"conditions": new}, {"conditions": old}, subresource="approval") == expected


def test_a_signer_does_not_decide() -> None:
    assert status_problems({"conditions": [condition("Approved")]}) == [
        'status.conditions: Forbidden: updates may not add a condition of type "Approved"']
    assert status_problems({"conditions": [condition("Failed")]}) == []


def test_a_signer_cannot_reword_a_decision() -> None:
    held = {"conditions": [condition("Approved", reason="ByHand")]}
    old = certificate_request() | {"status": held}
    new = copy.deepcopy(old) | {"status": {"conditions": [condition("Failed"), condition("Approved", reason="Other")]}}

    rules().prepare_for_status_update(new, old)

    assert new["status"]["conditions"] == [condition("Failed"), condition("Approved", reason="ByHand")]


def test_a_certificate_is_issued_once(certificate: str) -> None:
    other = pem(base64.b64decode(certificate).decode() * 2)

    assert status_problems({"certificate": certificate}) == []
    assert status_problems({"certificate": other}, {"certificate": certificate}) == [
        "status.certificate: Forbidden: updates may not modify existing certificate content"]


@pytest.mark.parametrize(("content", "why"), [
    pytest.param("hello", "must contain at least one CERTIFICATE PEM block", id="no PEM"),
    pytest.param("-----BEGIN KEY-----\nYQ==\n-----END KEY-----\n", 'only CERTIFICATE PEM blocks are allowed, found "KEY"', id="a key"),
    pytest.param("-----BEGIN CERTIFICATE-----\nA: b\n\nYQ==\n-----END CERTIFICATE-----\n",
                 "no PEM block headers are permitted", id="headers"),
    pytest.param("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
                 "found CERTIFICATE PEM block containing 0 certificates", id="empty"),
    pytest.param("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n", "x509: ", id="no certificate in it"),
])
def test_only_certificates_are_issued(content: str, why: str) -> None:
    (problem,) = status_problems({"certificate": pem(content)})
    assert problem.startswith(f'status.certificate: Invalid value: "<certificate data>": {why}')


def test_pem_is_read_as_go_reads_it() -> None:
    text = b"about\n-----BEGIN A-----\nYQ==\n-----END B-----\nmore -----BEGIN A-----\n-----BEGIN C-----\nYg==\n-----END C-----"
    assert [(block.label, block.der) for block in pem_blocks(text)] == [("C", b"b")]


