"""More requests than there are places for: those above them are told to come again, and those who keep the cluster going go on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from kube.process.tls import server_context
from tests.support.api_calls import Api, config_map
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
PLACES = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory = tmp_path_factory.mktemp("apiserver")
    limits = {"max_requests_inflight": PLACES // 2, "max_mutating_requests_inflight": PLACES // 2}
    async with running_apiserver(directory, **limits) as running:
        yield running


class Brake:
    """A webhook that answers nobody until it is let go: whoever writes a ConfigMap keeps its place."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        review = await request.json()
        await self.go.wait()
        response = {"uid": review["request"]["uid"], "allowed": True}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})


@pytest_asyncio.fixture(loop_scope="module")
async def brake(server: RunningApiserver, api: Api) -> AsyncIterator[Brake]:
    held = Brake()
    app = web.Application()
    app.router.add_post("/", held.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = server_context(server.pki.identity("webhook", host="localhost"), client_certificates=ssl.CERT_NONE)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    ca = base64.b64encode(Path(server.pki.ca_file).read_bytes()).decode()
    hook: dict[str, Any] = {
        "name": "brake.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 30,
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": ca},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
    }
    assert (await api.post(HOOKS, {"metadata": {"name": "brake"}, "webhooks": [hook]}))[0] == 201
    try:
        yield held
    finally:
        held.go.set()
        await api.delete(f"{HOOKS}/brake")
        await runner.cleanup()


async def granted(api: Api, *users: str) -> None:
    subjects = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"} for user in users]
    await api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "overload"}, "subjects": subjects,
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
    })


async def test_the_objects_of_priority_and_fairness_are_there_and_answers_name_theirs(api: Api) -> None:
    async with asyncio.timeout(30):
        while len((await api.get(f"{FLOWS}/flowschemas"))[1]["items"]) < 11:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    schema = (await api.get(f"{FLOWS}/flowschemas/exempt"))[1]
    level = (await api.get(f"{FLOWS}/prioritylevelconfigurations/exempt"))[1]

    async with api.session.get(MAPS) as answer:
        assert answer.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema["metadata"]["uid"]
        assert answer.headers["X-Kubernetes-PF-PriorityLevel-UID"] == level["metadata"]["uid"]


async def test_overload_is_shed_while_the_system_goes_on(server: RunningApiserver, api: Api, brake: Brake) -> None:
    await granted(api, "crowd", "system:kube-controller-manager")
    crowd_identity, manager_identity = server.pki.identity("crowd"), server.pki.identity("system:kube-controller-manager")
    codes: Counter[int] = Counter()
    retry_after = set()
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(server.session(manager_identity))
        crowd = [await stack.enter_async_context(server.session(crowd_identity)) for _ in range(5)]      # of a hundred connections each
        # Made before anybody is in the way: one place each.
        manager = Api(session)
        assert (await manager.get(LEASES))[0] == 200

        async def write(number: int) -> None:
            async with crowd[number % 5].post(MAPS, json=config_map(f"crowd-{number}")) as answer:
                codes[answer.status] += 1
                if answer.status == 429:
                    retry_after.add(answer.headers["Retry-After"])

        writing = [asyncio.create_task(write(number)) for number in range(500)]
        async with asyncio.timeout(60):
            while not codes[429]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        # the crowd has what it can get; the others have theirs
        lease = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": 15}}
        assert (await manager.post(LEASES, lease))[0] == 201
        assert (await manager.get(f"{LEASES}/leader"))[0] == 200
        assert (await api.get(MAPS))[0] == 200
        assert (await api.get("/api/v1/namespaces/default"))[0] == 200
        async with server.anonymous_session() as nobody, nobody.get("/livez") as answer:
            assert answer.status == 200
        assert brake.asked <= PLACES

        brake.go.set()
        await asyncio.gather(*writing)

        assert (await Api(crowd[0]).get(MAPS))[0] == 200      # and when it is over it is over
    assert codes.keys() == {201, 429} and codes[201] >= 2 and codes.total() == 500
    assert retry_after == {"1"}
