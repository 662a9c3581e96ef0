"""Values on their way to etcd: formats, keys, what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from control_plane.storage.encryption import secretbox
from control_plane.storage.encryption.configuration import read_rules
from control_plane.storage.encryption.encryption import Encryption, TransformError
from kube.process.config import ConfigError

SECRET, CONFIG_MAP = "/registry/secrets/default/s", "/registry/configmaps/default/c"


def key(name: str, byte: int = 1, length: int = 32) -> dict[str, str]:
    return {"name": name, "secret": base64.b64encode(bytes([byte]) * length).decode()}


def provider(cipher: str, *keys: dict[str, str]) -> dict[str, Any]:
    return {cipher: {"keys": list(keys) or [key("k1")]}}


IDENTITY: dict[str, Any] = {"identity": {}}


def written(folder: Path, *rules: tuple[list[str], list[dict[str, Any]]]) -> str:
    file = folder / "encryption.yaml"
    file.write_text(json.dumps({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration",
        "resources": [{"resources": names, "providers": providers} for names, providers in rules],
    }))
    return str(file)


def encryption(folder: Path, *providers: dict[str, Any], resources: tuple[str, ...] = ("secrets",)) -> Encryption:
    return Encryption(read_rules(written(folder, (list(resources), list(providers)))))


@pytest.mark.parametrize("cipher", ["aescbc", "aesgcm", "secretbox"])
def test_what_is_sealed_opens_again(tmp_path: Path, cipher: str) -> None:
    held = encryption(tmp_path, provider(cipher), IDENTITY)

    for value in (b"", b"x", b"geheim" * 1000):
        sealed = held.seal(SECRET, value)
        assert sealed.startswith(f"k8s:enc:{cipher}:v1:k1:".encode())
        assert b"geheim" not in sealed
        assert held.unseal(SECRET, sealed) == value
        assert held.seal(SECRET, value) != sealed
    for length in range(len(sealed := held.seal(SECRET, b"x"))):
        if sealed[:length].startswith(b"k8s:enc:"):
            with pytest.raises(TransformError):
                held.unseal(SECRET, sealed[:length])
    assert held.seal(CONFIG_MAP, b"open") == b"open"


def test_secretbox_is_that_of_nacl() -> None:
    """The example of NaCl's own tests (tests/secretbox.c)."""
    first = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    message = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31"
        "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864"
        "5e0705")
    sealed = secretbox.seal(first, nonce, message)

    assert sealed[:32].hex() == "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce"
    assert secretbox.unseal(first, nonce, sealed) == message
    with pytest.raises(ValueError, match="tag"):
        secretbox.unseal(first, nonce, sealed[:-1] + b"\0")


def test_a_value_bound_to_its_key_opens_nowhere_else(tmp_path: Path) -> None:
    held = encryption(tmp_path, provider("aesgcm"))

    with pytest.raises(TransformError, match=r'unable to transform key "/registry/secrets/default/other": message authentication failed'):
        held.unseal("/registry/secrets/default/other", held.seal(SECRET, b"x"))


def test_keys_are_rotated_by_adding_one_in_front(tmp_path: Path) -> None:
    old = encryption(tmp_path, provider("aescbc", key("old")), IDENTITY)
    new = encryption(tmp_path, provider("aescbc", key("new", 2), key("old")), IDENTITY)
    by_old, by_new = old.seal(SECRET, b"x"), new.seal(SECRET, b"x")

    assert new.unseal(SECRET, by_old) == new.unseal(SECRET, b"x") == b"x"
    assert [new.is_stale(SECRET, stored) for stored in (b"x", by_old, by_new)] == [True, True, False]
    assert not new.is_stale(CONFIG_MAP, b"x")
    with pytest.raises(TransformError, match="no matching prefix found"):
        old.unseal(SECRET, by_new)


