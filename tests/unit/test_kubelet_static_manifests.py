"""Static Pods out of files."""

from __future__ import annotations

import pytest

from node_agent.kubelet.static_manifests import HASH, ManifestError, content_hash, static_pod

MANIFEST = b"""
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: main, image: nginx}
  - {name: side, image: "busybox:1.36"}
"""


def test_a_manifest_becomes_a_pod_of_the_node() -> None:
    made = static_pod(MANIFEST, "/manifests/web.yaml", "Node1", "2026-11-20T12:00:00Z")

    assert (made.metadata.name, made.metadata.namespace, made.spec.node_name) == ("web-node1", "default", "Node1")
    assert made.metadata.annotations[HASH] == made.metadata.uid == content_hash(made)
    assert [container.image_pull_policy for container in made.spec.containers] == ["Always", "IfNotPresent"]
    assert [(toleration.operator, toleration.effect) for toleration in made.spec.tolerations] == [("Exists", "NoExecute")]


def test_another_text_file_or_node_is_another_pod() -> None:
    texts = [(MANIFEST, "/a", "n1"), (MANIFEST + b"\n", "/a", "n1"), (MANIFEST, "/b", "n1"), (MANIFEST, "/a", "n2")]

    uids = {static_pod(text, file, node, "").metadata.uid for text, file, node in texts}

    assert len(uids) == 4
    assert static_pod(MANIFEST, "/a", "n1", "later").metadata.uid in uids


def spec(text: str, name: str = "x") -> bytes:
    return f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {text}}}".encode()


ONE = "containers: [{name: a, image: b}]"


@pytest.mark.parametrize(("text", "message"), [
    pytest.param(b"kind: [", "yaml", id="no YAML"),
    pytest.param(b"{apiVersion: apps/v1, kind: Deployment}", "not a Pod of v1", id="another kind"),
    pytest.param(spec("{" + ONE + "}", '""'), "name is needed", id="no name"),
    pytest.param(spec("{containers: []}"), "spec.containers: Required value", id="no container"),
    pytest.param(spec("{containers: [{name: a}]}"), "needs a name and an image", id="no image"),
    pytest.param(spec("{containers: [{name: a, image: b}, {name: a, image: b}]}"), "one name", id="same name twice"),
    pytest.param(spec("{serviceAccountName: me, " + ONE + "}"), "may not reference serviceaccounts", id="service account"),
    pytest.param(spec("{volumes: [{name: v, configMap: {name: c}}], " + ONE + "}"), "configmaps (via configmap volumes)", id="volume"),
    pytest.param(
        spec("{volumes: [{name: v, projected: {sources: [{secret: {name: c}}]}}], " + ONE + "}"), "secrets (via projected volumes)",
        id="projected"),
    pytest.param(
        spec("{containers: [{name: a, image: b, envFrom: [{secretRef: {name: s}}]}]}"), "may not reference secrets", id="environment"),
    pytest.param(spec("{containers: [{name: 7, image: b}]}"), "Expected `str`", id="wrong type"),
])
def test_what_cannot_run_without_the_api_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message.replace("(", r"\(").replace(")", r"\)").replace(".", r"\.")):
        static_pod(text, "/f", "n1", "")
