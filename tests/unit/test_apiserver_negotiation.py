"""Which representation a client wants."""

import pytest

from control_plane.apiserver.negotiation import (
    JSON,
    PROTOBUF,
    YAML,
    Representation,
    body_media_type,
    check_route_produces,
    is_pretty,
    negotiate,
)
from kube.apimachinery.errors import NotAcceptable, UnsupportedMediaType

TABLE_V1 = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(("accept", "expected"), [
    pytest.param("", Representation(JSON), id="no header"),
    pytest.param("*/*", Representation(JSON), id="anything"),
    pytest.param("application/yaml", Representation(YAML), id="yaml"),
    pytest.param("application/json;q=0.1, application/vnd.kubernetes.protobuf", Representation(PROTOBUF), id="by quality"),
    pytest.param(f"{TABLE_V1},application/json", Representation(JSON, "Table", "v1"), id="kubectl"),
    pytest.param("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Representation(JSON), id="unknown version falls through"),
    pytest.param(
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Representation(JSON, "PartialObjectMetadataList", "v1"),
        id="metadata",
    ),
    pytest.param("text/html, application/json", Representation(JSON), id="the first that is served"),
])
def test_negotiate(accept: str, expected: Representation) -> None:
    assert negotiate(accept) == expected


def test_what_is_not_served_is_named_with_what_is() -> None:
    with pytest.raises(NotAcceptable, match="only the following media types are accepted: application/json, application/yaml"):
        negotiate("text/html")


def test_a_stream_is_never_yaml() -> None:
    with pytest.raises(NotAcceptable):
        negotiate("application/yaml", stream=True)


def test_body_of_unknown_type_is_refused_with_upstreams_words() -> None:
    with pytest.raises(UnsupportedMediaType, match="the body of the request was in an unknown format - accepted media types include"):
        body_media_type("text/plain")


@pytest.mark.parametrize(("accept", "expected"), [
    pytest.param("application/json;q=0.5,application/yaml;q=0.9", YAML, id="by quality"),
    pytest.param("*/*, application/yaml", YAML, id="a named type before any"),
    pytest.param("application/yaml;q=0.1,*/*;q=0.2", JSON, id="any type, if wanted more"),
    pytest.param("application/json;q=0", JSON, id="nothing is excluded by 0"),
    pytest.param("application/cbor,application/json", JSON, id="cbor is off"),
    pytest.param("application/json;stream=foo,application/yaml", YAML, id="no such stream"),
])
def test_ranges_are_taken_in_upstreams_order(accept: str, expected: str) -> None:
    assert negotiate(accept).media_type == expected


@pytest.mark.parametrize("accept", ["application/cbor", "application/*", "APPLICATION/JSON", "text/html;q=1", ";"])
def test_the_router_refuses_first_and_in_its_own_words(accept: str) -> None:
    with pytest.raises(NotAcceptable) as error:
        check_route_produces(accept, streams=False)

    assert str(error.value).startswith("406: Not Acceptable\n\nAvailable representations: application/json, application/yaml")
    assert error.value.to_status()["details"] == {}


def test_what_has_no_protobuf_form() -> None:
    table = f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io"

    assert negotiate(f"{table},{TABLE_V1}") == Representation(JSON, "Table", "v1")
    assert negotiate(f"{PROTOBUF},application/json", binary=False) == Representation(JSON)
    assert negotiate(f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io", binary=False).media_type == PROTOBUF
    with pytest.raises(NotAcceptable):
        negotiate(table)


@pytest.mark.parametrize(("query", "agent", "pretty"), [
    ({}, "curl/8", True), ({}, "kubectl/v1.37", False), ({"pretty": "0"}, "curl/8", False), ({"pretty": "true"}, "x", True),
    ({"pretty": "x"}, "x", False), ({"pretty": ""}, "Wget/1", True),
])
def test_who_gets_indented_json(query: dict[str, str], agent: str, pretty: bool) -> None:
    assert is_pretty(query, agent) is pretty
