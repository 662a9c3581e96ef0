"""Rules of the newer kinds, each by the sentence that kube-apiserver v1.37.1 answered: devices, trust bundles, migrations, Events."""

from __future__ import annotations

import base64
import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.pod_defaults import default_pull_policy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

EXACTLY = {"deviceClassName": "gpu", "tolerations": [{"key": "a", "effect": "NoSchedule"}]}
SLICE = {"driver": "a.b", "nodeName": "n", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}}
EVENT = {
    "regarding": {"kind": "Pod", "namespace": "d", "name": "x"}, "reason": "r", "action": "a", "type": "Normal",
    "eventTime": "2026-01-02T03:04:05.000000Z", "reportingController": "a.b/c", "reportingInstance": "i",
}


def strategy(path: str) -> Strategy:
    plural, _, group = path.partition(".")
    resource = SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


def created(path: str, content: dict[str, Any]) -> dict[str, Any]:
    rules, content = strategy(path), copy.deepcopy(content)
    metadata = {"name": "x", "uid": "u", **({"namespace": "d"} if rules.resource.namespaced else {}), **content.pop("metadata", {})}
    obj = {"metadata": metadata, **content}
    rules.default(obj)
    rules.prepare_for_create(obj)
    return obj


def problems(path: str, content: dict[str, Any], old: dict[str, Any] | None = None) -> str:
    obj = created(path, content)
    causes = strategy(path).validate(obj) if old is None else strategy(path).validate_update(obj, created(path, old))
    return " | ".join(f"{cause.field}: {cause.message}" for cause in causes)


def claim(*requests: dict[str, Any], **devices: Any) -> dict[str, Any]:
    return {"spec": {"devices": {"requests": [*requests], **devices}}}


def certificate(*, ca: bool) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.add_extension(x509.BasicConstraints(ca, None), critical=True).sign(key, hashes.SHA256()), key


def pem(*, ca: bool) -> str:
    return certificate(ca=ca)[0].public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(("path", "content", "said"), [
    ("resourceclaims.resource.k8s.io", claim({"name": "a"}),
     "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"),
    ("resourceclaims.resource.k8s.io", claim({"name": "a", "exactly": {}}),
     "spec.devices.requests[0].exactly.deviceClassName: Required value"),
    ("resourceclaims.resource.k8s.io", claim({"name": "a", "exactly": {**EXACTLY, "allocationMode": "All", "count": 2}}),
     "spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"),
    ("resourceclaims.resource.k8s.io",
     claim({"name": "a", "exactly": EXACTLY}, constraints=[{"requests": ["b"], "matchAttribute": "a.b/c"}]),
     'spec.devices.constraints[0].requests[0]: Invalid value: "b": must be the name of a request in the claim or the name of a request and '
     "a subrequest separated by '/'"),
    ("resourceclaims.resource.k8s.io", claim({"name": "a", "exactly": EXACTLY}, config=[{"opaque": {"driver": "a.b"}}]),
     "spec.devices.config[0].opaque.parameters: Required value"),
    ("deviceclasses.resource.k8s.io", {"spec": {"selectors": [{}]}}, "spec.selectors[0].cel: Required value"),
    ("resourceslices.resource.k8s.io", {"spec": {**SLICE, "allNodes": True}},
     'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is '
     "required, but multiple fields are set"),
    ("resourceslices.resource.k8s.io", {"spec": {**SLICE, "devices": [{"name": "d", "attributes": {"v": {"version": "1"}}}]}},
     'spec.devices[0].attributes[v].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0'),
    ("resourceslices.resource.k8s.io", {"spec": {**SLICE, "devices": [{"name": "d"}, {"name": "d"}]}},
     'spec.devices[1]: Duplicate value: "d"'),
    ("storageversionmigrations.storagemigration.k8s.io", {"spec": {"resource": {"group": "a.b"}}},
     "spec.resource.resource: Required value: resource is required to be set"),
    ("clustertrustbundles.certificates.k8s.io", {"spec": {"trustBundle": ""}},
     'spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided'),
    ("clustertrustbundles.certificates.k8s.io", {"spec": {"trustBundle": pem(ca=False)}},
     'spec.trustBundle: Invalid value: "<value omitted>": entry 0 does not have the CA bit set'),
    ("clustertrustbundles.certificates.k8s.io", {"spec": {"signerName": "a.b/c", "trustBundle": pem(ca=True)}},
     'metadata.name: Invalid value: "x": ClusterTrustBundle for signerName a.b/c must be named with prefix a.b:c:'),
    ("clusterroles.rbac.authorization.k8s.io", {"aggregationRule": {}},
     "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"),
    ("controllerrevisions.apps", {"revision": 1, "data": "x"}, "data: Required value: data must be a valid JSON object"),
    ("events.events.k8s.io", {**EVENT, "type": "Bad"}, 'type: Invalid value: "": has invalid value: Bad'),
    ("events.events.k8s.io", {**EVENT, "series": {"count": 1}},
     'series.count: Invalid value: "": should be at least 2 | series.lastObservedTime: Required value'),
    ("events.events.k8s.io", {**EVENT, "deprecatedCount": 1}, 'count: Invalid value: "": needs to be unset'),
])
def test_what_is_wrong_is_said_as_upstream_says_it(path: str, content: dict[str, Any], said: str) -> None:
    assert problems(path, content) == said