def test_identity_first_decrypts(tmp_path: Path) -> None:
    sealed = encryption(tmp_path, provider("secretbox")).seal(SECRET, b"x")
    held = encryption(tmp_path, IDENTITY, provider("secretbox"))

    assert held.unseal(SECRET, sealed) == held.seal(SECRET, b"x") == b"x"
    assert [held.is_stale(SECRET, stored) for stored in (sealed, b"x")] == [True, False]
    with pytest.raises(TransformError, match="identity transformer tried to read encrypted data"):
        encryption(tmp_path, IDENTITY).unseal(SECRET, sealed)
    with pytest.raises(TransformError, match="no matching prefix found"):
        encryption(tmp_path, provider("secretbox")).unseal(SECRET, b"{}")


@pytest.mark.parametrize(("names", "covered", "open_"), [
    (("secrets", "configmaps"), (SECRET, CONFIG_MAP), ("/registry/pods/default/p",)),
    (("*.",), (SECRET, CONFIG_MAP, "/registry/minions/n", "/registry/services/specs/a/b"), ("/registry/deployments/a/b",)),
    (("*.apps",), ("/registry/deployments/a/b", "/registry/statefulsets/a/b"), (SECRET, "/registry/jobs/a/b")),
    (("crontabs.example.com",), ("/registry/example.com/crontabs/a/b",), ("/registry/example.com/others/a/b", SECRET)),
    (("*.*",), (SECRET, "/registry/deployments/a/b", "/registry/example.com/crontabs/a/b"),
     ("/registry/masterleases/1.2.3.4", "compact_rev_key")),
])
def test_resources_by_name_and_by_group(tmp_path: Path, names: tuple[str, ...], covered: tuple[str, ...], open_: tuple[str, ...]) -> None:
    held = encryption(tmp_path, provider("aesgcm"), resources=names)

    assert [at for at in covered if not held.seal(at, b"x").startswith(b"k8s:enc:")] == []
    assert [at for at in open_ if held.seal(at, b"x") != b"x"] == []


@pytest.mark.parametrize(("rule", "words"), [
    pytest.param(([], [IDENTITY]), "resources[0].resources: Required value", id="no resource"),
    pytest.param((["secrets"], []), "resources[0].providers: Required value", id="no provider"),
    pytest.param((["secrets"], [{}]), "provider does not contain any of the expected providers", id="an empty provider"),
    pytest.param((["secrets"], [{**provider("aescbc"), **IDENTITY}]),
                 "more than one provider specified in a single element", id="two in one"),
    pytest.param((["secrets"], [{"kms": {"name": "x"}}]), "KMS plugins are not supported; use secretbox, aesgcm or aescbc", id="kms"),
    pytest.param((["secrets"], [{"aescbc": {"keys": []}}]), "aescbc.keys: Required value", id="no key"),
    pytest.param((["secrets"], [provider("aescbc", key("a", length=5))]),
                 'keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 5, expected one of [16 24 32]',
                 id="short"),
    pytest.param((["secrets"], [provider("aesgcm", {"name": "a", "secret": "???"})]), "secrets must be base64 encoded", id="not base64"),
    pytest.param((["secrets"], [provider("secretbox", key(""))]), "name is a mandatory field for a key", id="no name"),
    pytest.param((["*"], [IDENTITY]), "use '*.' to encrypt all the resources from core API group or *.*", id="a bare star"),
    pytest.param((["secrets", "*."], [IDENTITY]), "using overlapping resources such as 'secrets' and '*.'", id="overlap"),
    pytest.param((["events.events.k8s.io"], [IDENTITY]), "Use 'events' instead in the config file", id="events"),
    pytest.param((["Secrets"], [IDENTITY]), "resource name should not contain capital letters", id="capitals"),
    pytest.param((["secrets", "secrets"], [IDENTITY]), "the same resource cannot be specified multiple times", id="twice"),
])
def test_what_a_configuration_may_not_say(tmp_path: Path, rule: tuple[list[str], list[dict[str, Any]]], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_rules(written(tmp_path, rule))

    assert words in str(refused.value)
    assert "AQEBAQ" not in str(refused.value)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("kind: Pod\napiVersion: v1\n")
    with pytest.raises(ConfigError, match="error opening encryption provider configuration file"):
        read_rules(str(tmp_path / "nope"))
    with pytest.raises(ConfigError, match="expected kind EncryptionConfiguration of"):
        read_rules(str(tmp_path / "a"))
