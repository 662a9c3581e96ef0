"""A machine joins by token: real apiserver, controller-manager and cloud-controller-manager, the kubelet's own bootstrap, no kubelet."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from control_plane.cloud.config import CloudConfig
from control_plane.cloud.records import MachineRecord, write_record
from control_plane.controllers.config import ControllerManagerConfig
from kube.api.core_v1 import Node
from kube.api.meta_v1 import ObjectMeta
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.process.clock import SystemClock
from kube.process.config import ApiserverAccess, Config, TlsFiles, write_config
from kube.process.tls import client_context, grpc_server_credentials, server_context
from launcher.cluster.join import bootstrap_objects, new_token
from node_agent.kubelet.bootstrap import NodeCertificates
from node_agent.kubelet.config import KubeletBootstrap
from tests.support.api_calls import Api
from tests.support.apiserver import REPOSITORY, Kubectl, RunningApiserver, running_apiserver
from tests.support.certificate_requests import KUBELET_SERVING, certificate_request, encoded_request
from tests.support.controllers import eventually

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


class Site:
    """A control plane, the folder of its machines, and a token."""

    def __init__(self, server: RunningApiserver, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.machines = directory / "machines"
        self.machines.mkdir()
        self.token = directory / "token"
        self.token.write_text(new_token())
        self.kubectl = Kubectl(server.kubeconfig())

    def bootstrap(self, name: str, **more: str) -> KubeletBootstrap:
        return KubeletBootstrap(**{
            "server": f"https://localhost:{self.server.port}", "token_file": str(self.token), "ca_file": self.server.pki.ca_file,
            "cert_dir": str(self.directory / name), **more,
        })

    def certificates(self, name: str, **more: str) -> NodeCertificates:
        return NodeCertificates(self.bootstrap(name, **more), name, "192.0.2.7", SystemClock())

    def switch_on(self, name: str, address: str = "192.0.2.7") -> int:
        return write_record(self.machines, MachineRecord(name=name, address=address, provider_id=f"test://{name}"))

    async def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(await self.kubectl("get", "csr", "-o", "json"))["items"]
        return found

    async def requests_of(self, node: str) -> list[tuple[str, str, list[str], bool]]:
        """(signer, requester, conditions, issued), by age."""
        mine = [item for item in await self.requests() if node in _subject(item["spec"]["request"])]
        return sorted((
            item["spec"]["signerName"].partition("/")[2], item["spec"]["username"],
            [condition["type"] for condition in item["status"].get("conditions", [])], bool(item["status"].get("certificate")),
        ) for item in mine)


def _subject(encoded: str) -> str:
    return x509.load_pem_x509_csr(base64.b64decode(encoded)).subject.rfc4514_string()


@asynccontextmanager
async def process(script: str, config: Config, directory: Path) -> AsyncIterator[None]:
    path, log = directory / f"{script}.json", directory / f"{script}.log"
    write_config(config, path)
    with log.open("ab") as sink:
        running = await asyncio.create_subprocess_exec(
            sys.executable, str(REPOSITORY / f"cmd/{script}.py"), "--config", str(path), stdout=sink, stderr=sink,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
    try:
        yield
    finally:
        running.terminate()
        assert await running.wait() == 0, log.read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    async with running_apiserver(directory) as server:
        made = Site(server, directory)
        pki = server.pki
        controllers = ControllerManagerConfig(
            apiserver=server.access(pki.identity("system:kube-controller-manager")), root_ca_file=pki.ca_file, health_port=0,
            identity="test", cluster_signing_cert_file=pki.ca_file, cluster_signing_key_file=pki.ca_key_file)
        cloud = CloudConfig(
            apiserver=server.access(pki.identity("system:cloud-controller-manager")), machines_folder=str(made.machines), health_port=0,
            identity="test")
        async with process("kube_controller_manager", controllers, directory), process("cloud_controller_manager", cloud, directory):
            for obj in bootstrap_objects(made.token.read_text()):
                await made.kubectl("create", "-f", "-", stdin=json.dumps(obj))
            yield made


def certificate_of(tls: TlsFiles) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(tls.cert_file).read_bytes())


async def test_a_machine_gets_both_certificates_and_they_work(site: Site) -> None:
    held, bootstrap = site.switch_on("n1"), site.bootstrap("n1")
    try:
        await asyncio.wait_for(site.certificates("n1").ensure(), 30)
    finally:
        os.close(held)

    assert await site.requests_of("CN=system:node:n1") == [
        ("kube-apiserver-client-kubelet", f"system:bootstrap:{site.token.read_text()[:6]}", ["Approved"], True),
        ("kubelet-serving", "system:node:n1", ["Approved"], True),
    ]
    table = await site.kubectl("get", "csr")
    assert table.count("Approved,Issued") >= 2
    files = [Path(tls.cert_file) for tls in (bootstrap.client_tls, bootstrap.serving_tls)]
    assert [file.name for file in files] == ["kubelet-client.pem", "kubelet-serving.pem"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert files[0].parent.stat().st_mode & 0o777 == 0o700
    names = certificate_of(bootstrap.serving_tls).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]

    access = ApiserverAccess(targets=(f"127.0.0.1:{site.server.grpc_port}",), tls=bootstrap.client_tls)
    async with Client(GrpcTransport(access)) as client:
        assert (await client.create(Node(metadata=ObjectMeta(name="n1")))).metadata.name == "n1"
    assert server_context(bootstrap.serving_tls, client_certificates=ssl.CERT_OPTIONAL) is not None
    assert grpc_server_credentials(bootstrap.serving_tls) is not None
    assert client_context(bootstrap.client_tls) is not None


async def test_they_are_kept_and_asked_for_anew_under_another_name(site: Site) -> None:
    bootstrap, held = site.bootstrap("n2"), [site.switch_on("n2"), site.switch_on("renamed")]
    try:
        await asyncio.wait_for(site.certificates("n2").ensure(), 30)
        first = certificate_of(bootstrap.serving_tls)
        moved = NodeCertificates(bootstrap, "n2", "192.0.2.99", SystemClock())
        await asyncio.wait_for(moved.ensure(), 60)           # another address alone changes nothing
        assert certificate_of(bootstrap.serving_tls) == first

        renamed = NodeCertificates(bootstrap, "renamed", "192.0.2.7", SystemClock())
        await asyncio.wait_for(renamed.ensure(), 30)
    finally:
        for descriptor in held:
            os.close(descriptor)

    assert "CN=system:node:renamed" in certificate_of(bootstrap.client_tls).subject.rfc4514_string()
    names = certificate_of(bootstrap.serving_tls).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["renamed"]


async def test_a_machine_is_waited_for_until_the_cloud_knows_it(site: Site) -> None:
    joining = asyncio.create_task(site.certificates("n3").ensure())

    async def asked() -> bool:
        return ("kubelet-serving", "system:node:n3", [], False) in await site.requests_of("CN=system:node:n3")

    await eventually(asked, within_s=60, what="the serving certificate is asked for")
    assert not joining.done()
    stranger = site.switch_on("n3", "192.0.2.8")            # its address is another's
    os.close(stranger)
    assert await asked()
    held = site.switch_on("n3")
    try:
        await asyncio.wait_for(joining, 30)
    finally:
        os.close(held)


async def test_a_token_that_comes_late_is_enough(site: Site, tmp_path: Path) -> None:
    late, held = tmp_path / "late-token", site.switch_on("n4")
    joining = asyncio.create_task(site.certificates("n4", token_file=str(late)).ensure())
    try:
        await asyncio.sleep(0)
        late.write_text("abcdef.0123456789abcdef")          # of nobody
        await eventually(lambda: _refused(site), within_s=60, what="the wrong token was tried")
        assert not joining.done()
        late.write_text(site.token.read_text())
        await asyncio.wait_for(joining, 30)
    finally:
        os.close(held)


async def _refused(site: Site) -> bool:
    return "no secret of name bootstrap-token-abcdef" in site.server.log


async def test_a_certificate_is_renewed_in_time(site: Site) -> None:
    bootstrap, held = site.bootstrap("n5"), site.switch_on("n5")
    clock = Fast()
    certificates = NodeCertificates(bootstrap, "n5", "192.0.2.7", clock)
    try:
        await asyncio.wait_for(certificates.ensure(), 30)
        before = [certificate_of(tls).serial_number for tls in (bootstrap.client_tls, bootstrap.serving_tls)]
        await asyncio.wait_for(certificates.renew(), 30)
    finally:
        os.close(held)

    after = [certificate_of(tls).serial_number for tls in (bootstrap.client_tls, bootstrap.serving_tls)]
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    lifetime = certificate_of(bootstrap.serving_tls).not_valid_after_utc - clock.started
    assert 0.65 < clock.slept_s / lifetime.total_seconds() < 0.95
    assert ("kube-apiserver-client-kubelet", "system:node:n5", ["Approved"], True) in await site.requests_of("CN=system:node:n5")


class Fast(SystemClock):
    """Sleeps of an hour and so pass at once, and are counted; short ones are slept."""

    def __init__(self) -> None:
        self.started = super().now()
        self.slept_s = 0.0

    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(seconds=self.slept_s)

    async def sleep(self, seconds: float) -> None:
        if seconds > 5:
            self.slept_s += seconds
        else:
            await super().sleep(seconds)


@pytest.mark.parametrize(("asked", "why"), [
    pytest.param({"dns": ["other"], "ips": ["192.0.2.7"]}, "'other' is not the name of machine 'n6'", id="another's name"),
    pytest.param({"dns": ["n6"], "ips": ["192.0.2.1"]}, "192.0.2.1 is not the address of machine 'n6', 192.0.2.7 is",
                 id="another's address"),
])
async def test_the_cloud_approves_nothing_of_others(site: Site, asked: dict[str, Any], why: str) -> None:
    held = site.switch_on("n6")
    identity = site.server.pki.identity("system:node:n6", ["system:nodes"])
    body = certificate_request(
        f"serving-{len(why)}", KUBELET_SERVING, ["digital signature", "server auth"],
        request=encoded_request("system:node:n6", ["system:nodes"], **asked))
    try:
        async with site.server.session(identity) as session:
            code, made = await Api(session).post("/apis/certificates.k8s.io/v1/certificatesigningrequests", body)
        assert code == 201, made

        async def told() -> bool:
            return why in (site.directory / "cloud_controller_manager.log").read_text()

        await eventually(told, within_s=60, what="the cloud looked at it")
    finally:
        os.close(held)
    (request,) = [item for item in await site.requests() if item["metadata"]["name"] == body["metadata"]["name"]]
    assert not request["status"].get("conditions")
