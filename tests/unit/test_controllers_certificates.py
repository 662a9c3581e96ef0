"""Certificate requests: which are approved, what is signed and for how long, and when they go."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from control_plane.apiserver.strategies.certificates import USAGES
from control_plane.certificate_requests import parse_request
from control_plane.cloud.machines import Machine
from control_plane.cloud.serving_certificates import objection
from control_plane.controllers.app import controllers
from control_plane.controllers.certificates.approver import CertificateApprover, recognised_as
from control_plane.controllers.certificates.authority import CannotSign, SigningAuthority, granted_lifetime
from control_plane.controllers.certificates.cleaner import CertificateCleaner, seconds_left
from control_plane.controllers.certificates.requests import with_condition
from control_plane.controllers.certificates.signer import RULES, CertificateSigner
from control_plane.controllers.config import ControllerManagerConfig
from control_plane.controllers.managed import ControllerContext
from kube.api.authorization_v1 import SubjectAccessReview
from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.client.transport import Location, WriteOptions
from kube.process.clock import SystemClock, to_rfc3339
from kube.process.config import ApiserverAccess, ConfigError, TlsFiles, load_config
from tests.support.certificate_requests import CLIENT, KUBELET_CLIENT, KUBELET_SERVING, TestAuthority, certificate_request, encoded_request
from tests.support.controllers import eventually, running
from tests.support.memory_transport import MemoryTransport

NODE = ("system:node:n1", ["system:nodes"])
CLIENT_USAGES, SERVER_USAGES = ("digital signature", "client auth"), ("digital signature", "server auth")
NOW = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)


def typed(obj: dict[str, Any]) -> CertificateSigningRequest:
    return msgspec.convert(obj, CertificateSigningRequest)


def node_request(
    name: str = "r", *, username: str = "system:bootstrap:abcdef", usages: Any = CLIENT_USAGES, **asked: Any
) -> dict[str, Any]:
    return certificate_request(
        name, KUBELET_CLIENT, usages, username=username, groups=["system:bootstrappers"], request=encoded_request(*NODE, **asked))


# Approval

@pytest.mark.parametrize(("obj", "subresources"), [
    pytest.param(node_request(), ("nodeclient",), id="a machine that joins"),
    pytest.param(node_request(username="system:node:n1"), ("selfnodeclient", "nodeclient"), id="a node renews its own"),
    pytest.param(node_request(username="system:node:n2"), ("nodeclient",), id="a node asks for another's"),
    pytest.param(node_request(usages=(*CLIENT_USAGES, "key encipherment")), ("nodeclient",), id="as for RSA keys"),
    pytest.param(node_request(usages=(*CLIENT_USAGES, "server auth")), (), id="more usages"),
    pytest.param(node_request(dns=["n1"]), (), id="a DNS name"),
    pytest.param(node_request() | {"spec": node_request()["spec"] | {"signerName": CLIENT}}, (), id="another signer"),
    pytest.param(certificate_request(signer=KUBELET_CLIENT, usages=CLIENT_USAGES,
                                     request=encoded_request("system:node:n1")), (), id="no group"),
    pytest.param(certificate_request(signer=KUBELET_CLIENT, usages=CLIENT_USAGES,
                                     request=encoded_request("jane", ["system:nodes"])), (), id="no node"),
    pytest.param(certificate_request(signer=KUBELET_CLIENT, usages=CLIENT_USAGES,
                                     request=encoded_request("system:node:n1", ["system:nodes", "system:masters"])), (), id="a group more"),
])
def test_only_kubelets_client_certificates_are_recognised(obj: dict[str, Any], subresources: tuple[str, ...]) -> None:
    request = typed(obj)
    assert recognised_as(request, parse_request(request.spec.request)) == subresources


class Reviewing(MemoryTransport):
    """Says who may create which subresource."""

    def __init__(self, *allowed: tuple[str, str]) -> None:
        super().__init__()
        self.allowed = {*allowed}

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        if at.resource.plural != "subjectaccessreviews":
            return await super().create(at, body, options)
        review = msgspec.json.decode(body, type=SubjectAccessReview)
        what = review.spec.resource_attributes
        assert what is not None
        assert (what.verb, what.group, what.resource) == ("create", "certificates.k8s.io", "certificatesigningrequests")
        allowed = (review.spec.user, what.subresource) in self.allowed
        return msgspec.json.encode(msgspec.to_builtins(review) | {"status": {"allowed": allowed}})


async def held(client: Client, name: str = "r") -> CertificateSigningRequest:
    return await client.get(CertificateSigningRequest, NamespacedName("", name))


async def test_who_may_is_approved_even_if_the_right_comes_later() -> None:
    transport = Reviewing(("system:bootstrap:abcdef", "nodeclient"))
    client = Client(transport)
    async with running(client, CertificateApprover):
        await client.create(typed(node_request("joins")))
        await client.create(typed(node_request("other", username="eve")))

        async def approved(name: str) -> bool:
            return bool((await held(client, name)).status.conditions)

        await eventually(lambda: approved("joins"))
        assert not await approved("other")
        transport.allowed.add(("eve", "nodeclient"))
        await eventually(lambda: approved("other"))
    (condition,) = (await held(client, "joins")).status.conditions
    assert (condition.type, condition.status, condition.reason, condition.message) == (
        "Approved", "True", "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview.")


# Signing

@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("ca"))


def issue(authority: TestAuthority, usages: tuple[str, ...] = ("client auth",), *, lifetime: datetime.timedelta = YEAR,
          now: datetime.datetime | None = None, **asked: Any) -> x509.Certificate:
    signer = SigningAuthority.load(authority.cert_file, authority.key_file)
    parsed = parse_request(encoded_request(**asked))
    return x509.load_pem_x509_certificate(signer.sign(parsed, usages, lifetime, now or datetime.datetime.now(datetime.UTC)))


def test_a_certificate_holds_what_was_asked_for_and_no_more(authority: TestAuthority) -> None:
    certificate = issue(
        authority, ("digital signature", "key encipherment", "server auth"), common_name="jane", organizations=["a", "b"],
        dns=["x.example"], ips=["192.0.2.1", "2001:db8::1"], emails=["j@x.example"], uris=["spiffe://x"])

    certificate.verify_directly_issued_by(authority.certificate)
    organizations = [part.value for part in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert organizations == ["a", "b"]
    assert names.get_values_for_type(x509.DNSName) == ["x.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    assert (names.get_values_for_type(x509.RFC822Name), names.get_values_for_type(x509.UniformResourceIdentifier)) == (
        ["j@x.example"], ["spiffe://x"])
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.key_encipherment, usage.value.key_cert_sign) == (True, True, False)
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_every_usage_can_be_signed(authority: TestAuthority) -> None:
    for name in USAGES:
        assert issue(authority, (name,)).issuer == authority.certificate.subject
    usage = issue(authority, ("key agreement", "encipher only")).extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_agreement, usage.encipher_only, usage.decipher_only) == (True, True, False)


def test_a_bare_subject_makes_the_names_critical(authority: TestAuthority) -> None:
    certificate = issue(authority, common_name="", dns=["x.example"])
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


@pytest.mark.parametrize(("lifetime", "before_s", "after_s"), [
    pytest.param(datetime.timedelta(hours=1), -300, 3600, id="short: all of it lies ahead"),
    pytest.param(datetime.timedelta(days=10), -300, 864000 - 300, id="long"),
])
def test_certificates_begin_a_little_earlier(authority: TestAuthority, lifetime: datetime.timedelta, before_s: int, after_s: int) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    certificate = issue(authority, lifetime=lifetime, now=now)
    times = [(at - now).total_seconds() for at in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)]
    assert times == [before_s, after_s]


def test_none_outlives_its_ca(authority: TestAuthority, tmp_path: Path) -> None:
    assert issue(authority, lifetime=100 * YEAR).not_valid_after_utc == authority.certificate.not_valid_after_utc
    with pytest.raises(CannotSign, match="expired in the past"):
        issue(TestAuthority(tmp_path, lifetime_s=-1))


@pytest.mark.parametrize(("wish", "granted_s"), [(None, YEAR.total_seconds()), (60, 600), (3600, 3600), (10**9, YEAR.total_seconds())])
def test_a_wish_for_a_lifetime_is_met_within_bounds(wish: int | None, granted_s: float) -> None:
    assert granted_lifetime(wish, YEAR).total_seconds() == granted_s


def test_files_that_are_no_ca_are_named(authority: TestAuthority, tmp_path: Path) -> None:
    other = TestAuthority(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"not the key of"):
        SigningAuthority.load(authority.cert_file, other.key_file)
    with pytest.raises(ConfigError, match=r"missing\.crt: No such file"):
        SigningAuthority.load(str(tmp_path / "missing.crt"), other.key_file)
    with pytest.raises(ConfigError, match="not a CA's certificate and key"):
        SigningAuthority.load(other.key_file, other.key_file)


@pytest.mark.parametrize(("signer", "usages", "asked", "why"), [
    pytest.param(CLIENT, ["client auth"], {}, "", id="a client"),
    pytest.param(CLIENT, ["digital signature"], {}, "missing required usage for client certificate: client auth", id="no client"),
    pytest.param(CLIENT, ["client auth", "server auth"], {}, "invalid usage for client certificate: server auth", id="it serves"),
    pytest.param(KUBELET_CLIENT, CLIENT_USAGES, {"organizations": ["a"]}, "subject organization is not system:nodes", id="no node"),
    pytest.param(KUBELET_CLIENT, CLIENT_USAGES, {"ips": ["192.0.2.1"]}, "IP subjectAltNames are not allowed", id="an address"),
    pytest.param(KUBELET_CLIENT, CLIENT_USAGES, {"emails": ["a@b.c"]}, "Email subjectAltNames are not allowed", id="an email"),
    pytest.param(KUBELET_CLIENT, CLIENT_USAGES, {"uris": ["a://b"]}, "URI subjectAltNames are not allowed", id="a URI"),
    pytest.param(KUBELET_CLIENT, CLIENT_USAGES, {"common_name": "n1"}, "subject common name does not begin with system:node:", id="a name"),
    pytest.param(KUBELET_CLIENT, ["client auth"], {},
                 "usages did not match [client auth digital signature key encipherment]", id="too few usages"),
    pytest.param(KUBELET_SERVING, SERVER_USAGES, {"dns": ["n1"]}, "", id="a server"),
    pytest.param(KUBELET_SERVING, SERVER_USAGES, {}, "DNS or IP subjectAltName is required", id="a nameless server"),
    pytest.param(KUBELET_SERVING, CLIENT_USAGES, {"dns": ["n1"]},
                 "usages did not match [digital signature key encipherment server auth]", id="a server that is a client"),
    pytest.param(KUBELET_SERVING, SERVER_USAGES, {"dns": ["n1"], "uris": ["a://b"]}, "URI subjectAltNames are not allowed", id="its URI"),
    pytest.param("kubernetes.io/legacy-unknown", ["any"], {"uris": ["a://b"]}, "", id="legacy: anything"),
])
def test_each_signer_has_its_rules(signer: str, usages: list[str], asked: dict[str, Any], why: str) -> None:
    parsed = parse_request(encoded_request(**{"common_name": "system:node:n1", "organizations": ["system:nodes"], **asked}))
    assert RULES[signer](parsed, usages) == why


@pytest.mark.req("CSR-02", "CSR-04")
async def test_what_is_approved_is_signed_or_fails(authority: TestAuthority) -> None:
    client = Client(MemoryTransport())

    async def ask(name: str, *conditions: str, **more: Any) -> None:
        request = typed(certificate_request(name, **more))
        for kind in conditions:
            request = with_condition(request, kind, "Test", "")
        await client.create(request)

    async with running(client, lambda context: CertificateSigner(context, authority.cert_file, authority.key_file, YEAR)):
        await ask("pending")
        await ask("denied", "Denied")
        await ask("others", "Approved", signer="example.com/x")
        await ask("wrong", "Approved", usages=["server auth"])
        await ask("good", "Approved", expirationSeconds=3600)

        async def done() -> bool:
            return bool((await held(client, "good")).status.certificate) and len((await held(client, "wrong")).status.conditions) == 2

        await eventually(done)
    issued = x509.load_pem_x509_certificate(base64.b64decode((await held(client, "good")).status.certificate))
    left_s = (issued.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).total_seconds()
    failed = (await held(client, "wrong")).status.conditions[1]
    assert 3500 < left_s <= 3600
    assert (failed.type, failed.reason) == ("Failed", "SignerValidationFailure")
    assert not any([(await held(client, name)).status.certificate for name in ("pending", "denied", "others", "wrong")])


async def test_rsa_keys_are_signed_too(authority: TestAuthority) -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert issue(authority, key=key).public_key() == key.public_key()


def test_the_cas_files_go_together(tmp_path: Path) -> None:
    file = tmp_path / "kcm.yaml"
    tls = "{cert_file: a, key_file: b, ca_file: c}"
    file.write_text(f"apiserver: {{targets: [x], tls: {tls}}}\nroot_ca_file: c\ncluster_signing_cert_file: ca.crt\n")
    with pytest.raises(ConfigError, match="go together"):
        load_config(ControllerManagerConfig, file)


@pytest.mark.req("CSR-04")
async def test_without_a_ca_nothing_is_signed(authority: TestAuthority) -> None:
    tls = TlsFiles(cert_file="a", key_file="b", ca_file="c")
    plain = ControllerManagerConfig(apiserver=ApiserverAccess(targets=("x",), tls=tls), root_ca_file=authority.cert_file)
    signing = msgspec.structs.replace(
        plain, cluster_signing_cert_file=authority.cert_file, cluster_signing_key_file=authority.key_file)
    client = Client(MemoryTransport())
    async with EventRecorder(client, "test") as events, InformerFactory(client) as informers:
        context = ControllerContext(client, informers, events, SystemClock())
        names = [{controller.name for controller in controllers(context, config, None)} for config in (plain, signing)]

    assert names[1] - names[0] == {"certificatesigningrequest-signing"}


# The end of requests

def aged(hours: float, *conditions: str, certificate: str = "") -> CertificateSigningRequest:
    moment = to_rfc3339(NOW - datetime.timedelta(hours=hours))
    obj = certificate_request()
    obj["metadata"]["creationTimestamp"] = moment
    obj["status"] = {"certificate": certificate, "conditions": [
        {"type": kind, "status": "True", "lastUpdateTime": moment} for kind in conditions]}
    return typed(obj)


@pytest.mark.parametrize(("conditions", "certificate", "hours"), [
    pytest.param((), "", 24, id="pending"),
    pytest.param(("Denied",), "", 1, id="denied"),
    pytest.param(("Approved", "Failed"), "", 1, id="failed"),
    pytest.param(("Approved",), "eA==", 1, id="issued"),
    pytest.param(("Approved",), "", 24, id="approved, but signed by nobody"),
])
def test_requests_have_their_time(conditions: tuple[str, ...], certificate: str, hours: float) -> None:
    assert seconds_left(aged(hours + 0.01, *conditions, certificate=certificate), NOW) < 0
    assert 0 < seconds_left(aged(hours - 0.01, *conditions, certificate=certificate), NOW) < 60


def test_a_request_goes_with_its_certificate(tmp_path: Path) -> None:
    expired = base64.b64encode(Path(TestAuthority(tmp_path, lifetime_s=-60).cert_file).read_bytes()).decode()
    assert seconds_left(aged(0.1, "Approved", certificate=expired), datetime.datetime.now(datetime.UTC)) < 0


async def test_old_requests_are_cleared_away() -> None:
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=25)
    client = Client(MemoryTransport(lambda: long_ago))
    await client.create(typed(certificate_request("old")))
    async with running(client, CertificateCleaner):
        async def gone() -> bool:
            try:
                await held(client, "old")
            except errors.NotFound:
                return True
            return False

        await eventually(gone)


# The cloud's part

MACHINES = {"n1": Machine("n1", "192.0.2.7", "test://n1", "", "", "", True)}


@pytest.mark.parametrize(("who", "asked", "why"), [
    pytest.param({}, {"dns": ["n1"], "ips": ["192.0.2.7"]}, "", id="its name and address"),
    pytest.param({}, {"dns": ["n1"]}, "", id="its name alone"),
    pytest.param({}, {"ips": ["192.0.2.7", "192.0.2.8"]}, "192.0.2.8 is not the address of machine 'n1', 192.0.2.7 is",
                 id="another's address"),
    pytest.param({}, {"dns": ["n1", "kubernetes"]}, "'kubernetes' is not the name of machine 'n1'", id="the API's name"),
    pytest.param({}, {"dns": ["*"]}, "'*' is not the name", id="all names"),
    pytest.param({"username": "system:node:n2"}, {"dns": ["n1"]}, "'system:node:n2' asks for 'system:node:n1'", id="in another's name"),
    pytest.param({"username": "jane"}, {"dns": ["n1"]}, "'jane' is no node", id="a person"),
    pytest.param({"groups": ["system:authenticated"]}, {"dns": ["n1"]}, "is no node", id="not in the group"),
    pytest.param({"usages": ["client auth"]}, {"dns": ["n1"]}, "usages did not match", id="for something else"),
    pytest.param({"request": "YQ=="}, {}, "PEM block type must be CERTIFICATE REQUEST", id="no request"),
])
def test_the_cloud_knows_whose_names_and_addresses_are_whose(who: dict[str, Any], asked: dict[str, Any], why: str) -> None:
    request = encoded_request(*NODE, **asked)
    spec = {"username": "system:node:n1", "groups": ["system:nodes"], "usages": SERVER_USAGES, "request": request, **who}
    said = objection(typed(certificate_request(signer=KUBELET_SERVING, **spec)), MACHINES)
    assert why in said
    assert bool(why) is bool(said)


def test_an_unknown_machine_is_waited_for() -> None:
    request = typed(certificate_request(
        signer=KUBELET_SERVING, usages=SERVER_USAGES, username="system:node:n1", groups=["system:nodes"],
        request=encoded_request(*NODE, ips=[str(ipaddress.ip_address("192.0.2.7"))])))
    assert objection(request, {}) == "there is no machine 'n1'"
