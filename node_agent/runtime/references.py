"""Names of images as Pods and archives write them. Follows distribution/reference."""

from __future__ import annotations

import re
from typing import NamedTuple

from node_agent.runtime.model import RuntimeServiceError

DEFAULT_REGISTRY, OLD_REGISTRY = "docker.io", "index.docker.io"
MAX_REPOSITORY = 255
DIGEST_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<registry>{_DOMAIN})/(?P<repository>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
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
    """As Docker reads it: "busybox" is docker.io/library/busybox:latest. Raises InvalidImageNameError in upstream's words."""
    if re.fullmatch("[a-f0-9]{64}", text):
        raise _invalid(text, f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    registry, rest = _split(text)
    repository = rest.partition(":")[0]
    if repository != repository.lower():
        raise _invalid(text, f"invalid reference format: repository name ({repository}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{registry}/{rest}")
    if match is None:
        raise _invalid(text, "invalid reference format")
    if len(match["repository"]) > MAX_REPOSITORY:
        raise _invalid(text, f"repository name must not be more than {MAX_REPOSITORY} characters")
    tag, digest = match["tag"] or "", match["digest"] or ""
    if digest:
        _check_digest(text, digest)
    return Reference(registry, match["repository"], tag or ("" if digest else "latest"), digest)


def _split(text: str) -> tuple[str, str]:
    """Registry and the rest: what stands before the first slash is a host if it looks like one, or could be nothing else."""
    first, slash, rest = text.partition("/")
    if slash and first == OLD_REGISTRY:
        first = DEFAULT_REGISTRY
    if not slash or not (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        first, rest = DEFAULT_REGISTRY, text
    return first, f"library/{rest}" if first == DEFAULT_REGISTRY and "/" not in rest else rest


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, digits = digest.partition(":")
    if algorithm not in DIGEST_DIGITS:
        raise _invalid(text, "unsupported digest algorithm")
    if len(digits) != DIGEST_DIGITS[algorithm]:
        raise _invalid(text, "invalid checksum digest length")
    if digits != digits.lower():
        raise _invalid(text, "invalid checksum digest format")


def _invalid(text: str, why: str) -> InvalidImageNameError:
    return InvalidImageNameError(f'couldn\'t parse image name "{text}": {why}')


def is_image_id(text: str) -> bool:
    """Whether a Pod names an image by the digest of its configuration alone."""
    return _IMAGE_ID.fullmatch(text) is not None
