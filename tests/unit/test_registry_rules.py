"""Which registries a node may ask, where they are, and what they say about authorization."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube.process.config import ConfigError
from launcher.cluster.settings import ClusterSettings
from node_agent.runtime.model import RuntimeServiceError
from node_agent.runtime.registry.access import Access, AccessRules, RegistryAccess
from node_agent.runtime.registry.challenge import parse_challenges
from node_agent.runtime.registry.endpoints import Endpoint, endpoints_of

CLUSTER = ("10.244.0.0/16", "10.96.0.0/12", "172.30.0.0/24")
LOCAL = Access("node", plain_http=True)


@pytest.mark.parametrize("host", [
    "localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "10.96.3.4:80", "172.30.0.12",
])
def test_the_clusters_own_networks_may_be_asked(host: str) -> None:
    assert AccessRules((), CLUSTER).of(host) == LOCAL


@pytest.mark.parametrize("host", [
    "docker.io", "registry-1.docker.io", "10.0.0.1:5000", "192.0.2.1", "localhost.test", "registry", "[::2]", "",
])
def test_nothing_else_may_be_asked(host: str) -> None:
    assert AccessRules((), CLUSTER).of(host) is None


@pytest.mark.parametrize(("listed", "host", "covered"), [
    ("registry.test", "registry.test", True), ("registry.test", "registry.test:5000", True),
    ("Registry.test:5000", "registry.test:5000", True),
    ("registry.test:5000", "registry.test", False), ("*.test", "a.b.test", True), ("*.test", "test", False), ("*", "anything.test:1", True),
    ("docker.io", "registry-1.docker.io", True), ("docker.io", "auth.docker.io", False), ("192.0.2.1:5000", "192.0.2.1:5000", True),
])
def test_listed_hosts(listed: str, host: str, covered: bool) -> None:
    access = AccessRules([RegistryAccess(host=listed, network="machine")], CLUSTER).of(host)

    assert access == (Access("machine", plain_http=False) if covered else None)


def test_an_entry_for_the_loopback_says_whose_it_is() -> None:
    rules = AccessRules([RegistryAccess(host="localhost:5000", network="machine")])

    assert (rules.of("localhost:5000"), rules.of("localhost:5001")) == (Access("machine", plain_http=True), LOCAL)


@pytest.mark.parametrize("host", ["", "https://registry.test", "registry.test/team", "a*.test"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(ConfigError, match="registries: host"):
        RegistryAccess(host=host)


def test_settings_of_a_cluster_are_looked_at_before_it_is_made() -> None:
    for given, message in (
        ({"image_gc_high_threshold_percent": 70}, r"kubelet: image_gc_low_threshold_percent \(80\) must be"),
        ({"port": 1}, "the launcher sets it"),
        ({"image_gc": 1}, "kubelet: unknown key"),
    ):
        with pytest.raises(ConfigError, match=message):
            ClusterSettings(kubelet=given)
    with pytest.raises(ConfigError, match="absolute path"):
        ClusterSettings(registry_config_dir="certs.d")


def test_without_a_folder_a_registry_is_where_its_name_says(tmp_path: Path) -> None:
    for directory in (None, tmp_path):
        assert endpoints_of("registry.test:5000", directory) == [Endpoint(host="registry.test:5000")]
        assert endpoints_of("docker.io", directory) == [Endpoint(host="registry-1.docker.io")]


def test_hosts_toml(tmp_path: Path) -> None:
    folder = tmp_path / "registry.test:5000"
    folder.mkdir()
    (folder / "hosts.toml").write_text("""
server = "https://origin.test"
ca = "/etc/ca.crt"
[host."http://10.96.0.5:5000"]
  capabilities = ["pull"]
  [host."http://10.96.0.5:5000".header]
    X-Name = ["a", "b"]
[host."mirror.test/prefix"]
  override_path = true
  client = [["client.cert", "client.key"]]
  ca = ["a.crt", "b.crt"]
  skip_verify = true
""")
    assert endpoints_of("registry.test:5000", tmp_path) == [
        Endpoint(host="10.96.0.5:5000", scheme="http", headers=(("X-Name", "a"), ("X-Name", "b")), resolves=False, mirror=True),
        Endpoint(
            host="mirror.test", path="/prefix", client_files=(f"{folder}/client.cert", f"{folder}/client.key"),
            ca_files=(f"{folder}/a.crt", f"{folder}/b.crt"), skip_verify=True, mirror=True,
        ),
        Endpoint(host="origin.test", scheme="https", ca_files=("/etc/ca.crt",)),
    ]


def test_folders_without_a_port_and_for_all_others(tmp_path: Path) -> None:
    for name, server in (("registry.test_5000_", "a"), ("_default", "b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hosts.toml").write_text(f'server = "https://{server}.test"')
    (tmp_path / "own.test").mkdir()
    (tmp_path / "own.test/ca.crt").touch()

    found = {name: endpoints_of(name, tmp_path)[0].host for name in ("registry.test:5000", "other.test", "docker.io")}
    assert found == {"registry.test:5000": "a.test", "other.test": "b.test", "docker.io": "b.test"}
    assert endpoints_of("own.test", tmp_path) == [Endpoint(host="own.test", ca_files=(f"{tmp_path}/own.test/ca.crt",))]


@pytest.mark.parametrize("text", ["server = ", "[host.\"ftp://x\"]", "host = 3"])
def test_a_hosts_toml_that_cannot_be_used_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "_default").mkdir()
    (tmp_path / "_default/hosts.toml").write_text(text)

    with pytest.raises(RuntimeServiceError, match=r"_default/hosts\.toml cannot be"):
        endpoints_of("registry.test", tmp_path)


@pytest.mark.parametrize(("headers", "found"), [
    (['Bearer realm="https://a.test/token",service="a.test",scope="repository:x:pull,push"'],
     [("bearer", {"realm": "https://a.test/token", "service": "a.test", "scope": "repository:x:pull,push"})]),
    (['Basic realm="Registry Realm"'], [("basic", {"realm": "Registry Realm"})]),
    (["Basic"], [("basic", {})]), (["Negotiate, Basic realm=x"], [("negotiate", {}), ("basic", {"realm": "x"})]),
    (['Bearer realm="a\\"b" , error="x", Basic realm="c"'], [("bearer", {"realm": 'a"b', "error": "x"}), ("basic", {"realm": "c"})]),
    (["Basic", 'BEARER Realm="r"'], [("basic", {}), ("bearer", {"realm": "r"})]), ([""], []), (['="x"'], []),
])
def test_challenges(headers: list[str], found: list[tuple[str, dict[str, str]]]) -> None:
    assert [(challenge.scheme, challenge.parameters) for challenge in parse_challenges(headers)] == found
