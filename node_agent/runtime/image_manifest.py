"""What an archive holds: images, their names, their layers. Reads docker-archives and OCI layouts, and changes nothing.

An OCI layout says where to begin in index.json; a docker-archive in manifest.json. Docker writes both since version 25: the layout is
preferred, since only it knows the digests. Names follow containerd's import: `io.containerd.image.name`, else
`org.opencontainers.image.ref.name`, which may be a tag alone and then belongs to the archive's own name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from node_agent.runtime.image_archive import Archive, ImageArchiveError, blob_name, read_document, sha256_of
from node_agent.runtime.image_config import ConfigFile, image_config
from node_agent.runtime.model import ImageConfig
from node_agent.runtime.platforms import Platform
from node_agent.runtime.references import InvalidImageNameError, parse_reference

T = TypeVar("T")
CONTAINERD_NAME, OCI_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"
MAX_LAYERS = 127                # as Docker has it, and what fits into one mount
MAX_DEPTH = 4                   # an index in an index in ...
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str = ""
    size: int = 0
    annotations: dict[str, str] | None = None
    platform: Platform | None = None


class Document(msgspec.Struct, rename="camel"):
    """An index or a manifest; the media type is not always there, what is in it is."""

    manifests: list[Descriptor] | None = None
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None


class DockerImage(msgspec.Struct, rename="pascal"):
    """An element of manifest.json."""

    config: str
    layers: list[str] | None = None
    repo_tags: list[str] | None = None


@dataclass(frozen=True, slots=True)
class LayerBlob:
    name: str                   # in the archive
    digest: str                 # of the blob; "" where the archive does not say
    diff_id: str                # of the tar in it


@dataclass(frozen=True, slots=True)
class FoundImage:
    id: str                     # digest of the configuration
    digest: str                 # of what the name stands for: a manifest, or an index of several
    manifest_digest: str
    names: tuple[str, ...]      # canonical, with tag
    config: ImageConfig
    layers: tuple[LayerBlob, ...]       # the lowest first


def find_images(archive: Archive, platform: Platform | None, base_name: str) -> list[FoundImage]:
    """`platform`: None is this machine's. `base_name`: what a tag alone belongs to; "" for nothing. Raises ImageArchiveError."""
    if archive.has("oci-layout") and archive.has("index.json"):
        found = list(_from_layout(archive, platform, base_name))
    elif archive.has("manifest.json"):
        found = [_from_docker(archive, image, platform) for image in decode(read_document(archive, "manifest.json"), list[DockerImage])]
    else:
        raise ImageArchiveError("it is no image: neither index.json with oci-layout (OCI) nor manifest.json (Docker) is in it")
    if not found:
        raise ImageArchiveError("there is no image in it")
    return found


def _from_layout(archive: Archive, platform: Platform | None, base_name: str) -> Iterator[FoundImage]:
    tags = _docker_tags(archive)
    groups: dict[tuple[str, ...], list[Descriptor]] = {}
    for descriptor in decode(read_document(archive, "index.json"), Document).manifests or ():
        groups.setdefault(_names(descriptor, base_name), []).append(descriptor)
    for names, descriptors in groups.items():
        platforms = {descriptor.platform for descriptor in descriptors if descriptor.platform}
        if len(descriptors) > 1 and len(platforms) == len(descriptors):         # one image, its platforms side by side
            descriptors = [_chosen(descriptors, platform)]
        for descriptor in descriptors:
            found = _follow(archive, descriptor, platform)
            yield replace(found, names=tuple(sorted({*names, *tags.get(blob_name(found.id), ())})))


def _docker_tags(archive: Archive) -> dict[str, tuple[str, ...]]:
    """By the configuration's file: what Docker says beside the layout may be more."""
    if not archive.has("manifest.json"):
        return {}
    images = decode(read_document(archive, "manifest.json"), list[DockerImage])
    return {posixpath.normpath(image.config): _canonical(image.repo_tags or []) for image in images}


def _names(descriptor: Descriptor, base_name: str) -> tuple[str, ...]:
    annotations = descriptor.annotations or {}
    name = annotations.get(CONTAINERD_NAME) or annotations.get(OCI_NAME, "")
    if name and not re.search("[/:@]", name):
        name = f"{base_name}:{name}" if base_name else ""
    return _canonical([name] if name else [])


def _canonical(names: Sequence[str]) -> tuple[str, ...]:
    try:
        references = [parse_reference(name) for name in names]
    except InvalidImageNameError as error:
        raise ImageArchiveError(str(error)) from error
    return tuple(sorted({f"{reference.name}:{reference.tag or 'latest'}" for reference in references}))


