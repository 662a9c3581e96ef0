"""What a kubelet does about a container's image: pull policies, events, waiting reasons, and the list in the Node's status."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kube.api.core_v1 import ContainerImage, LocalObjectReference, Pod, Secret
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from node_agent.kubelet.container_statuses import _resolved_image
from node_agent.kubelet.environment import ContainerConfigError
from node_agent.kubelet.image_manager import ImageManager, ImageUnavailableError
from node_agent.kubelet.node_status import _images
from node_agent.kubelet.pull_secrets import Keyring, secret_ids
from node_agent.kubelet.security import check_user
from node_agent.runtime.image_catalog import Entry, ImageCatalog, references_of
from node_agent.runtime.image_pulls import Access, PullCredential, PullSecretId
from node_agent.runtime.images import ImageStore
from node_agent.runtime.model import Image, ImageConfig, ImageMissingError, RuntimeServiceError
from node_agent.runtime.references import parse_reference
from tests.support.pods import container, pod, record
from tests.support.pull_secrets import pull_secret

ID, MANIFEST, INDEX = ("sha256:" + digit * 64 for digit in "123")


class Runtime:
    """One image under one name, or an error."""

    def __init__(self, present: Image | Exception | None, access: dict[str, Access] | None = None) -> None:
        self.present = present
        self.access = access
        self.pulled: list[str] = []
        self.accepts: str | None = None             # whose credential: a user's name
        self.granted: list[PullSecretId] = []

    async def find_image(self, name: str) -> Image | None:
        parse_reference(name)
        if isinstance(self.present, Exception):
            raise self.present
        return self.present

    async def pull_image(self, name: str, credential: PullCredential | None = None) -> Image:
        self.pulled.append(name)
        if credential is not None and credential.username == self.accepts:
            return msgspec.structs.replace(image(), size=7)
        raise ImageMissingError(f"{credential.username} may not" if credential else "no registry answers")

    def image_access(self, image_id: str) -> dict[str, Access] | None:
        return self.access

    async def grant_image(self, image_id: str, repository: str, secret: PullSecretId) -> None:
        self.granted.append(secret)


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, about: object, type_: str, reason: str, message: str) -> None:
        self.events.append((reason, message))


def image(*, builtin: bool = False, user: str = "") -> Image:
    return Image(id=ID, name="docker.io/library/app", layers=("/l",), config=ImageConfig(user=user), builtin=builtin)


async def waiting(runtime: Runtime, policy: str, *, name: str = "app:1") -> tuple[str, str, list[tuple[str, str]]]:
    """Reason, message and events of one attempt that fails."""
    told, now = Told(), 1000.0
    manager = ImageManager(runtime, told, lambda: now)  # type: ignore[arg-type]
    with pytest.raises(ImageUnavailableError) as caught:
        await manager.ensure(pod(), container(image=name, image_pull_policy=policy))
    return caught.value.waiting.reason, caught.value.waiting.message, told.events


@pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
async def test_a_loaded_image_is_taken_as_it_is(policy: str) -> None:
    runtime, told = Runtime(image()), Told()
    manager = ImageManager(runtime, told, lambda: 0.0)  # type: ignore[arg-type]

    assert await manager.ensure(pod(), container(image="app:1", image_pull_policy=policy)) == image()
    assert told.events == [("Pulled", 'Container image "app:1" already present on machine and can be accessed by the pod')]
    assert runtime.pulled == []


async def test_never_and_absent() -> None:
    message = 'Container image "app:1" is not present with pull policy of Never'

    assert await waiting(Runtime(None), "Never") == (
        "ErrImageNeverPull", message, [("ErrImageNeverPull", message), ("Failed", "Error: ErrImageNeverPull")],
    )


@pytest.mark.parametrize(("present", "policy"), [(None, "IfNotPresent"), (None, "Always"), (image(), "Always")])
async def test_what_must_come_from_a_registry_does_not_come(present: Image | None, policy: str) -> None:
    assert await waiting(Runtime(present), policy) == ("ErrImagePull", "no registry answers", [
        ("Pulling", 'Pulling image "app:1"'), ("Failed", 'Failed to pull image "app:1": no registry answers'),
        ("Failed", "Error: ErrImagePull"),
    ])


async def test_always_needs_no_registry_for_a_built_in_image() -> None:
    manager = ImageManager(Runtime(image(builtin=True)), Told(), lambda: 0.0)  # type: ignore[arg-type]

    assert (await manager.ensure(pod(), container(image_pull_policy="Always"))).builtin


REPOSITORY = "docker.io/library/app"


def docker_secret(name: str, user: str, *, uid: str = "") -> Secret:
    return pull_secret(name, {REPOSITORY: {"username": user, "password": "x"}}, uid=uid)


async def ensured(runtime: Runtime, *secrets: Secret, policy: str = "IfNotPresent", named: Sequence[str] = ()) -> tuple[Image, Told]:
    """By a Pod that names these Secrets, and others that are not there."""
    by_name, told = {secret.metadata.name: secret for secret in secrets}, Told()

    async def read(key: NamespacedName) -> Secret:
        if key.name not in by_name:
            raise errors.NotFound(f"secrets {key.name!r} not found")
        return by_name[key.name]

    manager = ImageManager(runtime, told, lambda: 1000.0, read)  # type: ignore[arg-type]
    references = tuple(LocalObjectReference(name=name) for name in (*by_name, *named))
    asking = pod(container(image="app:1", image_pull_policy=policy), image_pull_secrets=references)
    return await manager.ensure(asking, asking.spec.containers[0]), told


async def test_credentials_are_tried_one_after_the_other() -> None:
    runtime = Runtime(None)
    runtime.accepts = "bob"
    found, told = await ensured(runtime, docker_secret("a", "alice"), docker_secret("b", "bob"), named=["c", ""])

    assert found.size == 7 and runtime.pulled == ["app:1", "app:1"]
    assert [reason for reason, _ in told.events] == ["FailedToRetrieveImagePullSecret", "Pulling", "Pulled"]
    assert told.events[0][1] == (
        "Unable to retrieve some image pull secrets (c); attempting to pull the image may not succeed.")
    assert re.fullmatch(
        r'Successfully pulled image "app:1" in \d+m?s \(\d+m?s including waiting\)\. Image size: 7 bytes\.', told.events[2][1])


async def test_all_that_registries_say_is_told() -> None:
    with pytest.raises(ImageUnavailableError, match=r"^\[alice may not, bob may not\]$"):
        await ensured(Runtime(None), docker_secret("a", "alice"), docker_secret("b", "bob"))


async def test_who_may_run_what_another_pod_has_pulled() -> None:
    mine = docker_secret("mine", "alice", uid="1")
    (known,) = secret_ids(Keyring([mine]).lookup(REPOSITORY))
    pulled = Runtime(image(), {REPOSITORY: Access(secrets=(known,))})

    assert (await ensured(pulled, mine))[0] == image() and pulled.granted == []
    same_content = docker_secret("copy", "alice", uid="2")
    assert (await ensured(pulled, same_content))[0] == image() and [secret.name for secret in pulled.granted] == ["copy"]
    changed = docker_secret("mine", "carol", uid="1")
    assert (await ensured(pulled, changed))[0] == image() and pulled.pulled == []
    for secrets, policy, reason in (
        ([], "IfNotPresent", "ErrImagePull"), ([docker_secret("b", "bob")], "IfNotPresent", "ErrImagePull"),
        ([], "Never", "ErrImageNeverPull"),
    ):
        with pytest.raises(ImageUnavailableError) as caught:
            await ensured(pulled, *secrets, policy=policy)
        assert caught.value.waiting.reason == reason
    assert (await ensured(Runtime(image(), {REPOSITORY: Access(everyone=True)})))[0] == image()
    with pytest.raises(ImageUnavailableError):      # pulled as another repository's
        await ensured(Runtime(image(), {"quay.io/app": Access(everyone=True)}))


async def test_names_and_stores_that_cannot_be_read() -> None:
    reason, message, events = await waiting(Runtime(None), "IfNotPresent", name="Not A Name")
    assert reason == "InvalidImageName" and message.startswith('Failed to apply default image tag "Not A Name": ')
    assert [event[0] for event in events] == ["InspectFailed", "Failed"]

    assert (await waiting(Runtime(RuntimeServiceError("broken")), "IfNotPresent"))[:2] == (
        "ImageInspectError", 'Failed to inspect image "app:1": broken',
    )


async def test_an_image_that_is_loaded_meanwhile_ends_the_back_off() -> None:
    runtime = Runtime(None)
    manager = ImageManager(runtime, Told(), lambda: 1000.0)  # type: ignore[arg-type]
    attempt: Any = (pod(), container(image="app:1", image_pull_policy="IfNotPresent"))
    with pytest.raises(ImageUnavailableError):
        await manager.ensure(*attempt)
    with pytest.raises(ImageUnavailableError, match="Back-off pulling image"):
        await manager.ensure(*attempt)
    runtime.present = image()

    assert await manager.ensure(*attempt) == image()


@pytest.mark.parametrize(("user", "message"), [
    ("", "image will run as root"), ("0:0", "image will run as root"),
    ("alice:alice", r"image has non-numeric user \(alice\), cannot verify user is non-root \(pod: "),
])
def test_run_as_non_root_asks_the_image(user: str, message: str) -> None:
    def check(image_user: str) -> None:
        asked: Pod = pod(container(), security_context=_non_root())
        check_user(asked, asked.spec.containers[0], image(user=image_user))

    check("101:102")
    with pytest.raises(ContainerConfigError, match=message):
        check(user)


def _non_root() -> Any:
    from kube.api.core_v1 import PodSecurityContext

    return PodSecurityContext(run_as_non_root=True)


def stored(images_dir: Path, *names: str, identity: str = ID, digest: str = INDEX, size: int = 5) -> None:
    references = references_of([parse_reference(name) for name in names], Entry(identity, digest), MANIFEST)
    loaded = Image(id=identity, name="", layers=("abc",), config=ImageConfig(), size=size)
    images_dir.mkdir(exist_ok=True)
    ImageCatalog(images_dir).add([(loaded, references)])


@pytest.mark.req("CFG-07")
@pytest.mark.parametrize(("asked", "reference", "by_digest"), [
    ("app", "docker.io/library/app:latest", f"docker.io/library/app@{INDEX}"),
    ("docker.io/library/app:latest", "docker.io/library/app:latest", f"docker.io/library/app@{INDEX}"),
    (f"app@{INDEX}", f"docker.io/library/app@{INDEX}", f"docker.io/library/app@{INDEX}"),
    (f"app:9@{MANIFEST}", f"docker.io/library/app@{MANIFEST}", f"docker.io/library/app@{INDEX}"),
    (ID, "docker.io/library/app:latest", f"docker.io/library/app@{INDEX}"),
    ("quay.io/other:1", "quay.io/other:1", f"quay.io/other@{INDEX}"),
])
async def test_an_image_is_found_by_tag_digest_and_id(asked: str, reference: str, by_digest: str, tmp_path: Path) -> None:
    stored(tmp_path, "app", "quay.io/other:1")

    found = await ImageStore(tmp_path).find(asked)
    assert found is not None
    assert (found.reference, found.by_digest, found.layers) == (reference, by_digest, (f"{tmp_path}/layers/abc",))
    shown = record(image=found.reference, image_ref=found.by_digest)
    assert _resolved_image(shown) == (reference, by_digest)


async def test_what_is_not_loaded_is_not_found(tmp_path: Path) -> None:
    stored(tmp_path, "app:1")

    store = ImageStore(tmp_path)
    for name in ("app:2", "app", f"app@{ID}", f"other@{INDEX}", MANIFEST):
        assert await store.find(name) is None


async def test_a_running_kubelet_sees_a_name_move(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    other = "sha256:" + "9" * 64
    assert await store.find("app:1") is None
    stored(tmp_path, "app:1")
    first = await store.find("app:1")
    stored(tmp_path, "app:1", identity=other, digest=other)
    second = await store.find("app:1")

    assert first and second and (first.id, second.id) == (ID, other)
    by_digest = await store.find(f"app@{INDEX}")
    assert by_digest is not None and (by_digest.id, by_digest.tags) == (ID, ())      # still there, without the tag


def test_a_nodes_status_lists_what_is_loaded(tmp_path: Path) -> None:
    stored(tmp_path, "app:1", *(f"quay.io/app:{n}" for n in range(9)))
    stored(tmp_path, "large", identity=MANIFEST, digest=MANIFEST, size=1000)

    listed = _images(ImageStore(tmp_path).list())
    assert listed == (
        ContainerImage(names=(f"docker.io/library/large@{MANIFEST}", "docker.io/library/large:latest"), size_bytes=1000),
        ContainerImage(
            names=(f"docker.io/library/app@{INDEX}", f"quay.io/app@{INDEX}", "docker.io/library/app:1", "quay.io/app:0", "quay.io/app:1"),
            size_bytes=5,
        ),
    )


async def test_a_broken_catalog_keeps_no_built_in_image_away(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text("{")
    store = ImageStore(tmp_path)

    found = await asyncio.wait_for(store.find("busybox"), 60)
    assert found is not None and found.builtin
    with pytest.raises(RuntimeServiceError, match=r"catalog.json cannot be read: .*loaded images are not known"):
        await store.find("app:1")
    assert [image.name for image in store.list()] == ["docker.io/library/busybox"]
