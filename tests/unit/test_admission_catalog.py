"""Which admission plugins there are, how they are switched, and what the help says of them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from control_plane.apiserver import app
from control_plane.apiserver.admission.catalog import ADMISSION_CHAIN, switched, switches_help
from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.configuration import load_configuration
from control_plane.apiserver.admission.plugin import AdmissionContext
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.resources import SCHEME
from kube.process.config import ConfigError
from launcher.cluster.settings import ClusterSettings
from tests.support.memory_store import memory_cache

# As kube-apiserver v1.37 asks them.
ORDER = (
    "AlwaysAdmit", "NamespaceAutoProvision", "NamespaceLifecycle", "NamespaceExists", "LimitPodHardAntiAffinityTopology", "LimitRanger",
    "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "AlwaysPullImages", "ImagePolicyWebhook", "PodSecurity",
    "PodNodeSelector", "Priority", "DefaultTolerationSeconds", "PodTolerationRestriction", "EventRateLimit",
    "ExtendedResourceToleration", "DefaultStorageClass", "StorageObjectInUseProtection", "PodGroupProtection",
    "OwnerReferencesPermissionEnforcement", "PersistentVolumeClaimResize", "RuntimeClass", "CertificateApproval", "CertificateSigning",
    "ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass", "DenyServiceExternalIPs", "PodTopologyLabels",
    "NodeDeclaredFeatureValidator", "PodResizeValidator", "MutatingAdmissionPolicy", "MutatingAdmissionWebhook",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook", "ResourceQuota", "AlwaysDeny",
)
OFF = {
    "AlwaysAdmit", "NamespaceAutoProvision", "NamespaceExists", "LimitPodHardAntiAffinityTopology", "AlwaysPullImages",
    "ImagePolicyWebhook", "PodNodeSelector", "PodTolerationRestriction", "EventRateLimit", "ExtendedResourceToleration",
    "OwnerReferencesPermissionEnforcement", "DenyServiceExternalIPs", "AlwaysDeny",
}


def test_the_order_is_upstreams() -> None:
    assert tuple(row.name for row in ADMISSION_CHAIN) == ORDER
    assert {row.name for row in ADMISSION_CHAIN if not row.on} == OFF


@pytest.mark.parametrize("row", ADMISSION_CHAIN, ids=lambda row: row.name)
def test_a_row_names_its_plugin(row: object) -> None:
    assert isinstance(row, tuple)
    assert row.load().name == row[0]      # type: ignore[attr-defined]


@pytest.mark.parametrize(("enable", "disable", "message"), [
    pytest.param(["AlwaysAdmitted"], [], 'enable-admission-plugins plugin "AlwaysAdmitted" is unknown', id="unknown on"),
    pytest.param([], ["priority"], 'disable-admission-plugins plugin "priority" is unknown', id="unknown off"),
    pytest.param(
        ["Priority"], ["Priority"], r"\[Priority\] in enable-admission-plugins and disable-admission-plugins overlapped", id="both",
    ),
])
def test_a_wrong_switch_is_refused_before_anything_starts(enable: list[str], disable: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        switched(enable, disable)
    with pytest.raises(ConfigError, match=f"apiserver: {message}"):
        ClusterSettings(apiserver={"enable_admission_plugins": enable, "disable_admission_plugins": disable})


async def test_plugins_are_switched_by_name() -> None:
    async with memory_cache() as (_, cache):
        context = AdmissionContext(cache, SCHEME, Authorizer(cache))
        assert AdmissionChain(context).names == tuple(row.name for row in ADMISSION_CHAIN if row.on)
        assert "Priority" not in AdmissionChain(context, disable=["Priority"]).names


@pytest.mark.req("ADM-02")
def test_the_help_lists_the_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main(["-h"])
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("  --enable-admission-plugins strings ")]

    assert ended.value.code == 0
    defaults, known = ", ".join(name for name in ORDER if name not in OFF), ", ".join(sorted(ORDER))
    assert line.split("strings ", 1)[1].strip() == switches_help()[1] == (
        f"admission plugins that should be enabled in addition to default enabled ones ({defaults}). "
        f"Comma-delimited list of admission plugins: {known}. The order of plugins in this flag does not matter."
    )
    assert {f"--{name}" for name in ("disable-admission-plugins", "admission-control-config-file")} <= {
        word for other in lines for word in other.split()[:1]
    }


def test_a_flag_overrules_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "apiserver.yaml"
    tls = {"cert_file": "/", "key_file": "/", "ca_file": "/"}
    file.write_text(json.dumps({
        "name": "a", "advertise_address": "192.0.2.1", "etcd_tls": tls, "serving_tls": tls, "kubelet_client_tls": tls,
        "service_account_signing_key_file": "/", "service_account_key_files": ["/"], "enable_admission_plugins": ["Priority"],
    }))

    code = app.main(["--config", str(file), "--enable-admission-plugins=Priority,Nonsense", "--disable-admission-plugins", "AlwaysDeny"])

    assert code == 2
    assert capsys.readouterr().err == f'kube-apiserver: {file}: enable-admission-plugins plugin "Nonsense" is unknown\n'


def test_a_plugins_configuration_stands_in_the_file_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "priority.yaml").write_text("a: 1\n")
    file = tmp_path / "admission.yaml"
    file.write_bytes(msgspec.yaml.encode({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
        "plugins": [{"name": "Priority", "path": "priority.yaml"}, {"name": "ServiceAccount", "configuration": {"b": 2}}],
    }))
    assert load_configuration(str(file)) == {"Priority": {"a": 1}, "ServiceAccount": {"b": 2}}
    assert load_configuration("") == {}


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("kind: Pod", "no kind AdmissionConfiguration of apiserver.config.k8s.io/v1", id="kind"),
    pytest.param("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugin: []", "unknown field `plugin`", id="field"),
    pytest.param(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: [{name: X}]", 'plugin "X" is unknown', id="plugin",
    ),
    pytest.param(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins: [{name: Priority, path: none.yaml}]",
        "none.yaml: No such file", id="path",
    ),
])
def test_a_wrong_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_configuration(str(file))