def _follow(archive: Archive, descriptor: Descriptor, platform: Platform | None) -> FoundImage:
    """From what a name stands for to the manifest of one platform."""
    chosen = descriptor
    for _ in range(MAX_DEPTH):
        document = decode(read_document(archive, blob_name(chosen.digest), chosen.digest), Document)
        if document.manifests is None:
            break
        chosen = _chosen(document.manifests, platform)
    else:
        raise ImageArchiveError(f"{descriptor.digest}: an index in an index in an index")
    if document.config is None or document.layers is None:
        raise ImageArchiveError(f"{chosen.digest} is no manifest of an image")
    content = read_document(archive, blob_name(document.config.digest), document.config.digest)
    config = _config(content, platform)
    names = [(blob_name(layer.digest), layer.digest) for layer in document.layers]
    return FoundImage(
        id=document.config.digest, digest=descriptor.digest, manifest_digest=chosen.digest, names=(), config=image_config(config),
        layers=_layers(config, names),
    )


def _chosen(manifests: Sequence[Descriptor], platform: Platform | None) -> Descriptor:
    try:
        return choose_manifest(manifests, platform)
    except ImageArchiveError as error:
        raise ImageArchiveError(f"{error} (--platform chooses)") from error


def choose_manifest(manifests: Sequence[Descriptor], platform: Platform | None) -> Descriptor:
    """The one of an index that fits best. Raises ImageArchiveError."""
    wanted = platform or Platform.own()
    candidates = [descriptor for descriptor in manifests if descriptor.platform is None or descriptor.platform.os != "unknown"]
    fitting = [descriptor for descriptor in candidates if descriptor.platform is not None and wanted.takes(descriptor.platform)]
    if fitting:
        return min(fitting, key=lambda descriptor: wanted.distance(descriptor.platform or wanted))
    if len(candidates) == 1 and candidates[0].platform is None:
        return candidates[0]
    there = sorted({str(descriptor.platform) for descriptor in candidates if descriptor.platform})
    raise ImageArchiveError(f"it has nothing for {wanted}; it has {', '.join(there) or 'nothing at all'}")


def _from_docker(archive: Archive, image: DockerImage, platform: Platform | None) -> FoundImage:
    content = read_document(archive, image.config)
    identity = sha256_of(content)
    stem = posixpath.basename(image.config).removesuffix(".json")
    if re.fullmatch("[0-9a-f]{64}", stem) and identity != f"sha256:{stem}":
        raise ImageArchiveError(f"{image.config} is damaged: its digest is {identity}")
    config = _config(content, platform)
    layers = _layers(config, [(name, "") for name in image.layers or ()])
    digest = _synthetic_digest(archive, identity, len(content), layers)
    return FoundImage(
        id=identity, digest=digest, manifest_digest=digest, names=_canonical(image.repo_tags or []), config=image_config(config),
        layers=layers,
    )


def _synthetic_digest(archive: Archive, identity: str, config_size: int, layers: Sequence[LayerBlob]) -> str:
    """A docker-archive has no manifest. containerd writes this one when it imports it, so the digest is the same there."""
    manifest = {
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "digest": identity, "size": config_size},
        "layers": [{"mediaType": DOCKER_LAYER, "digest": layer.diff_id, "size": archive.size(layer.name)} for layer in layers],
    }
    return sha256_of(msgspec.json.encode(manifest))


def _config(content: bytes, platform: Platform | None) -> ConfigFile:
    config = decode(content, ConfigFile)
    if config.rootfs is None:
        raise ImageArchiveError("it is no container image: its configuration names no layers")
    wanted, found = platform or Platform.own(), Platform(config.os, config.architecture, config.variant)
    if found.os and found.architecture and not wanted.takes(found):
        hint = "" if platform else f"; --platform {found} loads it all the same"
        raise ImageArchiveError(f"it is for {found}, {'not for' if platform else 'and this machine is'} {wanted}{hint}")
    return config


def _layers(config: ConfigFile, blobs: Sequence[tuple[str, str]]) -> tuple[LayerBlob, ...]:
    diff_ids = (config.rootfs.diff_ids if config.rootfs else None) or []
    if len(diff_ids) != len(blobs):
        raise ImageArchiveError(f"its manifest has {len(blobs)} layers, its configuration {len(diff_ids)}")
    if len(blobs) > MAX_LAYERS:
        raise ImageArchiveError(f"it has {len(blobs)} layers; overlayfs takes {MAX_LAYERS}")
    for diff_id in diff_ids:
        blob_name(diff_id)
    return tuple(LayerBlob(name, digest, diff_id) for (name, digest), diff_id in zip(blobs, diff_ids, strict=True))


def decode(content: bytes, kind: type[T]) -> T:
    """Raises ImageArchiveError."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ImageArchiveError(f"it holds a document that cannot be read: {error}") from error
