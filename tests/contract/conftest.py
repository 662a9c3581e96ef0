"""What most contract tests speak to: an apiserver on a real etcd, one per module. Modules that need another define their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api_calls import Api
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.webhooks import WebhookServer, webhook_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        session.headers["User-Agent"] = "tests/1.0 (linux)"         # the field manager is "tests"
        yield Api(session)


@pytest_asyncio.fixture(loop_scope="module")
async def hooks(server: RunningApiserver) -> AsyncIterator[WebhookServer]:
    """A server of webhooks that the apiserver may trust; each test has its own."""
    async with webhook_server(server.pki.identity("webhook")) as running:
        yield running
