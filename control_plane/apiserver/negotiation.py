"""Which representation the client wants, from its Accept header. Follows apiserver's endpoints/handlers/negotiation.

A request may name several, best first; `application/json;as=Table;v=v1;g=meta.k8s.io` asks for a transformed answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kube.apimachinery.errors import BadRequest, NotAcceptable, UnsupportedMediaType

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES: Final = (JSON, YAML, PROTOBUF)
STREAM_TYPES: Final = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")

TABLE: Final = "Table"
PARTIAL_METADATA: Final = "PartialObjectMetadata"
PARTIAL_METADATA_LIST: Final = "PartialObjectMetadataList"
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_PEOPLE: Final = ("curl", "Wget", "Mozilla/5.0")      # user agents
_TRANSFORMS: Final = frozenset({TABLE, PARTIAL_METADATA, PARTIAL_METADATA_LIST})


@dataclass(frozen=True, slots=True)
class Representation:
    """A media type, and what the object is turned into first ("" leaves it as it is)."""

    media_type: str
    transform: str = ""
    transform_version: str = "v1"
    pretty: bool = False


PLAIN_JSON: Final = Representation(JSON)


@dataclass(frozen=True, slots=True)
class MediaRange:
    media_type: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")


_ANYTHING: Final = MediaRange("*/*", (), 1.0)


@lru_cache(maxsize=256)
def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """The ranges of an Accept header, the most wanted first: by quality, then those that name a type; 0 excludes nothing, as upstream."""
    ranges: list[MediaRange] = []
    for one in _ranges(header):
        at = len(ranges)
        while at and _before(one, ranges[at - 1]):      # Upstream's order is no total one: only this way of sorting gives the same.
            at -= 1
        ranges.insert(at, one)
    return tuple(ranges)


def _before(one: MediaRange, other: MediaRange) -> bool:
    if one.quality > other.quality:
        return True
    (kind, _, sub), (other_kind, _, other_sub) = one.media_type.partition("/"), other.media_type.partition("/")
    return (kind != "*" and other_kind == "*") or (sub != "*" and other_sub == "*")


def _ranges(header: str) -> Iterator[MediaRange]:
    for item in header.split(","):
        media_type, *rest = (part.strip(" ") for part in item.split(";"))
        if media_type == "*":
            media_type = "*/*"
        if media_type.count("/") != 1:
            continue
        quality, parameters = 1.0, []
        for part in rest:
            key, has_value, value = part.partition("=")
            if key.strip(" ") == "q":
                quality = _quality(value)
            elif has_value:
                parameters.append((key.strip(" "), value.strip(" ")))
        yield MediaRange(media_type, tuple(parameters), quality)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def serves(media_range: str, media_type: str) -> bool:
    """Whether a range of an Accept header covers the type."""
    return media_range in (media_type, "*/*") or (media_range.endswith("/*") and media_type.startswith(media_range[:-1]))


@lru_cache(maxsize=256)
def negotiate(
    header: str, *, transforms: bool = True, tables: bool = True, stream: bool = False, binary: bool = True
) -> Representation:
    """The first wanted representation that can be served. Raises NotAcceptable with the list of those that can.

    `stream` is a watch, `binary` says whether objects have a protobuf form (custom ones have none; their metadata has), `tables`
    whether they have a table.
    """
    for wanted in parse_accept(header) if header else (_ANYTHING,):
        for media_type in MEDIA_TYPES:
            if serves(wanted.media_type, media_type) and _offers(
                wanted, media_type, transforms=transforms and (tables or wanted.parameter("as") != TABLE), binary=binary
            ):
                if stream and media_type == YAML:
                    raise not_acceptable(STREAM_TYPES)
                return Representation(
                    media_type, wanted.parameter("as"), wanted.parameter("v") or "v1", pretty=wanted.parameter("pretty") == "1",
                )
    raise not_acceptable(STREAM_TYPES if stream else MEDIA_TYPES)


def _offers(wanted: MediaRange, media_type: str, *, transforms: bool, binary: bool) -> bool:
    """Whether the range's parameters can be met in that media type; if not, the next range is looked at."""
    if (streamed := wanted.parameter("stream")) and (streamed != "watch" or media_type == YAML):
        return False
    if not any(wanted.parameter(name) for name in ("as", "g", "v")):
        return binary or media_type != PROTOBUF
    transform = wanted.parameter("as")
    known = transform in _TRANSFORMS and wanted.parameter("g") == "meta.k8s.io" and wanted.parameter("v") in ("v1", "v1beta1")
    return transforms and known and (transform != TABLE or media_type != PROTOBUF)


def not_acceptable(offered: tuple[str, ...]) -> NotAcceptable:
    """In the words of upstream's handlers."""
    return NotAcceptable("only the following media types are accepted: " + ", ".join(offered))


@lru_cache(maxsize=256)
def check_route_produces(header: str, *, streams: bool) -> None:
    """Upstream's router looks at Accept before any handler does: parameters are cut off, `application/*` is no type that it knows.

    `streams` where the route can be a watch. Raises NotAcceptable in the router's words.
    """
    names = {item.partition(";")[0].strip(" ") for item in header.split(",")}
    if header and "*/*" not in names and names.isdisjoint(MEDIA_TYPES):
        offered = MEDIA_TYPES + STREAM_TYPES if streams else MEDIA_TYPES
        raise NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {', '.join(offered)}", details={})


def is_pretty(query: Mapping[str, str], user_agent: str) -> bool:
    """The query parameter decides; without one those programs get indented JSON behind which somebody reads."""
    if text := query.get("pretty", ""):
        return text in _TRUE
    return user_agent.startswith(_PEOPLE)


def check_include_object(value: str) -> None:
    """The query parameter of Tables. Raises BadRequest."""
    if value not in ("", "Object", "Metadata", "None"):
        raise BadRequest(
            "Unable to convert to Table as requested: "
            f'includeObject: Invalid value: "{value}": must be \'Metadata\', \'Object\', \'None\', or empty'
        )


def body_media_type(content_type: str) -> str:
    """The media type of a request body; JSON when the client names none."""
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if not content_type:
        return JSON
    media_type = media_type.lower()
    if media_type not in MEDIA_TYPES or not all("=" in one for one in parameters if one):
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(MEDIA_TYPES)
        )
    return media_type
