"""attach as the kubelet serves it: whose input ends when, and what is seen of the output. Follows containerd's CRI plugin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kube.rpc.v1.node_pb2 import StreamFrame
from node_agent.kubelet.streams import relay_attach
from node_agent.runtime.model import ContainerRecord
from tests.support.runtime_node import RuntimeNode

pytestmark = pytest.mark.kernel


async def attached(
    node: RuntimeNode, record: ContainerRecord, *frames: StreamFrame, stdin: bool = True, heard: asyncio.Event | None = None
) -> tuple[bytes, str]:
    """What a client sees who sends these frames and then waits: standard output, and the status at the end. `heard`: that it hears."""

    async def sent() -> AsyncIterator[Any]:
        for frame in frames:
            yield frame
        await asyncio.Event().wait()

    output, status = b"", ""
    session = await node.runtime.open_attach(record.id)
    async with asyncio.timeout(120):
        async for frame in relay_attach(session, sent(), record.config, stdin=stdin):
            output += frame.stdout
            if heard and output:
                heard.set()
            status = json.loads(frame.status)["status"] if frame.status else status
    return output, status


async def test_the_end_of_the_input_is_the_containers_with_stdin_once(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "sort; echo end", stdin=True, stdin_once=True)

    seen = await attached(node, record, StreamFrame(stdin=b"b\na\n"), StreamFrame(close_stdin=True))

    assert seen == (b"a\nb\nend\n", "Success")
    assert (await node.finished(record)).exit_code == 0


async def test_without_stdin_once_it_ends_the_attach_alone(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "while read line; do echo $line; done", stdin=True)

    assert (await attached(node, record, StreamFrame(stdin=b"one\n"), StreamFrame(close_stdin=True)))[1] == "Success"
    assert (await attached(node, record, StreamFrame(stdin=b"two\n"), StreamFrame(close_stdin=True)))[1] == "Success"

    await node.eventually(lambda: node.log() == ["one", "two"])
    assert record.running


async def test_a_terminal_stays_open(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "while read line; do echo $line; done", stdin=True, stdin_once=True, tty=True)

    assert (await attached(node, record, StreamFrame(stdin=b"one\n"), StreamFrame(close_stdin=True)))[1] == "Success"
    assert (await attached(node, record, StreamFrame(stdin=b"two\n"), StreamFrame(close_stdin=True)))[1] == "Success"

    await node.eventually(lambda: sum("two" in line for line in node.log()) == 2)       # typed, and said
    assert record.running


async def test_a_container_without_input_is_listened_to_until_it_ends(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "until test -e /tmp/go; do echo .; sleep 0.05; done; echo said", stdin=False)
    heard = asyncio.Event()
    seen = asyncio.create_task(attached(node, record, StreamFrame(stdin=b"x"), StreamFrame(close_stdin=True), heard=heard))
    await asyncio.wait_for(heard.wait(), 60)

    await node.runtime.exec(record.id, ["touch", "/tmp/go"], 60)

    output, status = await seen
    assert (output.replace(b".\n", b""), status) == (b"said\n", "Success")


async def test_a_client_who_leaves_ends_the_input_with_stdin_once(node: RuntimeNode) -> None:
    record = await node.run(await node.sandbox(), "cat; echo end", stdin=True, stdin_once=True)
    session = await node.runtime.open_attach(record.id)
    await session.write(b"hello\n")
    await node.eventually(lambda: node.log() == ["hello"])

    session.close()

    await node.finished(record)
    assert node.log() == ["hello", "end"]
