"""A kubelet's own certificates: what fits on disk, and how they are written."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from control_plane.certificate_requests import kubelet_client_problem, kubelet_serving_problem, parse_request
from control_plane.controllers.certificates.authority import SigningAuthority
from kube.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus
from kube.process.config import ApiserverAccess, ConfigError, TlsFiles
from node_agent.kubelet.bootstrap import RequestRefused, issued_chain
from node_agent.kubelet.certificate_files import (
    WantedCertificate,
    client_certificate,
    held_certificate,
    renewal_due,
    serving_certificate,
    write_certificate,
)
from node_agent.kubelet.config import KubeletBootstrap, KubeletConfig
from tests.support.certificate_requests import TestAuthority

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def authority(tmp_path: Path) -> TestAuthority:
    return TestAuthority(tmp_path / "ca")


def obtained(wanted: WantedCertificate, authority: TestAuthority) -> ec.EllipticCurvePrivateKey:
    """As the cluster would issue it, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = wanted.request(key).spec
    chain = SigningAuthority.load(authority.cert_file, authority.key_file).sign(parse_request(asked.request), asked.usages, HOUR, NOW)
    write_certificate(wanted.file, key, chain)
    return key


def test_what_is_asked_for_is_what_the_signers_take(tmp_path: Path) -> None:
    client, serving = client_certificate("c.pem", "n1"), serving_certificate("s.pem", "n1", "192.0.2.7")
    key = ec.generate_private_key(ec.SECP256R1())
    asked = [(parse_request(wanted.request(key).spec.request), wanted.request(key).spec) for wanted in (client, serving)]

    assert kubelet_client_problem(asked[0][0], asked[0][1].usages) == ""
    assert kubelet_serving_problem(asked[1][0], asked[1][1].usages) == ""
    assert (asked[1][0].dns_names, asked[1][0].ip_addresses) == (("n1",), ("192.0.2.7",))
    asked[0][0].check_signature()


def test_a_certificate_is_held_while_it_fits(tmp_path: Path, authority: TestAuthority) -> None:
    file, other = str(tmp_path / "pki/s.pem"), TestAuthority(tmp_path / "other")
    wanted = serving_certificate(file, "n1", "192.0.2.7")
    assert held_certificate(wanted, authority.cert_file, NOW) is None

    obtained(wanted, authority)

    assert held_certificate(wanted, authority.cert_file, NOW) is not None
    assert held_certificate(serving_certificate(file, "n1", "192.0.2.8"), authority.cert_file, NOW) is not None
    assert held_certificate(serving_certificate(file, "n2", "192.0.2.7"), authority.cert_file, NOW) is None
    assert held_certificate(wanted, authority.cert_file, NOW + 2 * HOUR) is None
    assert held_certificate(wanted, other.cert_file, NOW) is None
    assert held_certificate(wanted, str(tmp_path / "no-ca"), NOW) is None


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\n"])
def test_half_a_file_is_none(tmp_path: Path, authority: TestAuthority, content: bytes) -> None:
    wanted = client_certificate(str(tmp_path / "c.pem"), "n1")
    wanted.file.write_bytes(content)
    assert held_certificate(wanted, authority.cert_file, NOW) is None


def test_files_are_for_their_owner_and_replaced_at_once(tmp_path: Path, authority: TestAuthority) -> None:
    wanted = client_certificate(str(tmp_path / "pki/c.pem"), "n1")
    obtained(wanted, authority)
    first = wanted.file.read_bytes()
    obtained(wanted, authority)

    assert wanted.file.stat().st_mode & 0o777 == 0o600
    assert wanted.file.parent.stat().st_mode & 0o777 == 0o700
    assert wanted.file.read_bytes() != first
    assert [path.name for path in wanted.file.parent.iterdir()] == ["c.pem"]


def test_a_certificate_for_another_key_is_not_written(tmp_path: Path, authority: TestAuthority) -> None:
    wanted = client_certificate(str(tmp_path / "c.pem"), "n1")
    obtained(wanted, authority)
    before = wanted.file.read_bytes()

    with pytest.raises(ValueError, match="for another key"):
        write_certificate(wanted.file, ec.generate_private_key(ec.SECP256R1()), before)
    assert wanted.file.read_bytes() == before


def test_renewal_is_due_after_a_share_of_the_lifetime(tmp_path: Path, authority: TestAuthority) -> None:
    wanted = client_certificate(str(tmp_path / "c.pem"), "n1")
    obtained(wanted, authority)
    certificate = x509.load_pem_x509_certificate(wanted.file.read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert renewal_due(certificate, 0.7) - certificate.not_valid_before_utc == lifetime * 0.7


@pytest.mark.parametrize("kind", ["Denied", "Failed"])
def test_a_refusal_is_told(kind: str) -> None:
    condition = CertificateSigningRequestCondition(type=kind, status="True", reason="ByHand", message="no")
    status = CertificateSigningRequestStatus(conditions=(condition,))
    with pytest.raises(RequestRefused, match=f"is {kind}: ByHand no"):
        issued_chain(CertificateSigningRequest(status=status))
    assert issued_chain(CertificateSigningRequest()) == b""


def config(bootstrap: KubeletBootstrap | None, client: TlsFiles, serving: TlsFiles) -> KubeletConfig:
    return KubeletConfig(
        apiserver=ApiserverAccess(targets=("x:6444",), tls=client), serving_tls=serving, bootstrap=bootstrap, node_name="n1",
        node_ip="192.0.2.7", root_dir="/r", run_dir="/r", images_dir="/i", cgroup_parent="/c", cluster_dns=())


def test_a_configuration_names_the_files_that_bootstrapping_makes() -> None:
    bootstrap = KubeletBootstrap(server="https://x:6443", token_file="/t", ca_file="/ca", cert_dir="/pki")
    mine = TlsFiles(cert_file="/mine", key_file="/mine", ca_file="/ca")

    assert bootstrap.client_tls.cert_file == bootstrap.client_tls.key_file == "/pki/kubelet-client.pem"
    assert config(bootstrap, bootstrap.client_tls, bootstrap.serving_tls).bootstrap == bootstrap
    assert config(None, mine, mine).bootstrap is None
    with pytest.raises(ConfigError, match="must be the files it makes"):
        config(bootstrap, mine, bootstrap.serving_tls)
