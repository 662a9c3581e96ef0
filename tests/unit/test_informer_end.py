"""The end of an InformerFactory: whoever waits inside it for something gets his own error, not a group."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Node
from kube.client.informer import InformerFactory
from tests.support.controllers import memory_client


async def test_an_error_of_the_body_goes_on_as_it_is() -> None:
    async def work() -> None:
        async with memory_client()[0] as client, InformerFactory(client) as informers:
            informers.informer(Node)
            await informers.start()
            raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        await work()
