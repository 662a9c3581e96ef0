"""Which credential of which Secret a kubelet uses for an image: upstream's matching of registries, its globs and paths."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Secret
from node_agent.kubelet.pull_secrets import Keyring, PullSecretError, matches
from tests.support.pull_secrets import CONFIG, auth, pull_secret

ALICE = {"username": "alice", "password": "secret"}


@pytest.mark.parametrize(("glob", "image", "fits"), [
    ("registry.test", "registry.test/app", True), ("registry.test", "registry.test/team/app", True),
    ("registry.test/team", "registry.test/team/app", True), ("registry.test/team", "registry.test/app", False),
    ("registry.test/te", "registry.test/team/app", True),                   # a prefix, as upstream
    ("*.test", "registry.test/app", True), ("*.test", "test/app", False), ("*.test", "a.registry.test/app", False),
    ("*.*.test", "a.registry.test/app", True), ("re*.test", "registry.test/app", True),
    ("registry.test:5000", "registry.test:5000/app", True), ("registry.test", "registry.test:5000/app", False),
    ("registry.test:5000", "registry.test/app", False), ("*.test:5000", "registry.test:5000/app", True),
    ("*.test/team", "registry.test/team/app", True), ("*.test/team", "registry.test/other/app", False),
    ("[::1]:5000", "[::1]:5000/app", True), ("127.0.0.1:5000", "127.0.0.1:5000/app", True),
])
def test_which_addresses_fit(glob: str, image: str, fits: bool) -> None:
    assert matches(glob, image) is fits


def users(image: str, *secrets: Secret) -> list[str]:
    return [credential.username for credential in Keyring(secrets).lookup(image)]


@pytest.mark.req("CFG-06")
@pytest.mark.parametrize("address", [
    "registry.test", "https://registry.test", "http://registry.test/", "https://registry.test/v1/", "registry.test/v2/", "*.test",
])
@pytest.mark.parametrize("kind", ["kubernetes.io/dockerconfigjson", CONFIG])
def test_addresses_may_be_written_as_docker_writes_them(address: str, kind: str) -> None:
    found = Keyring([pull_secret("s", {address: ALICE}, kind=kind, uid="1")]).lookup("registry.test/app")

    assert [(one.username, one.password, one.secret.name, one.secret.uid) for one in found] == [("alice", "secret", "s", "1")]


def test_the_longest_path_goes_first_and_all_secrets_count() -> None:
    general = pull_secret("a", {"registry.test": ALICE, "other.test": {"username": "eve"}})
    special = pull_secret("b", {"registry.test/team": {"username": "bob"}})

    assert users("registry.test/team/app", general, special) == ["bob", "alice"]
    assert users("registry.test/app", general, special) == ["alice"]
    assert users("registry.test/app", general, pull_secret("c", {"registry.test": {"username": "carl"}})) == ["alice", "carl"]
    assert users("nowhere.test/app", general, special) == []


@pytest.mark.parametrize("address", ["https://index.docker.io/v1/", "index.docker.io", "docker.io"])
def test_dockers_own_registry(address: str) -> None:
    assert users("docker.io/library/app", pull_secret("s", {address: ALICE})) == ["alice"]


@pytest.mark.parametrize("given", [auth("alice", "a:b"), {**auth("alice", "a:b"), "username": "x", "password": "y"}])
def test_auth_goes_before_user_and_password(given: dict[str, str]) -> None:
    for text in (given["auth"], given["auth"].rstrip("=")):
        (found,) = Keyring([pull_secret("s", {"r.test": {**given, "auth": text}})]).lookup("r.test/app")
        assert (found.username, found.password) == ("alice", "a:b")


def test_other_secrets_say_nothing() -> None:
    assert users("r.test/app", Secret(type="Opaque", data=pull_secret("s", {"r.test": ALICE}).data), Secret(type=CONFIG)) == []


@pytest.mark.parametrize("data", ["bm9uc2Vuc2U=", "eyJhdXRocyI6WzFdfQ==", "eyJhdXRocyI6eyJhIjp7ImF1dGgiOiIqIn19fQ=="])
def test_what_is_no_configuration_is_told(data: str) -> None:
    with pytest.raises(PullSecretError):
        Keyring([Secret(type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": data})])


def test_a_password_is_known_by_its_hash_alone() -> None:
    first, again, other = (
        Keyring([pull_secret(name, {"r.test": {"username": "a", "password": word}})]).lookup("r.test/x")[0].secret.hash
        for name, word in (("1", "secret"), ("2", "secret"), ("3", "other"))
    )
    assert first == again != other and "secret" not in first
