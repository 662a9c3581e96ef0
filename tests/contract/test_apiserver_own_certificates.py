"""An apiserver on certificates that somebody made with openssl, as books tell it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from kube.process.config import TlsFiles
from tests.support.apiserver import RunningApiserver
from tests.support.apiserver_pki import TestPki
from tests.support.etcd import running_etcd

NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "kube-apiserver")
OPENSSL_CNF = """
[req]
req_extensions = v3_req
distinguished_name = req_distinguished_name
[req_distinguished_name]
[v3_req]
basicConstraints = CA:FALSE
keyUsage = nonRepudiation, digitalSignature, keyEncipherment
subjectAltName = @alt_names
[alt_names]
{names}
IP.1 = 10.96.0.1
IP.2 = 127.0.0.1
"""

pytestmark = pytest.mark.etcd


async def openssl(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "openssl", *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


async def certificate(folder: Path, name: str, subject: str, *extensions: str) -> TlsFiles:
    """NAME.key, NAME.csr and NAME.crt, signed by ca.crt."""
    await openssl(folder, "genrsa", "-out", f"{name}.key", "2048")
    await openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
    signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "10")
    await openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt", *extensions)
    return TlsFiles(cert_file=str(folder / f"{name}.crt"), key_file=str(folder / f"{name}.key"), ca_file=str(folder / "ca.crt"))


async def curl(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-m", "20", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


@pytest.mark.req("CRT-01", "CRT-03", "CRT-04")
async def test_an_authority_a_server_and_an_administrator_made_by_hand(tmp_path: Path) -> None:
    names = "\n".join(f"DNS.{number} = {name}" for number, name in enumerate(NAMES, 1))
    (tmp_path / "openssl.cnf").write_text(OPENSSL_CNF.format(names=names))
    await openssl(tmp_path, "genrsa", "-out", "ca.key", "2048")
    await openssl(tmp_path, "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=KUBERNETES-CA", "-days", "10", "-out", "ca.crt")
    issuer, subject = (await openssl(tmp_path, "x509", "-in", "ca.crt", "-noout", "-issuer", "-subject")).splitlines()
    assert issuer.removeprefix("issuer=") == subject.removeprefix("subject=") == "CN = KUBERNETES-CA"
    assert "CA:TRUE" in await openssl(tmp_path, "x509", "-in", "ca.crt", "-noout", "-text")
    serving = await certificate(
        tmp_path, "apiserver", "/CN=kube-apiserver", "-extensions", "v3_req", "-extfile", str(tmp_path / "openssl.cnf"))
    admin = await certificate(tmp_path, "admin", "/CN=kube-admin/O=system:masters")

    async with running_etcd(tmp_path / "etcd", tls=True) as etcd:
        pki = TestPki(tmp_path / "pki")
        server = RunningApiserver(tmp_path / "a", etcd, pki, serving_tls=serving, kubelet_client_tls=admin)

        async def asked(name: str, path: str, *who: str) -> tuple[int, str]:
            there = ("--connect-to", f"{name}:6443:127.0.0.1:{server.port}", f"https://{name}:6443{path}")
            return await curl("--cacert", serving.ca_file, *who, *there)

        await server.start(wait=False)
        try:
            async with asyncio.timeout(60):
                while (await asked("kubernetes", "/readyz"))[1] != "ok":      # noqa: ASYNC110  it is not ours to signal
                    await asyncio.sleep(0.1)
            code, pods = await asked("kube-apiserver", "/api/v1/pods", "--key", admin.key_file, "--cert", admin.cert_file)
            assert (code, json.loads(pods)["kind"]) == (0, "PodList")
            for name in (*NAMES, "127.0.0.1"):
                assert '"gitVersion"' in (await asked(name, "/version"))[1]
            assert await asked("other.example.com", "/version") == (60, "")
            plain = await curl("-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{server.port}/version")
            assert plain[1] in ("400", "000")
            stranger = server.admin      # of another authority
            _, refused = await asked("kubernetes", "/api/v1/pods", "--key", stranger.key_file, "--cert", stranger.cert_file)
            assert "PodList" not in refused      # 401, or TLS has ended it before
        finally:
            await server.kill()
