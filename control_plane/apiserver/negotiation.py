"""Which representation the client wants, from its Accept header. Follows apiserver's endpoints/handlers/negotiation.

A request may name several, best first; `application/json;as=Table;v=v1;g=meta.k8s.io` asks for a transformed answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kube.apimachinery.errors import NotAcceptable, UnsupportedMediaType

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES: Final = (JSON, YAML, PROTOBUF)
STREAM_MEDIA_TYPES: Final = (JSON, PROTOBUF)

TABLE: Final = "Table"
PARTIAL_METADATA: Final = "PartialObjectMetadata"
PARTIAL_METADATA_LIST: Final = "PartialObjectMetadataList"
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


@lru_cache(maxsize=256)
def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """The ranges of an Accept header, the most wanted first."""
    ranges = list(_ranges(header))
    return tuple(sorted(ranges, key=lambda one: -one.quality))


def _ranges(header: str) -> Iterator[MediaRange]:
    for item in header.split(","):
        media_type, *rest = (part.strip() for part in item.split(";"))
        if not media_type:
            continue
        quality, parameters = 1.0, []
        for part in rest:
            key, _, value = part.partition("=")
            if key.strip().lower() == "q":
                quality = _quality(value)
            else:
                parameters.append((key.strip(), value.strip().strip('"')))
        yield MediaRange(media_type.lower(), tuple(parameters), quality)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _serves(media_range: str, media_type: str) -> bool:
    return media_range in (media_type, "*/*") or (media_range.endswith("/*") and media_type.startswith(media_range[:-1]))


@lru_cache(maxsize=256)
def negotiate(header: str, *, transforms: bool = True, stream: bool = False, binary: bool = True) -> Representation:
    """The first wanted representation that can be served. Raises NotAcceptable with the list of those that can."""
    offered: tuple[str, ...] = STREAM_MEDIA_TYPES if stream else MEDIA_TYPES
    if not binary:
        offered = tuple(media_type for media_type in offered if media_type != PROTOBUF)
    for wanted in parse_accept(header or "*/*"):
        for media_type in offered:
            if not _serves(wanted.media_type, media_type):
                continue
            transform = wanted.parameter("as")
            if not transform:
                return Representation(media_type, pretty=wanted.parameter("pretty") == "1")
            version = wanted.parameter("v")
            known = transform in _TRANSFORMS and wanted.parameter("g") == "meta.k8s.io" and version in ("v1", "v1beta1")
            if known and transforms:
                return Representation(media_type, transform, version)
    raise NotAcceptable("only the following media types are accepted: " + ", ".join(offered))


def body_media_type(content_type: str) -> str:
    """The media type of a request body; JSON when the client names none."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type or media_type == "*/*":
        return JSON
    if media_type not in MEDIA_TYPES:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(MEDIA_TYPES)
        )
    return media_type
