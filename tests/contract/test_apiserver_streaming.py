"""kubectl logs and exec through the apiserver to a node's NodeService. The kubectl is the real one."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import WSServerHandshakeError

from tests.support.api_calls import Api, new_namespace, pod
from tests.support.apiserver import Kubectl, RunningApiserver, running_apiserver
from tests.support.node_service import DIES_AFTER_A_LINE, LOG, RepeatingNode, serving_node
from tests.support.ports import free_ports

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    (port,) = free_ports(1)
    async with running_apiserver(tmp_path_factory.mktemp("apiserver"), node_service_port=port) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(server: RunningApiserver) -> AsyncIterator[RepeatingNode]:
    """Node n1, and Pod p on it in namespace default."""
    tls = server.pki.identity("system:node:n1", ["system:nodes"], host="n1")
    async with serving_node(tls, server.config.node_service_port) as running, server.session() as session:
        api = Api(session)
        await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
        await api.patch("/api/v1/nodes/n1/status", {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}})
        path = await new_namespace(api, "streams", service_account=True)
        await api.post(f"{path}/pods", pod("p", nodeName="n1"))
        await api.post(f"{path}/pods", pod("two", nodeName="n1", containers=[
            {"name": "a", "image": "busybox"}, {"name": "b", "image": "busybox"},
        ]))
        yield running


@pytest.fixture
def kubectl(server: RunningApiserver) -> Kubectl:
    return Kubectl(server.kubeconfig())


async def test_logs_arrive_whole(node: RepeatingNode, kubectl: Kubectl) -> None:
    printed = await kubectl("logs", "-n", "streams", "p", "--tail=7", "--timestamps", "--since=90s")

    assert printed.encode() == LOG
    assert node.logs_request is not None
    asked = node.logs_request
    assert (asked.container.pod, asked.container.container, asked.tail_lines, asked.timestamps, asked.since_seconds) == (
        "p", "main", 7, True, 90
    )


async def test_what_the_node_refuses_reaches_the_client_as_a_status(node: RepeatingNode, kubectl: Kubectl) -> None:
    printed = await kubectl("logs", "-n", "streams", "p", "--previous", fails=True)

    assert printed.strip() == (
        'Error from server (BadRequest): previous terminated container "main" in pod "p" not found'
    )


async def test_the_container_must_be_named_where_there_are_two(node: RepeatingNode, server: RunningApiserver) -> None:
    async with server.session() as session:
        code, status = await Api(session).get("/api/v1/namespaces/streams/pods/two/log")

    assert (code, status["message"]) == (400, "a container name must be specified for pod two, choose one of: [a b]")


async def test_exec_carries_output_input_and_the_exit_code(node: RepeatingNode, kubectl: Kubectl) -> None:
    printed = await kubectl("exec", "-i", "-n", "streams", "p", "--", "cat", "-", stdin="hello\n")
    failed = await kubectl("exec", "-n", "streams", "p", "--", "exit", "3", fails=True)

    assert printed == "cat -\nhello\n"
    assert failed == "warned\ncommand terminated with exit code 3\n"


@pytest.mark.req("LOG-01")
async def test_an_unreachable_node_is_told(node: RepeatingNode, server: RunningApiserver, kubectl: Kubectl) -> None:
    async with server.session() as session:
        api = Api(session)
        await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"}})
        await api.patch("/api/v1/nodes/n2/status", {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.2"}]}})
        await api.post("/api/v1/namespaces/streams/pods", pod("far", nodeName="n2"))

    logs = await kubectl("logs", "-n", "streams", "far", fails=True)
    console = await kubectl("exec", "-n", "streams", "far", "--", "true", fails=True)

    assert 'Error from server: Get "https://127.0.0.2:' in logs
    assert '/containerLogs/streams/far/main": dial tcp 127.0.0.2:' in logs
    assert ": connect: connection refused" in logs
    assert console.startswith("Error from server: error dialing backend: dial tcp 127.0.0.2:")


async def test_what_the_node_does_not_have_is_told_before_the_connection_is_upgraded(node: RepeatingNode, kubectl: Kubectl) -> None:
    refused = await kubectl("exec", "-n", "streams", "p", "--", "gone", fails=True)

    assert refused.splitlines()[-1] == 'error: unable to upgrade connection: container not found ("main")'


@pytest.mark.parametrize(("query", "problem"), [
    ({"stream": "Both"}, 'stream: Unsupported value: "Both": supported values: "All", "Stderr", "Stdout"'),
    ({"stream": "Stdout", "tailLines": "1"}, "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"),
    ({"tailLines": "-1"}, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
    ({"limitBytes": "0"}, "limitBytes: Invalid value: 0: must be greater than 0"),
])
async def test_options_of_logs_are_checked(node: RepeatingNode, server: RunningApiserver, query: dict[str, str], problem: str) -> None:
    async with server.session() as session:
        code, status = await Api(session).get("/api/v1/namespaces/streams/pods/p/log", **query)

    assert (code, status["reason"]) == (422, "Invalid")
    assert problem in status["message"]


async def test_a_stream_of_a_log_can_be_had_alone(node: RepeatingNode, server: RunningApiserver) -> None:
    async with (
        server.session() as session,
        session.get("/api/v1/namespaces/streams/pods/p/log", params={"stream": "Stderr"}) as answer,
    ):
        assert (answer.status, await answer.read()) == (200, LOG)

    assert node.logs_request is not None
    assert node.logs_request.stream == "Stderr"


async def test_a_node_is_known_by_its_name_and_not_by_its_address(node: RepeatingNode, server: RunningApiserver, kubectl: Kubectl) -> None:
    tls = server.pki.identity("system:node:n4", ["system:nodes"], host="n4")
    async with server.session() as session:
        api = Api(session)

        async def move(name: str, address: str) -> None:
            await api.patch(f"/api/v1/nodes/{name}/status", {"status": {"addresses": [{"type": "InternalIP", "address": address}]}})

        for name in ("n3", "n4"):
            await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
            await api.post("/api/v1/namespaces/streams/pods", pod(f"on-{name}", nodeName=name))
            await move(name, "127.0.0.1")

        assert "dial tcp 127.0.0.1:" in await kubectl("logs", "-n", "streams", "on-n3", fails=True)     # there listens n1
        assert "dial tcp 127.0.0.1:" in await kubectl("logs", "-n", "streams", "on-n4", fails=True)
        async with serving_node(tls, server.config.node_service_port, address="127.0.0.4"):
            await move("n4", "127.0.0.4")       # an address that is not in its certificate
            assert await kubectl("logs", "-n", "streams", "on-n4") == LOG.decode()


async def test_a_plain_request_cannot_exec(node: RepeatingNode, server: RunningApiserver) -> None:
    async with server.session() as session:
        code, status = await Api(session).get("/api/v1/namespaces/streams/pods/p/exec", command="true", stdout="true")

    assert (code, status["message"]) == (400, "Upgrade request required")


@pytest.mark.parametrize(("protocol", "text"), [("binary.k8s.io", False), ("base64.binary.k8s.io", True), ("", False)])
async def test_logs_come_over_websockets(node: RepeatingNode, server: RunningApiserver, protocol: str, *, text: bool) -> None:
    async with (
        server.session() as session,
        session.ws_connect("/api/v1/namespaces/streams/pods/p/log", protocols=(protocol,) if protocol else ()) as socket,
    ):
        messages = [message.data async for message in socket]

    assert socket.protocol == (protocol or None)
    assert messages == (["", *(b64encode(line).decode() for line in LOG.splitlines(keepends=True))] if text
                        else [b"", *LOG.splitlines(keepends=True)])


@pytest.mark.parametrize(("query", "problem"), [
    ({"sinceTime": "yesterday"}, 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
    ({"tailLines": "many"}, 'strconv.ParseInt: parsing "many": invalid syntax'),
])
async def test_what_cannot_be_read_of_a_query_is_told(
    node: RepeatingNode, server: RunningApiserver, query: dict[str, str], problem: str
) -> None:
    async with server.session() as session:
        code, status = await Api(session).get("/api/v1/namespaces/streams/pods/p/log", **query)

    assert (code, status["reason"]) == (400, "BadRequest")
    assert problem in status["message"]


async def test_a_websocket_in_no_common_protocol_is_refused(node: RepeatingNode, server: RunningApiserver) -> None:
    async with server.session() as session:
        with pytest.raises(WSServerHandshakeError) as refused:
            await session.ws_connect("/api/v1/namespaces/streams/pods/p/exec?command=cat&stdout=1", protocols=("chat",))

    assert refused.value.status == 403


async def test_a_log_that_breaks_off_does_not_look_whole(node: RepeatingNode, server: RunningApiserver, kubectl: Kubectl) -> None:
    told = await kubectl("logs", "-n", "streams", "p", f"--limit-bytes={DIES_AFTER_A_LINE}", fails=True)

    assert told.strip() == "error: unexpected EOF"
