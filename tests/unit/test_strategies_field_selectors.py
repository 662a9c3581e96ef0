"""Which fields of a kind a selector may ask for, and the sentence for the others, as kube-apiserver v1.37.1 has them."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

SLICE = "resourceslices.resource.k8s.io"
REQUEST = "podcertificaterequests.certificates.k8s.io"


def strategy(path: str) -> Strategy:
    plural, _, group = path.partition(".")
    resource = SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


@pytest.mark.parametrize(("path", "spec", "key", "value"), [
    pytest.param(REQUEST, {"signerName": "a/b"}, "spec.signerName", "a/b", id="signer of a Pod's certificate"),
    pytest.param(REQUEST, {"podName": "p"}, "spec.podName", "p", id="Pod of a certificate"),
    pytest.param(REQUEST, {"nodeName": "n"}, "spec.nodeName", "n", id="node of a Pod's certificate"),
    pytest.param(SLICE, {"driver": "a.b"}, "spec.driver", "a.b", id="driver of a slice"),
    pytest.param(SLICE, {"pool": {"name": "p"}}, "spec.pool.name", "p", id="pool of a slice"),
    pytest.param("clustertrustbundles.certificates.k8s.io", {"signerName": "a/b"}, "spec.signerName", "a/b", id="signer of a bundle"),
    pytest.param("pods", {"nodeName": "n"}, "spec.host", "n", id="a Pod's node by its old name"),
    pytest.param("pods", {}, "status.podIPs", "", id="known without a value"),
])
def test_field_that_a_selector_finds(path: str, spec: dict[str, Any], key: str, value: str) -> None:
    rules = strategy(path)
    assert (rules.unsupported_field(key), rules.fields({"metadata": {"name": "x"}, "spec": spec}).get(key)) == ("", value)


@pytest.mark.parametrize(("path", "key", "sentence"), [
    pytest.param(REQUEST, "metadata.namespace", "field label not supported: metadata.namespace", id="requests know no namespace"),
    pytest.param(SLICE, "spec.x", "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x", id="slices"),
    pytest.param("jobs.batch", "spec.x", 'field label "spec.x" not supported for Job', id="jobs"),
    pytest.param("nodes", "metadata.namespace", "field label not supported: metadata.namespace", id="nodes"),
    pytest.param("persistentvolumes", "metadata.namespace", "", id="volumes, in no namespace"),
    pytest.param("ipaddresses.networking.k8s.io", "spec.parentRef.name",
                 '"spec.parentRef.name" is not a known field selector: only "metadata.name", "metadata.namespace"', id="addresses"),
])
def test_field_that_is_not_known(path: str, key: str, sentence: str) -> None:
    assert strategy(path).unsupported_field(key) == sentence
