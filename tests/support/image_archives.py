"""Archives of images, made by hand so that they can be as odd as a test wants: layers as lists of entries, layouts as files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node_agent.runtime.image_catalog import NAME as CATALOG
from node_agent.runtime.image_catalog import locked
from node_agent.runtime.image_pulls import PullRecords
from node_agent.runtime.image_scratch import undisturbed
from node_agent.runtime.platforms import Platform

CONTAINERD_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
ALONE_WITHIN_S = 180.0
Entry = tuple[tarfile.TarInfo, bytes]


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def entry(name: str, content: bytes | str = b"", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, **more: Any) -> Entry:
    """A tar entry; `more` sets fields of TarInfo (uid, linkname, pax_headers ...)."""
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, len(data), 1_000_000_000
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, *, mode: int = 0o755, **more: Any) -> Entry:
    return entry(name, kind=tarfile.DIRTYPE, mode=mode, **more)


def symlink(name: str, target: str) -> Entry:
    return entry(name, kind=tarfile.SYMTYPE, linkname=target, mode=0o777)


def hardlink(name: str, target: str) -> Entry:
    return entry(name, kind=tarfile.LNKTYPE, linkname=target)


def layer(*entries: Entry) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def busybox_layer() -> bytes:
    """Enough of a system to run a shell."""
    program = Path(shutil.which("busybox") or "busybox").read_bytes()
    applets = [symlink(f"bin/{name}", "busybox") for name in ("sh", "cat", "ls", "id", "stat", "sleep", "echo", "readlink", "env", "touch")]
    accounts = entry("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:101:102::/home/alice:/bin/sh\n")
    return layer(folder("bin"), entry("bin/busybox", program, mode=0o755), *applets, folder("etc"), accounts, folder("tmp", mode=0o1777))


@dataclass
class Files:
    """The files of an archive by name, to be spoilt and then written."""

    content: dict[str, bytes] = field(default_factory=dict)

    def blob(self, content: bytes) -> dict[str, Any]:
        self.content[f"blobs/sha256/{digest(content)[7:]}"] = content
        return {"digest": digest(content), "size": len(content)}

    def directory(self, path: Path) -> Path:
        for name, content in self.content.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path

    def tar(self, path: Path) -> Path:
        path.write_bytes(layer(*(entry(name, content) for name, content in self.content.items())))
        return path


def config_file(layers: Sequence[bytes], *, platform: str = "", **config: Any) -> bytes:
    own = Platform.parse(platform) if platform else Platform.own()
    described = {"os": own.os, "architecture": own.architecture, "variant": own.variant, "config": config}
    return json.dumps({**described, "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]}}).encode()


def docker_archive(layers: Sequence[bytes], *tags: str, **config: Any) -> Files:
    """As `docker save` wrote it before version 25."""
    files = Files()
    content = config_file(layers, **config)
    names = []
    for number, one in enumerate(layers):
        names.append(f"{number}/layer.tar")
        files.content[names[-1]] = one
    name = f"{digest(content)[7:]}.json"
    files.content[name] = content
    files.content["manifest.json"] = json.dumps([{"Config": name, "RepoTags": list(tags) or None, "Layers": names}]).encode()
    return files


def add_manifest(
    files: Files, layers: Sequence[bytes], *, compress: Callable[[bytes], bytes] = gzip.compress, **config: Any,
) -> dict[str, Any]:
    """The descriptor of an image whose blobs are in `files` now."""
    described = files.blob(config_file(layers, **config))
    blobs = [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **files.blob(compress(one))} for one in layers]
    manifest = {"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **described}, "layers": blobs}
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", **files.blob(json.dumps(manifest).encode())}


def add_index(files: Files, by_platform: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    manifests = [
        {**descriptor, "platform": dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))}
        for platform, descriptor in by_platform.items()
    ]
    index = {"schemaVersion": 2, "manifests": manifests}
    return {"mediaType": "application/vnd.oci.image.index.v1+json", **files.blob(json.dumps(index).encode())}


def finish_layout(files: Files, *named: tuple[dict[str, Any], dict[str, str]]) -> Files:
    """index.json: descriptors with their annotations."""
    manifests = [{**descriptor, "annotations": annotations} for descriptor, annotations in named]
    files.content["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    files.content["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    return files


def oci_layout(layers: Sequence[bytes], name: str, **more: Any) -> Files:
    files = Files()
    return finish_layout(files, (add_manifest(files, layers, **more), {CONTAINERD_NAME: name}))


def unique_name() -> str:
    """For an image in the machine's own store; `forget` removes it afterwards."""
    return f"test.invalid/{secrets.token_hex(4)}/app"


def forget(images_dir: Path, repository: str) -> None:
    """Takes a test's images out of a store that others use too. No container may run on them any more.

    Not while anybody loads or pulls: layers that images have in common may be about to get another name.
    """
    deadline = time.monotonic() + ALONE_WITHIN_S
    while True:
        with undisturbed(images_dir) as alone:
            if alone:
                return _forget(images_dir, repository)
        assert time.monotonic() < deadline, "somebody loads or pulls images all the time"
        time.sleep(0.05)


def _forget(images_dir: Path, repository: str) -> None:
    with locked(images_dir):
        catalog = json.loads((images_dir / CATALOG).read_bytes())
        own = (f"{repository}:", f"{repository}@")
        references = {name: entry for name, entry in catalog["references"].items() if not name.startswith(own)}
        kept_ids = {entry["id"] for entry in references.values()}
        dropped = {entry["id"] for entry in catalog["references"].values()} - kept_ids
        images = {identity: image for identity, image in catalog["images"].items() if identity not in dropped}
        PullRecords(images_dir).forget(dropped)
        kept_layers = {name for image in images.values() for name in image["layers"]}
        temporary = images_dir / f".{CATALOG}.test"
        temporary.write_text(json.dumps({"images": images, "references": references}))
        temporary.replace(images_dir / CATALOG)
        for name in {name for identity in dropped for name in catalog["images"][identity]["layers"]} - kept_layers:
            shutil.rmtree(images_dir / "layers" / name, ignore_errors=True)
            (images_dir / "layers" / f"{name}.size").unlink(missing_ok=True)
