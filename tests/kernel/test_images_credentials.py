"""Registries that do not serve everybody: passwords, tokens, certificates of their own; and mirrors, which stand in for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.runtime.image_pulls import PullCredential, PullSecretId
from node_agent.runtime.model import RuntimeServiceError
from node_agent.runtime.registry.access import AccessRules, RegistryAccess
from node_agent.runtime.registry.pull import Puller
from tests.support.image_archives import Files, add_manifest, entry, layer
from tests.support.ports import free_port
from tests.support.registry import Registry, basic, docker_registry, htpasswd
from tests.support.registry_tokens import TokenService, make_certificate

pytestmark = pytest.mark.kernel
SECRET = PullSecretId("uid", "default", "regcred", "hash")
ALICE, EVE = PullCredential("alice", "secret", SECRET), PullCredential("eve", "guess", SECRET)


def puller(tmp_path: Path, *listed: RegistryAccess, config_dir: Path | None = None) -> Puller:
    return Puller(tmp_path / "images", AccessRules(listed), config_dir=config_dir)


def push(registry: Registry, repository: str, text: str = "x") -> str:
    files = Files()
    return registry.push(repository, "1", files, add_manifest(files, [layer(entry("a", text))]))


async def refusal(pulling: Puller, name: str, credential: PullCredential | None = None) -> str:
    with pytest.raises(RuntimeServiceError) as caught:
        await pulling.pull(name, credential)
    return str(caught.value)


@pytest.mark.req("CFG-06")
async def test_a_registry_that_wants_a_password(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry", auth=htpasswd(tmp_path / "registry")) as registry:
        registry.headers = basic("alice", "secret")
        wanted = push(registry, "team/app")
        name = f"{registry.host}/team/app:1"

        without, wrong = await refusal(puller(tmp_path), name), await refusal(puller(tmp_path), name, EVE)
        found = await puller(tmp_path).pull(name, ALICE)
        again = await refusal(puller(tmp_path), name)               # that it is in the store opens no door

    assert "pull access denied, repository does not exist or may require authorization" in without
    assert "401 Unauthorized" in without and "no credentials were given" in without and "no credentials were given" in again
    assert "401 Unauthorized" in wrong and "not accepted" in wrong and "guess" not in wrong
    assert found.digest == wanted
    noted = (tmp_path / "images/pulled.json").read_text()
    assert '"name":"regcred"' in noted and "secret\"" not in noted.replace('"secrets"', "")


@pytest.mark.req("CFG-06")
async def test_a_registry_that_sends_to_a_token_service(tmp_path: Path) -> None:
    service = TokenService(make_certificate(tmp_path / "tokens"))
    async with service.serving():
        with docker_registry(tmp_path / "registry", auth=service.auth()) as registry:
            for repository in ("open/app", "team/app"):
                registry.headers = {"Authorization": "Bearer " + service.token(
                    [{"type": "repository", "name": repository, "actions": ["pull", "push"]}])}
                push(registry, repository)
            await puller(tmp_path).pull(f"{registry.host}/open/app:1")
            assert service.asked == [{"service": "test registry", "scope": "repository:open/app:pull"}]      # one for all requests

            name = f"{registry.host}/team/app:1"
            assert "401 Unauthorized" in await refusal(puller(tmp_path), name)
            assert "failed to fetch oauth token: unexpected status from GET request to http://127.0.0.1" in await refusal(
                puller(tmp_path), name, EVE)
            await puller(tmp_path).pull(name, ALICE)
            assert service.asked[-1]["account"] == "alice"


async def test_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    certificate, port = make_certificate(tmp_path / "tls"), free_port()
    folder = tmp_path / "registry"
    with docker_registry(folder, port=port) as plain:
        wanted = push(plain, "app")
    with docker_registry(folder, port=port, tls={"certificate": certificate.cert_file, "key": certificate.key_file}) as registry:
        name, hosts = f"{registry.host}/app:1", tmp_path / "certs.d"
        assert "tls: failed to verify certificate" in await refusal(puller(tmp_path), name)

        (hosts / registry.host).mkdir(parents=True)
        (hosts / registry.host / "ca.crt").write_bytes(Path(certificate.cert_file).read_bytes())
        assert (await puller(tmp_path, config_dir=hosts).pull(name)).digest == wanted

        other = tmp_path / "certs2.d"
        (other / "_default").mkdir(parents=True)
        (other / "_default/hosts.toml").write_text(f'[host."https://{registry.host}"]\n  skip_verify = true\n')
        assert (await puller(tmp_path, config_dir=other).pull("registry.test/app:1")).digest == wanted


async def test_mirrors_stand_in_for_a_registry_that_is_never_asked(tmp_path: Path) -> None:
    hosts = tmp_path / "certs.d"
    with docker_registry(tmp_path / "first") as first, docker_registry(tmp_path / "second") as second:
        push(first, "other", "1")
        wanted = push(second, "library/app", "2")
        (hosts / "docker.io").mkdir(parents=True)
        (hosts / "docker.io/hosts.toml").write_text("".join(
            f'[host."http://{host}"]\n' for host in (f"127.0.0.1:{free_port()}", first.host, second.host)))
        pulling = puller(tmp_path, config_dir=hosts)

        found = await pulling.pull("app:1")
        missing = await refusal(pulling, "other:1")

        assert (found.digest, found.by_digest) == (wanted, f"docker.io/library/app@{wanted}")
        assert missing.startswith('failed to pull and unpack image "docker.io/library/other:1": failed to resolve reference')
        await first.asked("HEAD", "library/app/manifests/1?ns=docker.io", 1)

        (hosts / "docker.io/hosts.toml").write_text(f'[host."http://{second.host}"]\n  capabilities = ["pull"]\n')
        assert "no host is configured that could be asked" in await refusal(pulling, "app:1")     # it may not say what a tag stands for
        assert (await pulling.pull(f"app@{wanted}")).id == found.id


async def test_plain_http_only_where_it_is_allowed(tmp_path: Path) -> None:
    """A name that leads to the loopback, as a stranger's might: without its setting it is not spoken to, and never without TLS."""
    with docker_registry(tmp_path / "registry") as registry:
        wanted = push(registry, "app")
        port = registry.host.rpartition(":")[2]
        name, host = f"localhost.localdomain:{port}/app:1", f"localhost.localdomain:{port}"
        listed = RegistryAccess(host=host)
        hosts = tmp_path / "certs.d" / host
        hosts.mkdir(parents=True)

        assert "may not be asked" in await refusal(puller(tmp_path), name)
        assert "https://" in await refusal(puller(tmp_path, listed), name)
        (hosts / "hosts.toml").write_text(f'[host."http://{registry.host}"]')
        assert (await puller(tmp_path, listed, config_dir=tmp_path / "certs.d").pull(name)).digest == wanted
