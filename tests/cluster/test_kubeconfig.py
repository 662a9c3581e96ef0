"""kubeconfigs as people keep them: the default file, certificates by path or inline, contexts of two clusters side by side."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from launcher.testing.cluster import Cluster, CommandFailed
from tests.support.space import Json


class AtHome(Cluster):
    """Of somebody whose HOME is the folder, and who sets no KUBECONFIG."""

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder), "KUBECONFIG": ""}

    @property
    def context(self) -> str:
        return f"kubonsai-{self.name}"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AtHome, AtHome]]:
    """The second was started last: its context is current."""
    home = tmp_path_factory.mktemp("home")
    pair = AtHome(home, nodes=1), AtHome(home, nodes=1)
    try:
        for cluster in pair:
            cluster.start()
        yield pair
    finally:
        for cluster in pair:
            cluster.stop()


def refusal(cluster: Cluster, *arguments: str) -> str:
    with pytest.raises(CommandFailed) as failed:
        cluster.kubectl(*arguments)
    return str(failed.value)


@pytest.mark.req("KCF-01")
def test_the_launcher_writes_the_default_file(two: tuple[AtHome, AtHome]) -> None:
    first, second = two

    view = yaml.safe_load(second.kubectl("config", "view"))

    assert (second.folder / ".kube" / "config").stat().st_mode & 0o077 == 0
    assert view["current-context"] == second.context
    for section in ("clusters", "users", "contexts"):
        assert {entry["name"].removesuffix("-admin") for entry in view[section]} == {first.context, second.context}
    assert {user["user"]["client-key-data"] for user in view["users"]} == {"DATA+OMITTED"}
    assert {entry["cluster"]["certificate-authority-data"] for entry in view["clusters"]} == {"DATA+OMITTED"}
    assert second.kubectl("get", "nodes", "-o", "name") == "node/node1\n"


@pytest.mark.req("KCF-03", "KCT-07")
def test_contexts_lead_to_one_cluster_or_the_other(two: tuple[AtHome, AtHome]) -> None:
    first, second = two
    for cluster in two:
        cluster.kubectl("--context", cluster.context, "create", "configmap", f"of-{cluster.name}")

    switched = second.kubectl("config", "use-context", first.context)
    there = second.kubectl("get", "configmaps", "-o", "name")
    back = second.kubectl("config", "use-context", second.context)
    here = second.kubectl("get", "configmaps", "-o", "name")
    rows = [line.split() for line in second.kubectl("config", "get-contexts", "--no-headers").splitlines()]

    assert switched == f'Switched to context "{first.context}".\n'
    assert back == f'Switched to context "{second.context}".\n'
    assert f"configmap/of-{first.name}" in there.split()
    assert f"configmap/of-{second.name}" not in there.split()
    assert f"configmap/of-{second.name}" in here.split()
    assert second.kubectl("config", "current-context") == f"{second.context}\n"
    assert ["*", second.context, second.context, f"{second.context}-admin"] in rows
    assert [first.context, first.context, f"{first.context}-admin"] in rows
    assert 'unknown command "user-context' in refusal(second, "config", "user-context", first.context)
    assert 'no context exists with the name: "nope"' in refusal(second, "config", "use-context", "nope")


@pytest.mark.req("KCF-02")
def test_certificates_by_path_or_inline_and_a_file_without_contexts(two: tuple[AtHome, AtHome], tmp_path: Path) -> None:
    cluster, _ = two
    pki = Path("/var/lib/kubonsai/clusters", cluster.name, "pki")
    server = cluster.kubectl("config", "view", "--minify", f"--context={cluster.context}", "-o", "jsonpath={.clusters[0].cluster.server}")

    def inline(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    by_path: tuple[Json, Json] = (
        {"server": server, "certificate-authority": str(pki / "ca.crt")},
        {"client-certificate": str(pki / "admin.crt"), "client-key": str(pki / "admin.key")},
    )
    as_data: tuple[Json, Json] = (
        {"server": server, "certificate-authority-data": inline("ca.crt")},
        {"client-certificate-data": inline("admin.crt"), "client-key-data": inline("admin.key")},
    )

    for index, (where, who) in enumerate((by_path, as_data)):
        file = tmp_path / f"{index}.conf"
        config: Json = {
            "apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": where}], "users": [{"name": "u", "user": who}]}
        file.write_text(json.dumps(config))
        # Without contexts nothing says which cluster is meant.
        assert "localhost:8080 was refused" in refusal(cluster, f"--kubeconfig={file}", "get", "nodes")
        assert cluster.kubectl(f"--kubeconfig={file}", "--cluster=c", "--user=u", "get", "nodes", "-o", "name") == "node/node1\n"
        config["contexts"] = [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "kube-system"}}]
        file.write_text(json.dumps(config | {"current-context": "x"}))
        assert "deployment.apps/coredns" in cluster.kubectl(f"--kubeconfig={file}", "get", "deployments", "-o", "name")


@pytest.mark.req("KCF-01", "KCT-07")
def test_config_commands_change_the_file(two: tuple[AtHome, AtHome], tmp_path: Path) -> None:
    cluster, _ = two
    file = f"--kubeconfig={tmp_path / 'new.conf'}"

    said = [
        cluster.kubectl("config", file, "set-cluster", "c", "--server=https://192.0.2.1:6443"),
        cluster.kubectl("config", file, "set-credentials", "u", "--token=geheim"),
        cluster.kubectl("config", file, "set-context", "x", "--cluster=c", "--user=u", "--namespace=n"),
        cluster.kubectl("config", file, "use-context", "x"),
        cluster.kubectl("config", file, "rename-context", "x", "y"),
    ]

    assert said == ['Cluster "c" set.\n', 'User "u" set.\n', 'Context "x" created.\n', 'Switched to context "x".\n',
                    'Context "x" renamed to "y".\n']
    assert cluster.kubectl("config", file, "get-clusters") == "NAME\nc\n"
    assert cluster.kubectl("config", file, "view", "-o", "jsonpath={.contexts[0].context.namespace}") == "n"
    assert cluster.kubectl("config", file, "unset", "contexts") == 'Property "contexts" unset.\n'
    assert "deleted cluster c" in cluster.kubectl("config", file, "delete-cluster", "c")
