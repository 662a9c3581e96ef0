"""Which images go when the disk is full or they are old, and which never do: on a real store, with a disk and a clock of the test's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kube.api.core_v1 import Node
from kube.api.meta_v1 import ObjectMeta
from node_agent.kubelet.image_gc import ImageCollector, format_size
from node_agent.kubelet.image_volumes import mounted_images
from node_agent.runtime.image_catalog import ImageCatalog, locked
from node_agent.runtime.image_load import load_images
from node_agent.runtime.image_pulls import PullRecords
from node_agent.runtime.image_scratch import scratch
from node_agent.runtime.image_uses import ImageUses, images_in_use
from node_agent.runtime.images import ImageStore
from node_agent.runtime.model import Image, ImagePolicy
from tests.support.image_archives import docker_archive, entry, layer

pytestmark = pytest.mark.kernel
BASE = layer(entry("base", bytes(50_000)))
SIZE = 200_000


@dataclass
class Store:
    """A store, a disk of 1,000,000 bytes that holds it and `other` bytes more, and one node's collector."""

    path: Path
    now: float = 1000.0
    other: int = 0
    maximum_age_s: float = 0.0
    used: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    while_counting: Callable[[], object] = lambda: None
    uses: ImageUses | None = None
    collector: ImageCollector | None = None

    def image(self, name: str, *, pulled: bool = True) -> Image:
        content = layer(entry(name, os.urandom(SIZE)))
        (found,) = load_images(docker_archive([BASE, content], f"{name}:1").tar(self.path.parent / "a.tar"), self.path)
        if pulled:
            with locked(self.path):
                PullRecords(self.path).note(found.id, found.name, None)
        return found

    def __getitem__(self, name: str) -> bool:
        return ImageCatalog(self.path).find(f"{name}:1") is not None

    @property
    def taken(self) -> int:
        return sum(int(path.read_text()) for path in (self.path / "layers").glob("*.size"))

    def disk(self, _: Path) -> tuple[int, int]:
        return 1_000_000, 1_000_000 - self.taken - self.other

    def event(self, about: object, type_: str, reason: str, message: str) -> None:
        self.events.append((reason, message))

    def open(self) -> ImageCollector:
        root = self.path.parent / "node1"
        root.mkdir(exist_ok=True)
        self.uses = ImageUses(self.path, root)
        policy = ImagePolicy(
            high_percent=85, low_percent=80, minimum_age_s=120, maximum_age_s=self.maximum_age_s, period_s=300)
        self.collector = ImageCollector(
            self.path, self.uses, self.in_use, policy, self, lambda: Node(metadata=ObjectMeta(name="node1")), lambda: self.now, self.disk)
        return self.collector

    def in_use(self) -> Iterable[str]:
        self.while_counting()
        return self.used

    async def round(self, after_s: float = 0) -> None:
        self.now += after_s
        await (self.collector or self.open()).round()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


async def test_the_one_used_longest_ago_goes_until_the_disk_is_at_the_low_threshold(store: Store) -> None:
    first, second, third = (store.image(name) for name in ("first", "second", "third"))
    await store.round()
    store.used = [first.id]
    await store.round(60)                               # first is in use, then no more: it was used after the others
    store.used = []
    store.other = 250_000                               # 900,000 of 1,000,000 are taken: 100,000 must go, which one image is enough for
    await store.round(60)

    assert store["first"] and store["second"] + store["third"] == 1
    assert store.events == []
    assert store.taken == 2 * SIZE + 50_000
    gone = second if not store["second"] else third
    assert not any(Path(gone.layers[0]).parent.glob(Path(gone.layers[0]).name + "*")) and Path(first.layers[1]).exists()
    assert list((store.path / "loading").iterdir()) == []
    assert gone.id not in PullRecords(store.path).read()


async def test_below_the_high_threshold_nothing_goes(store: Store) -> None:
    store.image("a")
    store.other = 590_000                               # 84 %
    for _ in range(3):
        await store.round(300)

    assert store["a"] and store.events == []


