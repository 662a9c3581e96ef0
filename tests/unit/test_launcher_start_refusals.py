"""What ends the wait for a cluster early, and what files must be there before it is made."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kube.process.config import ConfigError
from launcher.cluster import refusals
from launcher.cluster.errors import UpFailed
from launcher.cluster.refusals import has_refused, unless_refused
from launcher.cluster.settings import ClusterSettings, check_files
from launcher.cluster.zygote_client import ProcessState, Reply, Request


def state(log: Path, name: str = "apiserver", *, pid: int = 0, code: int = 2, restarts: int = 1) -> ProcessState:
    return ProcessState(
        name=name, node="node1", pid=pid, started_at=0.0, start_ticks=0, restarts=restarts, log_file=str(log), last_code=code)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_the_wait_ends_with_the_words_of_who_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_text("2026-11-21T13:36:09.5Z INFO kube-apiserver started\nkube-apiserver: /etc/policy: Expected object\n2026-11-21 INFO x\n")
    looks = iter(range(1, 100))
    monkeypatch.setattr(refusals, "LOOK_S", 0.01)
    monkeypatch.setattr(refusals, "ask", lambda socket, request: Reply(processes=(state(log, restarts=next(looks)),)))

    with pytest.raises(UpFailed, match=r"^apiserver of node1 cannot use its configuration: kube-apiserver: /etc/policy: Expected object$"):
        await unless_refused(tmp_path, forever())


async def test_work_that_is_done_or_fails_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(socket: Path, request: Request) -> Reply:
        return Reply()

    async def fails() -> None:
        raise TimeoutError("too late")

    monkeypatch.setattr(refusals, "ask", ask)
    await unless_refused(tmp_path, asyncio.sleep(0))
    with pytest.raises(TimeoutError, match="too late"):
        await unless_refused(tmp_path, fails())


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        (state(Path("x")), True),
        (state(Path("x"), pid=7), False),
        (state(Path("x"), code=1), False),
        (state(Path("x"), restarts=0), False),
        (state(Path("x"), "etcd"), False),
    ],
)
def test_only_an_end_of_now_counts(held: ProcessState, refused: bool) -> None:
    assert has_refused(held, 0) is refused


def test_files_of_the_settings_must_be_there_before_a_cluster_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^apiserver.audit_policy_file: there is no file /nowhere/policy$"):
        check_files(ClusterSettings(apiserver={"audit_policy_file": "/nowhere/policy"}))
    with pytest.raises(ConfigError, match=r"^registry_config_dir: there is no folder /nowhere"):
        check_files(ClusterSettings(registry_config_dir="/nowhere"))
    (tmp_path / "policy").write_text("")
    check_files(ClusterSettings(
        apiserver={"audit_policy_file": str(tmp_path / "policy"), "audit_log_path": "/nowhere/log"}, registry_config_dir=str(tmp_path)))
