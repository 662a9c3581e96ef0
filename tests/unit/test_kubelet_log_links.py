"""/var/log/containers: the links, what they are called, who follows them, and when they go."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from msgspec.structs import replace

from kube.api.core_v1 import Pod
from kube.api.meta_v1 import ObjectMeta
from node_agent.kubelet.log_files import LogFiles
from node_agent.kubelet.log_links import link_log, remove_dead_links, remove_log
from node_agent.runtime.model import ContainerConfig, ContainerRecord, ContainerState

POD = Pod(metadata=ObjectMeta(name="web", namespace="default", uid="u1"))


@pytest.fixture
def record(tmp_path: Path) -> ContainerRecord:
    """A container with a log of one line."""
    log = tmp_path / "logs/pods/default_web_u1/main/0.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-11-20T12:00:01Z stdout F hello\n")
    config = ContainerConfig(pod_uid="u1", name="main", attempt=0, image="busybox", log_path=str(log), cgroup="/")
    return ContainerRecord(id="c" * 64, config=config, image_id="", state=ContainerState.RUNNING, created_at=0.0)


def links(tmp_path: Path) -> dict[str, str]:
    return {link.name: str(link.readlink()) for link in (tmp_path / "logs/containers").iterdir()}


def test_a_link_says_whose_log_it_is(tmp_path: Path, record: ContainerRecord) -> None:
    link_log(POD, record)
    link_log(POD, record)       # once more, as after a kubelet that died in between

    assert links(tmp_path) == {f"web_default_main-{'c' * 64}.log": "/var/log/pods/default_web_u1/main/0.log"}


def test_names_are_cut_to_what_a_file_may_be_called(tmp_path: Path, record: ContainerRecord) -> None:
    link_log(replace(POD, metadata=replace(POD.metadata, name="p" * 253)), record)

    assert list(links(tmp_path)) == ["p" * 251 + ".log"]


def test_links_go_with_their_logs(tmp_path: Path, record: ContainerRecord) -> None:
    link_log(POD, record)
    remove_dead_links(tmp_path / "logs")
    assert len(links(tmp_path)) == 1

    Path(record.config.log_path).unlink()
    remove_dead_links(tmp_path / "logs")
    assert links(tmp_path) == {}


def test_what_a_pod_has_put_beside_the_links_stays(tmp_path: Path, record: ContainerRecord) -> None:
    """Whoever has the node's logs mounted may write there; the kubelet goes on all the same."""
    link_log(POD, record)
    Path(record.config.log_path).unlink()
    folder = tmp_path / "logs/containers"
    for name, target in (("away", "/etc/nothing"), ("loop", "loop"), ("relative", "../pods")):
        (folder / name).symlink_to(target)
    (folder / "file").touch()

    remove_dead_links(tmp_path / "logs")

    assert sorted(entry.name for entry in folder.iterdir()) == ["away", "file", "loop", "relative"]


def test_a_container_that_is_forgotten_leaves_no_log(tmp_path: Path, record: ContainerRecord) -> None:
    log = Path(record.config.log_path)
    for name in ("0.log.20261120-120000.gz", "10.log"):
        log.with_name(name).touch()
    link_log(POD, record)

    remove_log(POD, record)

    assert [entry.name for entry in log.parent.iterdir()] == ["10.log"]
    assert links(tmp_path) == {}


async def test_links_are_followed_over_http_but_not_out_of_the_directory(tmp_path: Path, record: ContainerRecord) -> None:
    link_log(POD, record)
    (tmp_path / "logs/containers/out.log").symlink_to("/etc/hostname")
    application = web.Application()
    application.router.add_get("/logs/{path:.*}", LogFiles(tmp_path / "logs").serve)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/logs/containers"
        async with ClientSession() as session:
            async with session.get(f"{base}/web_default_main-{'c' * 64}.log") as answer:
                assert (answer.status, await answer.text()) == (200, "2026-11-20T12:00:01Z stdout F hello\n")
            async with session.get(f"{base}/out.log") as answer:
                assert answer.status == 404
    finally:
        await runner.cleanup()
