"""Which representation a client wants."""

import pytest

from control_plane.apiserver.negotiation import JSON, PROTOBUF, YAML, Representation, body_media_type, negotiate
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
