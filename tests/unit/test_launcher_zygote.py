"""The zygote runs real processes: starts them, starts them again, ends them; its successor ends what it left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from launcher.cluster import zygote as zygote_module
from launcher.cluster.errors import ZygoteUnavailable
from launcher.cluster.zygote_client import ProcessSpec, ProcessState, Reply, Request, ask, end_leftovers, recorded_processes
from launcher.testing.cluster import eventually

START = f"""
import sys
sys.path.insert(0, {str(Path(zygote_module.__file__).parents[2])!r})
from pathlib import Path
from launcher.cluster.zygote import Zygote
sys.path.insert(0, sys.argv[1])
Zygote("test", Path(sys.argv[1]), [], sys.argv[2:]).run()
"""

SLOW_MODULE = """
import time
from pathlib import Path
while not Path(__file__).with_suffix(".go").exists():
    time.sleep(0.005)
def main(arguments):
    time.sleep(60)
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    process = subprocess.Popen([sys.executable, "-c", START, str(tmp_path)])
    yield tmp_path
    process.kill()
    process.wait()
    end_leftovers(tmp_path / "processes.json")


def sleeper(folder: Path, name: str = "sleeper") -> ProcessSpec:
    return ProcessSpec(name=name, node="n1", arguments=("sleep", "60"), log_file=str(folder / "log"))


def request(run_dir: Path, request: Request) -> dict[str, ProcessState]:
    def answered() -> Reply | None:
        try:
            return ask(run_dir / "zygote.sock", request)
        except ZygoteUnavailable:
            return None

    return {f"{state.name}/{state.node}": state for state in eventually(answered).processes}


def test_a_killed_process_starts_again(run_dir: Path) -> None:
    first = request(run_dir, Request(op="ensure", specs=(sleeper(run_dir),)))["sleeper/n1"]

    os.kill(first.pid, signal.SIGKILL)

    def successor() -> ProcessState | None:
        state = request(run_dir, Request(op="list"))["sleeper/n1"]
        return state if state.pid not in (0, first.pid) else None

    second = eventually(successor)
    assert second.restarts == 1


def test_ensuring_what_runs_changes_nothing(run_dir: Path) -> None:
    first = request(run_dir, Request(op="ensure", specs=(sleeper(run_dir),)))["sleeper/n1"]

    again = request(run_dir, Request(op="ensure", specs=(sleeper(run_dir),)))["sleeper/n1"]

    assert again == first


def test_a_stopped_process_stays_away(run_dir: Path) -> None:
    pid = request(run_dir, Request(op="ensure", specs=(sleeper(run_dir),)))["sleeper/n1"].pid

    request(run_dir, Request(op="stop", keys=("sleeper/n1",)))

    eventually(lambda: "sleeper/n1" not in request(run_dir, Request(op="list")))
    eventually(lambda: not Path(f"/proc/{pid}").exists())


def test_shutdown_ends_all_and_removes_the_socket(run_dir: Path) -> None:
    specs = (sleeper(run_dir, "a"), sleeper(run_dir, "b"))
    pids = [state.pid for state in request(run_dir, Request(op="ensure", specs=specs)).values()]

    request(run_dir, Request(op="shutdown"))

    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    eventually(lambda: not (run_dir / "zygote.sock").exists())


def test_what_a_dead_zygote_left_can_be_ended(run_dir: Path) -> None:
    pid = request(run_dir, Request(op="ensure", specs=(sleeper(run_dir),)))["sleeper/n1"].pid
    (zygote,) = [state for state in recorded_processes(run_dir / "processes.json") if state.name == "zygote"]
    os.kill(zygote.pid, signal.SIGKILL)

    end_leftovers(run_dir / "processes.json")

    eventually(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])


def test_a_failing_process_is_retried_with_growing_delay(run_dir: Path) -> None:
    spec = ProcessSpec(name="false", node="n1", arguments=("false",), log_file=str(run_dir / "log"))
    began = time.monotonic()
    request(run_dir, Request(op="ensure", specs=(spec,)))

    eventually(lambda: request(run_dir, Request(op="list"))["false/n1"].restarts >= 3)

    assert time.monotonic() - began > sum(zygote_module.RESTART_DELAYS_S[:3]) * 0.9


def connected(run_dir: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(run_dir / "zygote.sock"))
    except OSError:
        connection.close()
        return None
    return connection


def test_a_process_waits_for_its_own_import_only(tmp_path: Path) -> None:
    for name in ("slow_first", "slow_second"):
        (tmp_path / f"{name}.py").write_text(SLOW_MODULE)
    second = ProcessSpec(name="second", node="n1", module="slow_second", arguments=(), log_file=str(tmp_path / "log"))
    zygote = subprocess.Popen([sys.executable, "-c", START, str(tmp_path), "slow_first", "slow_second"])
    try:
        with eventually(lambda: connected(tmp_path)) as connection:
            connection.send(msgspec.json.encode(Request(op="ensure", specs=(sleeper(tmp_path), second))))
            (tmp_path / "slow_first.go").touch()
            reply = msgspec.json.decode(connection.recv(65536), type=Reply)
        assert {state.name: bool(state.pid) for state in reply.processes} == {"sleeper": True, "second": False}

        (tmp_path / "slow_second.go").touch()
        eventually(lambda: request(tmp_path, Request(op="list"))["second/n1"].pid)
    finally:
        zygote.kill()
        zygote.wait()
        end_leftovers(tmp_path / "processes.json")


def test_words_that_are_no_request_are_refused(run_dir: Path) -> None:
    with eventually(lambda: connected(run_dir)) as connection:
        connection.send(b"{}")
        answer = connection.recv(65536)

    assert b"op" in answer
