"""Real containers: conmon, runc, namespaces, cgroups, overlay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from node_agent.kubelet.log_rotation import rotate
from node_agent.runtime.model import ContainerState, Mount, Resources, RuntimeServiceError, Security, StartFailedError
from node_agent.runtime.processes import start_ticks
from tests.support.runtime_node import RuntimeNode, cgroups_below, mounts_below

pytestmark = pytest.mark.kernel


async def output(*argv: str) -> str:
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode()


@pytest.mark.req("ARC-08", "POD-10")
async def test_container_runs_in_its_sandbox_and_leaves_nothing(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    record = await node.run(sandbox, "hostname; ls /sys/class/net; grep ' / ' /proc/mounts | cut -d' ' -f1; exec sleep 1000")
    await node.eventually(lambda: len(node.log()) == 3)

    assert node.log() == ["web", "lo", "overlay"]
    assert f"t{node.token}-default-web-0a1b2c3d" in await output("ip", "netns", "list")
    assert Path("/etc/netns", sandbox.netns_name, "resolv.conf").read_text() == "nameserver 10.96.0.10\n"
    listed = json.loads(await output("runc", "--root", str(node.run_dir / "runc"), "list", "--format", "json"))
    assert [(container["id"], container["status"]) for container in listed] == [(record.id, "running")]

    await node.runtime.remove_pod(sandbox.config.uid)

    assert sandbox.netns_name not in await output("ip", "netns", "list")
    assert not Path("/etc/netns", sandbox.netns_name).exists()
    assert mounts_below(node.root) == mounts_below(node.run_dir) == []
    assert cgroups_below(sandbox.config.cgroup) == []
    assert [entry for place in ("runc", "b", "ns") for entry in (node.run_dir / place).iterdir()] == []
    assert [entry for place in ("containers", "sandboxes", "exits") for entry in (node.root / place).iterdir()] == []
    await node.eventually(lambda: start_ticks(record.conmon_pid) == 0)


@pytest.mark.parametrize("code", [0, 4, 7])
async def test_exit_code_is_reported(node: RuntimeNode, code: int) -> None:
    record = await node.finished(await node.run(await node.sandbox(), f"exit {code}"))

    assert (record.state, record.exit_code, record.reason) == (ContainerState.EXITED, code, "")
    assert node.ended == [record]


async def test_unknown_command_is_a_start_error(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    record = await node.runtime.create_container(node.config(sandbox, "", command=("no-such-program",)))

    with pytest.raises(StartFailedError, match="no-such-program"):
        await node.runtime.start_container(record.id)

    assert (record.state, record.exit_code, record.reason) == (ContainerState.EXITED, 128, "StartError")
    assert 'exec: "no-such-program": executable file not found in $PATH' in record.message


@pytest.mark.req("TRM-05")
async def test_stop_asks_before_it_kills(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    polite = await node.run(sandbox, "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    deaf_log = node.root / "logs/deaf/0.log"
    deaf = await node.run(sandbox, "trap '' TERM; echo deaf; while :; do sleep 0.05; done", name="deaf", log_path=str(deaf_log))
    await node.eventually(lambda: node.log() == ["ready"] and "deaf" in deaf_log.read_text())

    await asyncio.gather(node.runtime.stop_container(polite.id, 60), node.runtime.stop_container(deaf.id, 0.3))

    assert (polite.exit_code, node.log()[-1]) == (3, "bye")
    assert deaf.exit_code == 137


@pytest.mark.req("POD-05")
async def test_memory_limit_kills_and_is_told_apart_from_a_kill(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    limited = Resources(memory_limit=16 << 20)
    eater = await node.run(sandbox, "tail /dev/zero", resources=limited)
    victim = await node.run(sandbox, "sleep 1000", name="victim", resources=limited)
    await node.finished(eater)
    os.kill(victim.pid, signal.SIGKILL)
    await node.finished(victim)

    assert (eater.exit_code, eater.reason) == (137, "OOMKilled")
    assert (victim.exit_code, victim.reason) == (137, "")


async def test_a_new_runtime_takes_over_what_runs_and_what_ended(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    lives = await node.run(sandbox, "exec sleep 1000")
    ends = await node.run(sandbox, "sleep 0.2; exit 9", name="ends")
    node.runtime.close()
    await node.eventually((node.root / "exits" / ends.id).exists)

    await node.restart()

    found = {record.name: record for record in node.runtime.containers(sandbox.config.uid)}
    assert (found["main"].id, found["main"].pid, found["main"].running) == (lives.id, lives.pid, True)
    assert (await node.finished(found["ends"])).exit_code == 9
    assert (await node.runtime.exec(lives.id, ["echo", "hi"], 60)).output == b"hi\n"
    await node.runtime.stop_container(lives.id, 0)
    assert found["main"].exit_code == 137


async def test_exec_gives_output_exit_code_and_errors(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")

    result = await node.runtime.exec(record.id, ["sh", "-c", "echo out; echo err >&2; exit 5"], 60)

    assert (result.exit_code, sorted(result.output.split())) == (5, [b"err", b"out"])
    with pytest.raises(RuntimeServiceError, match='exec: "nope": executable file not found'):
        await node.runtime.exec(record.id, ["nope"], 60)
    with pytest.raises(TimeoutError):
        await node.runtime.exec(record.id, ["sleep", "30"], 0.2)


async def test_exec_with_a_terminal_has_its_size(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    # the size follows the start, as with every runtime: a shell hears of it by SIGWINCH
    command = 'until [ "$(stty size)" = "33 101" ]; do sleep 0.02; done; read line; stty size; echo got $line'
    session = await node.runtime.open_exec(record.id, ["sh", "-c", command], tty=True, stdin=True)
    session.resize(101, 33)
    await session.write(b"text\n")
    output = b""
    while data := await session.read_stdout():
        output += data
    code = await session.wait()
    await session.close()

    assert code == 0
    assert b"33 101" in output
    assert b"got text" in output


async def test_exec_copies_standard_input(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "exec sleep 1000")
    session = await node.runtime.open_exec(record.id, ["wc", "-c"], tty=False, stdin=True)
    await session.write(b"x" * 300_000)
    session.close_stdin()
    output = await session.read_stdout()
    await session.wait()
    await session.close()

    assert output.strip() == b"300000"


async def test_containers_of_a_pod_share_shm_and_see_mounts(node: RuntimeNode, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/file").write_text("content")
    mounts = (Mount(source=str(tmp_path / "volume"), target="/data", read_only=True),)
    sandbox = await node.sandbox()
    await node.run(sandbox, "echo shared > /dev/shm/x; exec sleep 1000", name="writer", log_path=str(node.root / "logs/w/0.log"))
    script = "until cat /dev/shm/x 2>/dev/null; do sleep 0.02; done; cat /data/file; echo; touch /data/new || echo refused"
    await node.finished(await node.run(sandbox, script, mounts=mounts))

    assert [line for line in node.log() if line and "touch" not in line] == ["shared", "content", "refused"]


async def test_user_and_capabilities(node: RuntimeNode) -> None:
    security = Security(uid=1000, gid=3000, supplemental_gids=(2000,), drop_capabilities=("ALL",))
    script = "id -u; id -g; id -G; grep CapBnd /proc/self/status"
    await node.finished(await node.run(await node.sandbox(), script, security=security))

    assert node.log() == ["1000", "3000", "3000 2000", "CapBnd:\t0000000000000000"]


@pytest.mark.req("POD-03")
async def test_containers_can_share_a_pid_namespace(node: RuntimeNode) -> None:
    sandbox = await node.sandbox(share_pid=True)
    await node.run(sandbox, "exec sleep 4321", name="other", log_path=str(node.root / "logs/o/0.log"))
    await node.finished(await node.run(sandbox, "until pidof sleep | grep -q .; do :; done; ps | grep -c '[s]leep 4321'"))

    assert node.log() == ["1"]


async def test_python_image_runs_python(node: RuntimeNode) -> None:
    sandbox = await node.sandbox()
    script = "import ssl, sqlite3, ctypes, json, socket; print(json.dumps({'ok': ssl.OPENSSL_VERSION[:7]}))"
    config = node.config(sandbox, "", image="python:3.11-slim", command=("python3", "-c", script))
    record = await node.runtime.create_container(config)
    await node.runtime.start_container(record.id)
    await node.finished(record)

    assert (record.exit_code, node.log()) == (0, ['{"ok": "OpenSSL"}'])


async def test_image_names(node: RuntimeNode) -> None:
    found = {name: await node.runtime.find_image(name) for name in ("busybox", "busybox:1.36", "docker.io/library/busybox:musl")}

    assert len({image.id for image in found.values() if image}) == 1
    assert await node.runtime.find_image("nginx:1.27") is None
    with pytest.raises(RuntimeServiceError, match="invalid reference format"):
        await node.runtime.find_image("Not/AN image")


async def test_a_renamed_log_is_written_anew(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")
    path = Path(record.config.log_path)
    await node.eventually(lambda: len(node.log()) > 1)

    await rotate(path, datetime(2026, 11, 20, tzinfo=UTC), 5, partial(node.runtime.reopen_log, record.id))
    await node.eventually(lambda: path.exists() and len(node.log()) > 1)

    (old,) = path.parent.glob("0.log.*")
    numbers = [int(line) for file in (old, path) for line in node.log(f"main/{file.name}")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_attach_receives_output_and_gives_input(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "while read line; do echo \"<$line>\"; done", stdin=True)
    session = await node.runtime.open_attach(record.id)
    await session.write(b"hello\n")
    stream, data = await asyncio.wait_for(session.read(), 60)
    session.close()

    assert (stream, data) == (2, b"<hello>\n")