async def test_what_is_used_young_loaded_or_built_in_stays(store: Store) -> None:
    used, by_other = store.image("used"), store.image("other")
    store.image("loaded", pulled=False)
    await ImageStore(store.path).find("busybox")
    other_root = store.path.parent / "node2"
    other_root.mkdir()
    ImageUses(store.path, other_root).add(by_other.id)
    volume = store.path.parent / "node1/pods/uid/volumes/kubernetes.io~image/v" / used.id.removeprefix("sha256:")
    volume.mkdir(parents=True)
    store.used = list(mounted_images(store.path.parent / "node1"))
    store.other = 900_000
    await store.round()
    store.image("young")
    await store.round(300)
    assert [name for name in ("used", "other", "loaded", "young") if store[name]] == ["used", "other", "loaded", "young"]

    other_root.rmdir()                                  # that cluster is gone, and what it needed
    store.used = []
    await store.round(300)
    assert [name for name in ("used", "other", "loaded", "young") if store[name]] == ["loaded"]
    assert [image.name for image in ImageStore(store.path).list()] == ["docker.io/library/loaded"]
    assert list((store.path / "builtin").iterdir()) != []


async def test_what_a_container_is_about_to_use_stays(store: Store) -> None:
    image = store.image("a")
    store.open()
    assert store.uses is not None
    store.other = 900_000
    await store.round()
    store.uses.add(image.id)                            # its container is not there yet
    await store.round(300)

    assert store["a"] and store.uses.has(image.id)
    with locked(store.path):
        assert images_in_use(store.path) == {image.id}


async def test_when_too_little_can_be_freed_it_is_told(store: Store) -> None:
    store.image("a")
    store.other = 900_000
    await store.round()
    await store.round(300)
    message = (
        "Insufficient free disk space on the node's image filesystem (90% of 976.6 KiB used). Failed to free sufficient space by deleting "
    )
    reasons = [reason for reason, _ in store.events]
    assert reasons == ["FreeDiskSpaceFailed", "FreeDiskSpaceFailed", "ImageGCFailed"]       # the second in a row
    assert not store["a"]
    store.events.clear()
    await store.round(300)
    assert store.events[0][1].startswith(message)
    store.events.clear()
    store.other = 0
    await store.round(300)
    assert store.events == []


async def test_old_images_go_whatever_the_disk_says(store: Store) -> None:
    store.maximum_age_s = 3600
    old, used = store.image("old"), store.image("used")
    await store.round()
    store.used = [used.id]
    await store.round(1800)
    assert store["old"]
    await store.round(2000)                             # a collector that has seen less than that does not know

    assert not store["old"] and store["used"] and store.events == []
    assert not Path(old.layers[0]).exists()


async def test_nothing_is_taken_from_under_a_loader(store: Store) -> None:
    store.image("a")
    store.other = 900_000
    await store.round()
    with scratch(store.path):
        await store.round(300)
        assert store["a"]
    await store.round()
    assert not store["a"]


async def test_a_tag_that_moved_lets_its_image_go(store: Store) -> None:
    before = store.image("a", pulled=False)
    store.image("a", pulled=False)
    await store.round()
    store.other = 900_000
    await store.round(300)

    assert store["a"] and ImageCatalog(store.path).find(before.id) is None


async def test_layers_of_loads_that_failed_go_after_an_hour(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    image = store.image("a")
    orphan = Path(image.layers[0]).with_name("0" * 24)
    orphan.mkdir()
    Path(f"{orphan}.size").write_text("1")
    await store.round()
    assert orphan.exists()
    later = time.time() + 3700
    monkeypatch.setattr("node_agent.runtime.image_removal.time.time", lambda: later)
    await store.round()

    assert not orphan.exists() and not Path(f"{orphan}.size").exists() and Path(image.layers[0]).exists()


async def test_a_node_under_pressure_may_ask_for_all_that_is_unused(store: Store) -> None:
    store.image("a")
    store.image("b", pulled=False)
    await store.round()
    store.now += 300

    await store.open().delete_unused()                  # a new kubelet: it has not seen them for two minutes
    assert store["a"] and store.collector is not None
    store.now += 300
    await store.collector.delete_unused()
    assert not store["a"] and store["b"]


@pytest.mark.parametrize(("size", "text"), [(12, "12 B"), (1536, "1.5 KiB"), (1 << 30, "1.0 GiB"), (1 << 52, "4096.0 TiB")])
def test_sizes_as_upstream_shows_them(size: int, text: str) -> None:
    assert format_size(size) == text


async def test_what_is_used_again_while_the_collector_counts_stays(store: Store) -> None:
    image = store.image("a")
    store.other = 900_000
    await store.round()
    uses = store.uses
    assert uses is not None
    with locked(store.path):
        uses.keep([image.id])                           # it was in use at the last look

    store.while_counting = lambda: uses.touch(image.id)     # a container is being made just now
    await store.round(300)

    assert store["a"]