@pytest.mark.parametrize(("path", "old", "new", "said"), [
    ("storageversionmigrations.storagemigration.k8s.io", {"spec": {"resource": {"group": "a.b", "resource": "x"}}},
     {"spec": {"resource": {"resource": "x"}}}, 'spec: Invalid value: {"Resource":{"group":"","resource":"x"}}: field is immutable'),
    ("resourceslices.resource.k8s.io", {"spec": SLICE}, {"spec": {**SLICE, "driver": "c.d"}},
     'spec.driver: Invalid value: "c.d": field is immutable'),
    ("events.events.k8s.io", EVENT, {**EVENT, "note": "new"}, 'message: Invalid value: "new": field is immutable'),
])
def test_what_may_not_change(path: str, old: dict[str, Any], new: dict[str, Any], said: str) -> None:
    assert problems(path, new, old) == said


def test_objects_in_order() -> None:
    name = {"metadata": {"name": "a.b:c:x"}}
    assert problems("clustertrustbundles.certificates.k8s.io", {**name, "spec": {"signerName": "a.b/c", "trustBundle": pem(ca=True)}}) == ""
    assert problems("resourceclaims.resource.k8s.io", claim({"name": "a", "exactly": EXACTLY})) == ""
    assert problems("events.events.k8s.io", EVENT) == ""
    assert problems("events", {"metadata": {"name": "X_1"}, "involvedObject": {"namespace": "d"}}) == ""


def test_a_claim_gets_its_defaults() -> None:
    made = created("resourceclaims.resource.k8s.io", claim({"name": "a", "exactly": EXACTLY}))
    request = made["spec"]["devices"]["requests"][0]["exactly"]

    assert (request["allocationMode"], request["count"], request["tolerations"][0]["operator"]) == ("ExactCount", 1, "Equal")


def test_a_limit_range_without_a_name_gets_one() -> None:
    assert created("limitranges", {"metadata": {"name": ""}, "spec": {}})["metadata"]["name"]


@pytest.mark.parametrize(("kind", "said"), [
    ("pair", []), ("other key", ["tls: private key does not match public key"]),
    ("no key", ["tls: failed to find any PEM data in key input"]), ("nothing", ["tls: failed to find any PEM data in certificate input"]),
])
def test_a_tls_secret_warns_of_what_is_no_pair(kind: str, said: list[str]) -> None:
    leaf, key = certificate(ca=False)
    other = ec.generate_private_key(ec.SECP256R1()) if kind == "other key" else key
    private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    data = {"tls.crt": leaf.public_bytes(Encoding.PEM) if kind != "nothing" else b"x", "tls.key": private if kind != "no key" else b"x"}
    secret = {"type": "kubernetes.io/tls", "data": {name: base64.b64encode(value).decode() for name, value in data.items()}}

    assert strategy("secrets").warnings(created("secrets", secret), None) == said


@pytest.mark.parametrize(("image", "policy"), [
    ("busybox", "Always"), ("busybox:latest", "Always"), ("busybox:1", "IfNotPresent"), ("localhost:5000/a/b", "Always"),
    ("HOST.example/a", "Always"), ("Upper", "IfNotPresent"), ("a b", "IfNotPresent"), ("x@sha256:" + "0" * 64, "IfNotPresent"),
])
def test_images_that_are_pulled_each_time(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy
