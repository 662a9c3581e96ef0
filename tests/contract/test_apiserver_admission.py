"""Admission plugins of a real apiserver, switched and configured, as kubectl meets them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.apiserver import Kubectl, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

LIMITS = """
apiVersion: v1
kind: LimitRange
metadata: {name: bounds}
spec: {limits: [{type: Container, max: {memory: 128Mi}, default: {memory: 64Mi}}]}
"""
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubectl(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kubectl]:
    folder = tmp_path_factory.mktemp("admission")
    (folder / "security.yaml").write_text(json.dumps({
        "apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration", "defaults": {"enforce": "baseline"},
    }))
    (folder / "admission.yaml").write_text(json.dumps({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "path": "security.yaml"}],
    }))
    async with running_apiserver(
        folder, enable_admission_plugins=("NamespaceAutoProvision", "AlwaysPullImages"),
        disable_admission_plugins=("LimitRanger", "ServiceAccount"), admission_control_config_file=str(folder / "admission.yaml"),
    ) as server:
        yield Kubectl(server.kubeconfig())


@pytest.mark.req("ADM-02")
async def test_a_plugin_that_is_off_does_nothing_and_one_that_is_on_does(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=LIMITS)
    made = json.loads(await kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(POD)))
    (container,) = made["spec"]["containers"]
    assert container["resources"] == {}
    assert container["imagePullPolicy"] == "Always"


async def test_a_namespace_comes_with_what_is_first_made_in_it(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "c", "-n", "sudden", "--dry-run=server", fails=True)
    await kubectl("create", "configmap", "c", "-n", "sudden")
    assert (await kubectl("get", "namespace", "sudden", "-o", "jsonpath={.status.phase}")) == "Active"


@pytest.mark.req("ADM-12")
async def test_pod_security_speaks_through_kubectl(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "team")
    host = json.dumps(POD | {"spec": {**POD["spec"], "hostNetwork": True}})      # type: ignore[dict-item]
    by_default = await kubectl("create", "-n", "team", "-f", "-", stdin=host, fails=True)
    await kubectl("create", "-n", "team", "-f", "-", stdin=json.dumps(POD))
    warned = await kubectl(
        "label", "--warnings-as-errors", "namespace", "team", "pod-security.kubernetes.io/enforce=restricted", fails=True)
    workload = await kubectl("create", "-n", "team", "--warnings-as-errors", "-f", "-", stdin=json.dumps(DEPLOYMENT), fails=True)
    wrong = await kubectl("label", "namespace", "team", "pod-security.kubernetes.io/warn=most", fails=True)

    assert 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in by_default
    assert 'Warning: existing pods in namespace "team" violate the new PodSecurity enforce level "restricted:latest"' in warned
    assert "Warning: p: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile" in warned
    assert 'Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set' in workload
    assert 'metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: "most": must be one of privileged, baseline' in wrong


async def test_an_apiserver_with_a_wrong_configuration_says_so_and_ends(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "admission.yaml").write_text(json.dumps({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": [{"name": "PodSecurity", "configuration": {"kind": "Other"}}],
    }))
    with pytest.raises(AssertionError, match="kube-apiserver: PodSecurity: no kind PodSecurityConfiguration of pod-security"):
        async with running_apiserver(folder, admission_control_config_file=str(folder / "admission.yaml")):
            pass
