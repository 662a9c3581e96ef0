"""Files of volumes: written together, made from objects; hostPath checks; tokens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kube.api.authentication_v1 import TokenRequest, TokenRequestStatus
from kube.api.core_v1 import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Container,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    Pod,
    PodCertificateProjection,
    ProjectedVolumeSource,
    ResourceRequirements,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from kube.process.clock import to_rfc3339
from node_agent.volumes.atomic_writer import FileContent, write_payload
from node_agent.volumes.empty_dir import huge_page_size
from node_agent.volumes.host_paths import HostPathError, prepare_host_path
from node_agent.volumes.nested import nested_mount_points
from node_agent.volumes.payloads import volume_payload
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeStepError, VolumeTask
from node_agent.volumes.pod_volumes import PodVolumes, VolumeSetupError
from node_agent.volumes.registry import local_plugins
from node_agent.volumes.tokens import TokenManager
from tests.support.pods import UID, container, pod


class Objects:
    """Contents from memory."""

    def follow(self, pod: Pod) -> None:
        pass

    async def trust_anchors(self, projection: ClusterTrustBundleProjection) -> bytes:
        return b"anchors"

    async def credentials(self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection) -> tuple[bytes, bytes]:
        return f"key {volume}/{index}\n".encode(), b"chain\n"

    async def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return {"a": b"1", "b": b"2"} if name == "settings" else None

    async def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return {"key": b"s"} if name == "keys" else None

    async def token(self, pod: Pod, audience: str, expiration_s: int) -> str:
        return f"token for {audience or 'the api'}"

    def downward(self, pod: Pod, item: DownwardAPIVolumeFile) -> str:
        return pod.metadata.name


def mounting(*volumes: str) -> Container:
    return container(volume_mounts=tuple(VolumeMount(name=name, mount_path=f"/{name}") for name in volumes))


def visible(volume: Path) -> dict[str, str]:
    return {entry.name: entry.read_text() for entry in volume.iterdir() if not entry.name.startswith("..")}


def test_files_change_together(tmp_path: Path) -> None:
    assert write_payload(tmp_path, {"a": FileContent(b"1"), "b": FileContent(b"1", 0o400)})
    first = os.readlink(tmp_path / "..data")
    assert not write_payload(tmp_path, {"a": FileContent(b"1"), "b": FileContent(b"1", 0o400)})

    assert write_payload(tmp_path, {"a": FileContent(b"2"), "c": FileContent(b"2")})

    assert visible(tmp_path) == {"a": "2", "c": "2"}
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert os.readlink(tmp_path / "..data") != first
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir() and not entry.is_symlink()] == [os.readlink(tmp_path / "..data")]


@pytest.mark.parametrize(("volume", "files"), [
    pytest.param(Volume(config_map=ConfigMapVolumeSource(name="settings")), {"a": b"1", "b": b"2"}, id="config map"),
    pytest.param(
        Volume(config_map=ConfigMapVolumeSource(name="settings", items=(KeyToPath(key="a", path="deep/x"),))), {"deep/x": b"1"},
        id="items",
    ),
    pytest.param(Volume(config_map=ConfigMapVolumeSource(name="none", optional=True)), {}, id="optional"),
    pytest.param(Volume(secret=SecretVolumeSource(secret_name="keys")), {"key": b"s"}, id="secret"),
])
async def test_payloads(volume: Volume, files: dict[str, bytes]) -> None:
    payload = await volume_payload(pod(), volume, Objects())

    assert {name: content.data for name, content in payload.items()} == files


@pytest.mark.req("SAC-04")
async def test_projected_volume_joins_its_sources() -> None:
    sources = (
        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token", expiration_seconds=3607)),
        VolumeProjection(config_map=ConfigMapProjection(name="settings", items=(KeyToPath(key="a", path="ca.crt"),))),
    )

    payload = await volume_payload(pod(), Volume(projected=ProjectedVolumeSource(sources=sources)), Objects())

    assert {name: content.data for name, content in payload.items()} == {"token": b"token for the api", "ca.crt": b"1"}


@pytest.mark.parametrize(("volume", "message"), [
    (Volume(config_map=ConfigMapVolumeSource(name="none")), 'configmap "none" not found'),
    (Volume(secret=SecretVolumeSource(secret_name="none")), 'secret "none" not found'),
    (
        Volume(config_map=ConfigMapVolumeSource(name="settings", items=(KeyToPath(key="z", path="z"),))),
        "configmap references non-existent config key: z",
    ),
])
async def test_missing_contents_are_named(volume: Volume, message: str) -> None:
    with pytest.raises(VolumeError) as error:
        await volume_payload(pod(), volume, Objects())

    assert str(error.value) == message


@pytest.mark.req("VOL-04")
async def test_host_path_types(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    await prepare_host_path(str(tmp_path), "Directory")
    await prepare_host_path(str(tmp_path / "file"), "File")
    await prepare_host_path(str(tmp_path / "made"), "DirectoryOrCreate")
    await prepare_host_path(str(tmp_path / "touched"), "FileOrCreate")

    assert (tmp_path / "made").is_dir()
    assert (tmp_path / "touched").is_file()
    none = tmp_path / "none"
    for path, kind, why in (
        (none, "Directory", f', {none} is not a directory, unable to determine its type: path "{none}" does not exist'),
        (tmp_path, "File", f": {tmp_path} is not a file, it's a Directory"),
        (tmp_path / "file", "Socket", f": {tmp_path}/file is not a socket file, it's a File"),
        (Path("/dev/null"), "BlockDevice", ": /dev/null is not a block device, it's a CharDevice"),
    ):
        with pytest.raises(HostPathError, match=f"^hostPath type check failed{why}$"):
            await prepare_host_path(str(path), kind)


@pytest.mark.req("VOL-02", "VOL-03")
async def test_volumes_of_a_pod(tmp_path: Path) -> None:
    volumes = PodVolumes(tmp_path / "pods", local_plugins(Objects(), lambda _: 0))
    host = Volume(name="host", host_path=HostPathVolumeSource(path=str(tmp_path / "host")))
    settings = Volume(name="cm", config_map=ConfigMapVolumeSource(name="settings"))
    wanted = pod(mounting("cache", "host", "cm"), volumes=(Volume(name="cache", empty_dir=EmptyDirVolumeSource()), host, settings))

    paths = {name: mounted.path for name, mounted in (await volumes.set_up(wanted)).items()}
    (Path(paths["cache"]) / "kept").write_text("x")
    again = {name: mounted.path for name, mounted in (await volumes.set_up(wanted)).items()}

    assert paths == again == {
        "cache": f"{tmp_path}/pods/{UID}/volumes/kubernetes.io~empty-dir/cache", "host": f"{tmp_path}/host",
        "cm": f"{tmp_path}/pods/{UID}/volumes/kubernetes.io~configmap/cm",
    }
    assert (Path(paths["cache"]) / "kept").exists()
    assert Path(paths["cache"]).stat().st_mode & 0o777 == 0o777
    await volumes.tear_down(UID)
    assert not Path(paths["cache"]).exists()
    assert Path(paths["host"]).exists()


@pytest.mark.req("VOL-06")
async def test_unknown_kind_of_volume_is_refused_clearly(tmp_path: Path) -> None:
    wanted = pod(mounting("share"), volumes=(Volume(name="share", nfs=NFSVolumeSource(server="x", path="/")),))

    with pytest.raises(VolumeSetupError, match=r'^Unable to attach .* err=no volume plugin matched$'):
        await PodVolumes(tmp_path, local_plugins(Objects(), lambda _: 0)).set_up(wanted)


class ManualClock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.instant.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


async def test_tokens_are_renewed_before_they_end_and_kept_while_the_apiserver_is_away() -> None:
    clock = ManualClock()
    asked: list[tuple[str, str, object]] = []

    async def request(namespace: str, account: str, wanted: TokenRequest) -> TokenRequest:
        if len(asked) == 2:
            raise ConnectionError
        asked.append((namespace, account, wanted.spec.bound_object_ref))
        expires = to_rfc3339(clock.now() + timedelta(seconds=wanted.spec.expiration_seconds or 0))
        return TokenRequest(status=TokenRequestStatus(token=f"t{len(asked)}", expiration_timestamp=expires))

    manager, got = TokenManager(request, clock), []
    for seconds in (0, 2000, 1000, 3000):
        await clock.sleep(seconds)
        got.append(await manager.token(pod(service_account_name="robot"), "", 3600))
    await clock.sleep(1000)

    assert got == ["t1", "t1", "t2", "t2"]
    assert asked[0][:2] == ("default", "robot")
    with pytest.raises(ConnectionError):
        await manager.token(pod(service_account_name="robot"), "", 3600)


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..data", ""])
def test_no_file_is_written_outside_its_volume(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="invalid path: must"):
        write_payload(tmp_path / "v", {"good": FileContent(b"1"), name: FileContent(b"2")})

    assert not list(tmp_path.rglob("out*")) and not list(tmp_path.rglob("good"))


async def test_each_volume_that_fails_is_told_and_those_that_nobody_mounts_are_not_made(tmp_path: Path) -> None:
    missing = [Volume(name=name, config_map=ConfigMapVolumeSource(name=name)) for name in ("one", "two", "unused")]
    fine = Volume(name="fine", empty_dir=EmptyDirVolumeSource())
    volumes = PodVolumes(tmp_path / "pods", local_plugins(Objects(), lambda _: 0))

    with pytest.raises(VolumeSetupError) as error:
        await volumes.set_up(pod(mounting("one", "fine", "two"), volumes=(*missing, fine)))

    assert error.value.messages == tuple(
        f'MountVolume.SetUp failed for volume "{name}" : configmap "{name}" not found' for name in ("one", "two"))
    assert error.value.summary() == (
        "Unable to attach or mount volumes: unmounted volumes=[one two], unattached volumes=[], failed to process volumes=[]: "
        "context deadline exceeded")
    assert (await volumes.set_up(pod(mounting("fine"), volumes=(*missing, fine)))).keys() == {"fine"}


async def test_all_that_a_projected_volume_misses_is_told_together() -> None:
    sources = tuple(
        VolumeProjection(config_map=ConfigMapProjection(name=name)) for name in ("one", "settings", "two"))

    with pytest.raises(VolumeError) as error:
        await volume_payload(pod(), Volume(name="v", projected=ProjectedVolumeSource(sources=sources)), Objects())

    assert str(error.value) == '[configmap "one" not found, configmap "two" not found]'


async def test_of_two_files_with_one_path_the_later_counts() -> None:
    def source(key: str) -> VolumeProjection:
        return VolumeProjection(config_map=ConfigMapProjection(name="settings", items=(KeyToPath(key=key, path="x/y"),)))

    payload = await volume_payload(pod(), Volume(projected=ProjectedVolumeSource(sources=(source("a"), source("b")))), Objects())

    assert {name: content.data for name, content in payload.items()} == {"x/y": b"2"}


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path) -> None:
    write_payload(tmp_path, {"a": FileContent(b"1")})
    shown = os.readlink(tmp_path / "..data")
    (tmp_path / "..2026_01_01_00_00_00.half").mkdir()
    (tmp_path / "..2026_01_01_00_00_00.half/a").write_text("half")
    (tmp_path / "..data_tmp").symlink_to("..2026_01_01_00_00_00.half")
    (tmp_path / "a").unlink()

    assert not write_payload(tmp_path, {"a": FileContent(b"1")})
    assert os.readlink(tmp_path / "..data") == shown and visible(tmp_path) == {"a": "1"}
    assert write_payload(tmp_path, {"a": FileContent(b"2")})

    assert visible(tmp_path) == {"a": "2"}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([os.readlink(tmp_path / "..data"), "..data", "a"])


def test_files_that_cannot_be_made_ready_are_not_shown(tmp_path: Path) -> None:
    write_payload(tmp_path, {"a": FileContent(b"1")})

    def fails() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        write_payload(tmp_path, {"a": FileContent(b"2")}, before_shown=fails)

    assert visible(tmp_path) == {"a": "1"} and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("medium", "asked", "size"), [
    ("HugePages", ("hugepages-2Mi",), "2Mi"), ("HugePages-1Gi", ("hugepages-2Mi", "hugepages-1Gi"), "1Gi"),
])
def test_huge_pages(medium: str, asked: tuple[str, ...], size: str) -> None:
    wanted = pod(container(resources=ResourceRequirements(requests=dict.fromkeys(asked, "2Gi"))))

    assert huge_page_size(medium, wanted) == size


@pytest.mark.parametrize(("medium", "asked", "message"), [
    ("HugePages", (), "medium HugePages: hugePages storage requested, but there is no resource request for huge pages"),
    (
        "HugePages-1Gi", ("hugepages-2Mi",),
        "medium HugePages-1Gi: hugePages storage requested, but there is no resource request for huge pages",
    ),
    ("HugePages", ("hugepages-2Mi", "hugepages-1Gi"), "medium: HugePages can't be used if container requests multiple huge page sizes"),
])
def test_huge_pages_that_were_not_asked_for(medium: str, asked: tuple[str, ...], message: str) -> None:
    wanted = pod(container(resources=ResourceRequirements(requests=dict.fromkeys(asked, "2Gi"))))

    with pytest.raises(VolumeError) as error:
        huge_page_size(medium, wanted)
    assert str(error.value) == message


@pytest.mark.parametrize(("mounts", "points"), [
    ((("v", "/a"), ("w", "/a/b"), ("x", "/a/b/c")), {"b"}),
    ((("v", "/a"), ("w", "/ab"), ("x", "/a/b-c"), ("y", "/a/b/c")), {"b-c", "b/c"}),
    ((("v", "/"), ("w", "/a/b")), {"a/b"}),
    ((("v", "/a"), ("v", "/c"), ("w", "/c/d/")), {"d"}),
])
def test_places_within_a_volume(mounts: tuple[tuple[str, str], ...], points: set[str]) -> None:
    wanted = pod(container(volume_mounts=tuple(VolumeMount(name=name, mount_path=path) for name, path in mounts)))

    assert set(nested_mount_points("v", wanted)) == points


async def test_a_step_with_a_name_of_its_own_is_told_by_it(tmp_path: Path) -> None:
    class Failing:
        kinds = ()
        refreshes = False

        def supports(self, volume: Volume) -> bool:
            return True

        async def set_up(self, task: VolumeTask) -> MountedVolume:
            raise VolumeStepError("MountVolume.MountDevice", "pv1", "disk on fire")

        async def refresh(self, task: VolumeTask) -> None: ...

        async def tear_down(self, directory: Path) -> None: ...

    with pytest.raises(VolumeSetupError) as error:
        await PodVolumes(tmp_path / "pods", [Failing()]).set_up(pod(mounting("v"), volumes=(Volume(name="v"),)))

    assert error.value.messages == ('MountVolume.MountDevice failed for volume "pv1" : disk on fire',)
