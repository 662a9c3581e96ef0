"""Secrets encrypted at rest: what etcd holds, keys that change while the server runs, and files that are read again."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from control_plane.storage.etcd import EtcdStore
from tests.support.apiserver import Kubectl, RunningApiserver, running_apiserver
from tests.support.etcd import eventually

SECRETS = "/registry/secrets/default/"


def write(file: Path, *providers: dict[str, Any]) -> None:
    """As editors do it: another file takes the place."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": list(providers)}],
    }))
    new.replace(file)


def keys(cipher: str, *names: str) -> dict[str, Any]:
    return {cipher: {"keys": [{"name": name, "secret": base64.b64encode(name.encode().ljust(32, b"-")).decode()} for name in names]}}


async def held(server: RunningApiserver) -> dict[str, bytes]:
    """What etcd has of namespace default's Secrets, by name."""
    async with EtcdStore.connect([server.etcd.endpoint], server.etcd.tls) as store:
        return {item.key.removeprefix(SECRETS): item.value for item in (await store.range(SECRETS)).items}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "encryption.json"


@pytest.mark.req("CFG-04")
async def test_secrets_are_encrypted_and_keys_rotated(tmp_path: Path, file: Path) -> None:
    write(file, {"identity": {}})
    async with running_apiserver(
        tmp_path, encryption_provider_config=str(file), encryption_provider_config_automatic_reload=True
    ) as server:
        kubectl = Kubectl(server.kubeconfig())

        async def changed(*providers: dict[str, Any]) -> None:
            before = server.log.count("read again")
            write(file, *providers)
            await eventually(lambda: server.log.count("read again") > before, within_s=60)

        async def rewrite_all() -> None:
            await kubectl("replace", "-f", "-", stdin=await kubectl("get", "secrets", "-A", "-o", "json"))

        await kubectl("create", "secret", "generic", "s", "--from-literal=password=geheim")
        assert (await held(server))["s"].startswith(b"{")

        for number, (cipher, old) in enumerate((("aescbc", {"identity": {}}), ("aesgcm", keys("aescbc", "k0")),
                                                ("secretbox", keys("aesgcm", "k1")))):
            await changed(keys(cipher, f"k{number}"), old, {"identity": {}})
            version = await kubectl("get", "secret", "s", "-o", "jsonpath={.metadata.resourceVersion}")
            await rewrite_all()
            stored = (await held(server))["s"]
            assert stored.startswith(f"k8s:enc:{cipher}:v1:k{number}:".encode())
            assert b"password" not in stored
            assert await kubectl("get", "secret", "s", "-o", "jsonpath={.data.password}") == base64.b64encode(b"geheim").decode()
            await rewrite_all()      # nothing is stale any more: nothing is written
            after = await kubectl("get", "secret", "s", "-o", "jsonpath={.metadata.resourceVersion}")
            assert int(after) > int(version)
            assert (await held(server))["s"] == stored

        # A file that is wrong changes nothing.
        write(file, {"kms": {"name": "x"}})
        await eventually(lambda: "KMS plugins are not supported" in server.log, within_s=60)
        await kubectl("create", "secret", "generic", "t")
        assert (await held(server))["t"].startswith(b"k8s:enc:secretbox:v1:k2:")

        write(file, keys("secretbox", "k2"))
        await server.kill()
        await server.start()
        watched = await kubectl("get", "secrets", "-o", "name")
        await kubectl("delete", "secret", "s", "t")
        assert watched.split() == ["secret/s", "secret/t"]
        assert await held(server) == {}


async def test_without_the_key_nothing_is_ready_until_it_is_back(tmp_path: Path, file: Path) -> None:
    write(file, keys("aesgcm", "a"))
    async with running_apiserver(
        tmp_path, encryption_provider_config=str(file), encryption_provider_config_automatic_reload=True
    ) as server:
        kubectl = Kubectl(server.kubeconfig())
        await kubectl("create", "secret", "generic", "s")
        await server.kill()

        write(file, keys("aesgcm", "b"), {"identity": {}})
        await server.start(wait=False)
        await eventually(lambda: "unable to transform key" in server.log and "no matching prefix found" in server.log, within_s=60)
        write(file, keys("aesgcm", "b", "a"), {"identity": {}})

        await server.ready()
        assert await kubectl("get", "secrets", "-o", "name") == "secret/s\n"


@pytest.mark.req("RBC-01")
async def test_who_may_what_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "authorization.json"

    def authorize(*types: str) -> None:
        file.with_suffix(".new").write_text(json.dumps({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration",
            "authorizers": [{"type": one, "name": one.lower()} for one in types],
        }))
        file.with_suffix(".new").replace(file)

    authorize("Node", "RBAC")
    async with running_apiserver(tmp_path, authorization_config=str(file)) as server:
        kubectl = Kubectl(server.kubeconfig())
        assert 'User "bob" cannot list' in await kubectl("get", "configmaps", "--as=bob", fails=True)

        authorize("Node", "RBAC", "AlwaysAllow")
        async with asyncio.timeout(30):
            while (await server_answers(server)) != 200:      # noqa: ASYNC110  it is not ours to signal
                await asyncio.sleep(0.1)
        authorize("Nonsense")
        await eventually(lambda: "going on as before" in server.log, within_s=60)
        assert await server_answers(server) == 200


async def server_answers(server: RunningApiserver) -> int:
    async with server.session() as session:
        path = "/api/v1/namespaces/default/configmaps"
        async with session.get(path, headers={"Impersonate-User": "bob"}) as answer:
            return answer.status


async def test_who_is_let_in_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "authentication.json"

    def anonymous(*, enabled: bool) -> None:
        file.with_suffix(".new").write_text(json.dumps({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "anonymous": {"enabled": enabled},
        }))
        file.with_suffix(".new").replace(file)

    anonymous(enabled=True)
    async with running_apiserver(tmp_path, authentication_config=str(file)) as server, server.anonymous_session() as session:
        async def version() -> int:
            async with session.get("/version") as answer:
                return answer.status

        assert await version() == 200
        anonymous(enabled=False)
        async with asyncio.timeout(30):
            while await version() != 401:      # noqa: ASYNC110  it is not ours to signal
                await asyncio.sleep(0.1)
