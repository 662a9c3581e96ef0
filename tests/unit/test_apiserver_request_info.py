"""What a request is about, read from method, path and query."""

import pytest

from control_plane.apiserver.request_info import parse_request


@pytest.mark.parametrize(("method", "path", "query", "expected"), [
    pytest.param("GET", "/api/v1/namespaces/a/pods/p", {}, ("get", "", "v1", "pods", "", "a", "p"), id="get"),
    pytest.param("GET", "/api/v1/pods", {}, ("list", "", "v1", "pods", "", "", ""), id="list everywhere"),
    pytest.param("GET", "/api/v1/pods", {"watch": "1"}, ("watch", "", "v1", "pods", "", "", ""), id="watch"),
    pytest.param("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "", "v1", "pods", "", "", ""), id="watch=true"),
    pytest.param("GET", "/api/v1/pods", {"watch": "0"}, ("list", "", "v1", "pods", "", "", ""), id="watch=0"),
    pytest.param("GET", "/api/v1/watch/namespaces/a/pods", {}, ("watch", "", "v1", "pods", "", "a", ""), id="old watch path"),
    pytest.param("GET", "/api/v1/namespaces/a", {}, ("get", "", "v1", "namespaces", "", "a", "a"), id="a namespace"),
    pytest.param("PUT", "/api/v1/namespaces/a/finalize", {}, ("update", "", "v1", "namespaces", "finalize", "a", "a"), id="finalize"),
    pytest.param(
        "PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", {}, ("patch", "apps", "v1", "deployments", "scale", "a", "d"),
        id="subresource",
    ),
    pytest.param("DELETE", "/api/v1/namespaces/a/pods", {}, ("deletecollection", "", "v1", "pods", "", "a", ""), id="deletecollection"),
    pytest.param(
        "GET", "/api/v1/namespaces/a/pods", {"fieldSelector": "metadata.name=p"}, ("list", "", "v1", "pods", "", "a", "p"),
        id="a selector on one name",
    ),
    pytest.param("HEAD", "/api/v1/nodes/n", {}, ("get", "", "v1", "nodes", "", "", "n"), id="head"),
])
def test_resource_paths(method: str, path: str, query: dict[str, str], expected: tuple[str, ...]) -> None:
    info = parse_request(method, path, query)

    assert info.is_resource
    assert (info.verb, info.group, info.version, info.resource, info.subresource, info.namespace, info.name) == expected


@pytest.mark.parametrize("path", ["/", "/api", "/apis", "/api/v1", "/apis/apps/v1", "/healthz/etcd", "/openapi/v2"])
def test_other_paths_are_no_resources(path: str) -> None:
    info = parse_request("GET", path, {})

    assert not info.is_resource
    assert (info.verb, info.path) == ("get", path)
