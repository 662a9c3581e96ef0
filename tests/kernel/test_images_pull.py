"""Images from a real registry (Debian's docker-registry on the loopback): names, platforms, mirrors, broken and hostile answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from node_agent.runtime.image_load import load_images
from node_agent.runtime.images import ImageStore
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.platforms import Platform
from node_agent.runtime.registry.access import AccessRules, RegistryAccess
from node_agent.runtime.registry.pull import Puller
from node_agent.runtime.syscalls import mount, unmount
from tests.support.etcd import eventually
from tests.support.image_archives import Files, add_index, add_manifest, digest, docker_archive, entry, folder, layer
from tests.support.ports import free_port
from tests.support.registry import Registry, docker_registry

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[2]
OWN, FOREIGN = f"linux/{Platform.own().architecture}", "linux/s390x"
NOISE = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "images"


def puller(store: Path, *listed: RegistryAccess, config_dir: Path | None = None) -> Puller:
    return Puller(store, AccessRules(listed), config_dir=config_dir)


def push(registry: Registry, repository: str, *layers: bytes, tag: str = "1", **config: Any) -> str:
    files = Files()
    return registry.push(repository, tag, files, add_manifest(files, layers, **config))


async def refused(store: Path, name: str, *listed: RegistryAccess, config_dir: Path | None = None) -> str:
    """What a pull says that fails; it leaves nothing."""
    with pytest.raises(RuntimeServiceError) as caught:
        await asyncio.wait_for(puller(store, *listed, config_dir=config_dir).pull(name), 180)
    assert clean(store)
    return str(caught.value)


def clean(store: Path) -> bool:
    left = [path for folder_ in ("loading", "layers") if (store / folder_).is_dir() for path in (store / folder_).iterdir()]
    return left == [] and not (store / "catalog.json").exists()


def content(image: Image, name: str) -> str:
    return next(path.read_text() for path in (Path(one, name) for one in image.layers) if path.exists())


@pytest.mark.req("ARC-08", "CFG-07")
async def test_a_tag_a_digest_and_a_platform_of_several(registry: Registry, store: Path) -> None:
    files = Files()
    own = add_manifest(files, [layer(entry("who", "own")), layer(entry("more", "x"))], User="101")
    index = add_index(files, {FOREIGN: add_manifest(files, [layer(entry("who", "foreign"))], platform=FOREIGN), OWN: own})
    top = registry.push("team/app", "1", files, index)
    name = f"{registry.host}/team/app"

    by_tag = await puller(store).pull(f"{name}:1")
    assert (by_tag.reference, by_tag.by_digest, by_tag.config.user) == (f"{name}:1", f"{name}@{top}", "101")
    assert content(by_tag, "who") == "own"
    for reference in (f"{name}@{top}", f"{name}@{own['digest']}", f"{name}:other@{top}"):
        assert (await puller(store).pull(reference)).id == by_tag.id
    await registry.asked("GET", "team/app/blobs", 3)                # its configuration and two layers, once
    assert await ImageStore(store).find(f"{name}:1") == by_tag
    assert list((store / "loading").iterdir()) == []


async def test_a_tag_that_moves_is_followed_and_the_old_image_stays(registry: Registry, store: Path) -> None:
    name, base = f"{registry.host}/moves", layer(entry("base", "b"))
    first = push(registry, "moves", base, layer(entry("version", "1")))
    before = await puller(store).pull(f"{name}:1")
    second = push(registry, "moves", base, layer(entry("version", "2")))
    after = await puller(store).pull(f"{name}:1")

    assert (content(before, "version"), content(after, "version")) == ("1", "2")
    assert before.layers[1] == after.layers[1]                      # what they share was fetched once
    assert registry.requests("GET", f"moves/blobs/{digest(gzip.compress(base))}") <= 1
    assert (before.digest, after.digest) == (first, second)
    assert (await puller(store).pull(f"{name}@{first}")).id == before.id


async def test_dockers_own_media_types(registry: Registry, store: Path) -> None:
    files = Files()
    descriptor = add_manifest(files, [layer(entry("a", "b"))])
    kinds = "application/vnd.docker.distribution.manifest"
    manifest = json.loads(files.content[f"blobs/sha256/{descriptor['digest'][7:]}"])
    manifest["mediaType"] = f"{kinds}.v2+json"
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for one in manifest["layers"]:
        one["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    for name, blob in files.content.items():
        if not name.endswith(descriptor["digest"][7:]):
            registry.push_blob("docker", blob)
    text = json.dumps(manifest).encode()
    registry.push_manifest("docker", digest(text), text, f"{kinds}.v2+json")
    architecture = {"os": "linux", "architecture": Platform.own().architecture}
    entries = [{"mediaType": f"{kinds}.v2+json", "digest": digest(text), "size": len(text), "platform": architecture}]
    listed = json.dumps({"schemaVersion": 2, "mediaType": f"{kinds}.list.v2+json", "manifests": entries}).encode()
    registry.push_manifest("docker", "many", listed, f"{kinds}.list.v2+json")

    assert (await puller(store).pull(f"{registry.host}/docker:many")).digest == digest(listed)


async def test_whoever_comes_at_the_same_time_waits_and_has_it(registry: Registry, store: Path) -> None:
    push(registry, "crowd", layer(entry("noise", NOISE)), layer(entry("a", "b")))
    name = f"{registry.host}/crowd:1"
    command = [sys.executable, "-c", PULL, str(store), name]
    others = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for _ in range(2)]        # two other nodes' kubelets
    own = await asyncio.gather(*(puller(store).pull(name) for _ in range(3)))

    assert [await asyncio.wait_for(process.wait(), 180) for process in others] == [0, 0]
    assert len({image.id for image in own}) == 1
    await registry.asked("GET", "crowd/blobs", 3)


PULL = """
import asyncio, sys
from pathlib import Path
from node_agent.runtime.registry.access import AccessRules, RegistryAccess
from node_agent.runtime.registry.machine import MachineNetwork
from node_agent.runtime.registry.pull import Puller
store, name, *network = sys.argv[1:]
listed = [RegistryAccess(host=name.partition("/")[0], network="machine")] if network else []
pulling = Puller(Path(store), AccessRules(listed), machine=MachineNetwork() if network else None).pull(name)
print(asyncio.run(pulling).digest)
"""


async def test_a_loaded_image_is_everybodys_and_a_pulled_one_whoever_may_pull_it(registry: Registry, store: Path, tmp_path: Path) -> None:
    push(registry, "whose", layer(entry("a", "whose")))
    image = await puller(store).pull(f"{registry.host}/whose:1")
    records = json.loads((store / "pulled.json").read_bytes())
    assert records == {image.id: {f"{registry.host}/whose": {"everyone": True, "secrets": []}}}
    assert (store / "pulled.json").stat().st_mode & 0o777 == 0o600

    load_images(docker_archive([layer(entry("a", "x"))], "whose:2").tar(tmp_path / "a.tar"), store)
    assert list(json.loads((store / "pulled.json").read_bytes())) == [image.id]


@pytest.mark.req("LIF-09")
async def test_what_a_registry_does_not_have(registry: Registry, store: Path) -> None:
    push(registry, "there", layer(entry("a", "b")))
    for name in (f"{registry.host}/there:2", f"{registry.host}/nowhere:1", f"{registry.host}/there@{digest(b'')}"):
        assert (await refused(store, name)).endswith(f'failed to resolve reference "{name}": {name}: not found')
    nobody = f"127.0.0.1:{free_port()}"
    assert f"dial tcp {nobody}: connect: connection refused" in await refused(store, f"{nobody}/app")


async def test_images_that_cannot_run_here(registry: Registry, store: Path) -> None:
    files = Files()
    index = add_index(files, {FOREIGN: add_manifest(files, [layer(entry("a", "b"))], platform=FOREIGN)})
    registry.push("foreign", "index", files, index)
    assert f"no match for platform in manifest: it has nothing for {OWN}; it has {FOREIGN}" in await refused(
        store, f"{registry.host}/foreign:index")
    push(registry, "foreign", layer(entry("a", "b")), platform=FOREIGN)
    assert f"it is for {FOREIGN}, and this machine is {OWN}" in await refused(store, f"{registry.host}/foreign:1")

    blob = registry.push_blob("artifact", b"{}")
    kind = "application/vnd.oci.empty.v1+json"
    artifact = {"schemaVersion": 2, "config": {"mediaType": kind, "digest": blob, "size": 2}, "layers": []}
    registry.push_manifest("artifact", "1", json.dumps(artifact).encode())
    assert "it is no container image: its configuration names no layers" in await refused(store, f"{registry.host}/artifact:1")


@pytest.mark.parametrize("spoilt", ["layer", "config", "longer"])
async def test_damaged_blobs_leave_nothing(spoilt: str, registry: Registry, store: Path) -> None:
    one = layer(entry("a", f"spoilt {spoilt}"))
    files = Files()
    descriptor = add_manifest(files, [one])
    registry.push(f"spoilt-{spoilt}", "1", files, descriptor)
    manifest = json.loads(files.content[f"blobs/sha256/{descriptor['digest'][7:]}"])
    target = manifest["config"] if spoilt == "config" else manifest["layers"][0]
    file = registry.blob_file(target["digest"])
    held = file.read_bytes()
    file.write_bytes(held + b"more" if spoilt == "longer" else held[:-1] + bytes([held[-1] ^ 1]))

    assert f"{target['digest']} is damaged: " in await refused(store, f"{registry.host}/spoilt-{spoilt}:1")


async def test_a_layer_that_is_no_tar_is_told(registry: Registry, store: Path) -> None:
    push(registry, "no-tar", b"x" * 2000)

    assert "layer 1 of 1" in await refused(store, f"{registry.host}/no-tar:1")


async def test_a_full_disk(registry: Registry, tmp_path: Path) -> None:
    push(registry, "large", layer(entry("noise", NOISE)))
    store = tmp_path / "small"
    store.mkdir()
    mount("tmpfs", str(store), "tmpfs", 0, "size=2m")
    try:
        assert "No space left on device" in await refused(store, f"{registry.host}/large:1")
        unmount(str(store))
        mount("tmpfs", str(store), "tmpfs", 0, "size=4500k")        # enough for the download, not for what is in it
        assert "No space left on device" in await refused(store, f"{registry.host}/large:1")
    finally:
        unmount(str(store))


class WeakLine:
    """Stands before a registry: connections break, or stop, after so many bytes."""

    def __init__(self, registry: Registry, limits: list[int], *, stop: bool = False) -> None:
        self.limits = limits                # of the connections as they come; after the last: none
        self.stopped = asyncio.Event()
        self._registry = registry
        self._stop = stop

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        serving_: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving_.add(task)
            with suppress(asyncio.CancelledError):
                await self._serve(reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in serving_:
                task.cancel()
            await asyncio.gather(*serving_, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._registry.host.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        up = asyncio.create_task(self._copy(reader, far_writer, None))
        try:
            await self._copy(far_reader, writer, self.limits.pop(0) if self.limits else None)
        finally:
            up.cancel()
            for each in (writer, far_writer):
                each.transport.abort()
            await asyncio.gather(up, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        sent = 0
        with suppress(OSError):
            while chunk := await reader.read(50_000):
                if limit is not None and sent + len(chunk) > limit:
                    if self._stop:
                        self.stopped.set()
                        await asyncio.sleep(600)
                    return
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)


async def test_a_download_goes_on_where_its_connection_broke(registry: Registry, store: Path) -> None:
    push(registry, "weak", layer(entry("noise", NOISE)))
    async with WeakLine(registry, [1_000_000, 700_000, 0, 400_000])() as host:
        image = await puller(store).pull(f"{host}/weak:1")

    assert Path(image.layers[0], "noise").read_bytes() == NOISE
    await eventually(lambda: registry.requests("GET", "weak/blobs") > 2 and " 206 " in registry.log.read_text())      # it notes afterwards


async def test_a_cancelled_pull_leaves_nothing(registry: Registry, store: Path) -> None:
    push(registry, "slow", layer(entry("noise", NOISE)))
    line = WeakLine(registry, [1_000_000] * 4, stop=True)
    async with line() as host:
        pulling = asyncio.create_task(puller(store).pull(f"{host}/slow:1"))
        await asyncio.wait_for(line.stopped.wait(), 180)
        assert list((store / "loading").iterdir()) != []
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling
    assert clean(store)


async def test_what_a_killed_node_has_left_is_removed(registry: Registry, store: Path) -> None:
    push(registry, "killed", layer(entry("noise", NOISE)))
    line = WeakLine(registry, [1_000_000] * 4, stop=True)
    async with line() as host:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", PULL, str(store), f"{host}/killed:1", cwd=ROOT)
        await asyncio.wait_for(line.stopped.wait(), 180)
        process.kill()
        await process.wait()
    assert len(list((store / "loading").iterdir())) == 1

    await puller(store).pull(f"{registry.host}/killed:1")           # its lock is free, too
    assert list((store / "loading").iterdir()) == []


async def test_no_packet_leaves_for_where_it_is_not_allowed(store: Path) -> None:
    said = await refused(store, "app:1")
    assert said.startswith('failed to pull and unpack image "docker.io/library/app:1": failed to resolve reference ')
    assert "docker.io may not be asked" in said and "`kubonsai load`" in said

    async def answer(request: web.Request) -> web.Response:
        if "redirect" in request.path:
            raise web.HTTPTemporaryRedirect("http://192.0.2.1:5000/elsewhere")
        challenge = 'Bearer realm="http://192.0.2.1/token",service="x"'
        return web.Response(status=401 if "token" in request.path else 200, headers={"WWW-Authenticate": challenge})

    async with serving(answer) as host:
        for repository in ("redirect", "token"):
            assert "192.0.2.1" in (said := await refused(store, f"{host}/{repository}:1")) and "may not be asked" in said


@asynccontextmanager
async def serving(answer: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        assert runner.addresses
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_answers_that_make_no_sense(store: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        if "loop" in request.path:
            raise web.HTTPFound(request.path)
        if "huge" in request.path:
            return web.Response(body=b" " * (9 << 20), content_type="application/json")
        if "schema1" in request.path:
            kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
            return web.Response(body=b"{}", content_type=kind, headers={"Docker-Content-Digest": digest(b"{}")})
        return web.Response(status=503 if "busy" in request.path else 200, text="<html>")

    async with serving(answer) as host:
        for repository, message in (
            ("loop", "redirected more than 5 times"), ("huge", "larger than any manifest"), ("schema1", "schema 1"),
            ("busy", "unexpected status from HEAD request to http://"), ("html", "cannot be read"),
        ):
            assert message in await refused(store, f"{host}/{repository}:1")


@contextmanager
def namespace(name: str) -> Iterator[str]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_a_registry_on_the_machines_loopback_by_its_setting(registry: Registry, store: Path) -> None:
    wanted = push(registry, "outside", layer(folder("d"), entry("d/a", "b")))
    with namespace(f"kbt-{os.getpid()}") as node:           # a node's network; it has not even a loopback
        command = ["ip", "netns", "exec", node, sys.executable, "-c", PULL, str(store), f"{registry.host}/outside:1"]
        without = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        with_it = subprocess.run([*command, "machine"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "network is unreachable" in without.stderr
    assert with_it.stdout.strip() == wanted, with_it.stderr
