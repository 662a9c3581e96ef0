"""Names of images as Pods and archives write them. Follows distribution/reference."""

from __future__ import annotations

import re
from typing import NamedTuple

from node_agent.runtime.model import RuntimeServiceError

DEFAULT_REGISTRY = "docker.io"
MAX_NAME = 255
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[a-z0-9+._-]+:[0-9a-fA-F]{32,}))?"
)
_IMAGE_ID = re.compile("sha256:[0-9a-f]{64}")


class InvalidImageNameError(RuntimeServiceError):
    """A reference that no registry could serve."""


class Reference(NamedTuple):
    """registry/repository:tag@digest; `str()` is the canonical form."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    @property
    def stored(self) -> str:
        """What an image store knows it by: a digest says all, and a tag beside it nothing."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """As Docker reads it: "busybox" is docker.io/library/busybox:latest. Raises InvalidImageNameError."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise InvalidImageNameError(f"couldn't parse image name {text!r}: invalid reference format")
    name, tag, digest = match["name"], match["tag"] or "", match["digest"] or ""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = DEFAULT_REGISTRY, name
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = "library/" + repository
    if not re.fullmatch(f"{_COMPONENT}(?:/{_COMPONENT})*", repository):     # upper case is for registries only
        raise InvalidImageNameError(f"couldn't parse image name {text!r}: invalid reference format")
    if len(registry) + 1 + len(repository) > MAX_NAME:
        raise InvalidImageNameError(f"couldn't parse image name {text!r}: repository name must not be more than {MAX_NAME} characters")
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def is_image_id(text: str) -> bool:
    """Whether a Pod names an image by the digest of its configuration alone."""
    return _IMAGE_ID.fullmatch(text) is not None
