"""Everything persistent of one node, put together: what the kubelet's composition root makes and runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kube.client.client import Client
from node_agent.volumes.persistent.claims import ClaimReader
from node_agent.volumes.persistent.local import LocalSource
from node_agent.volumes.persistent.nfs import NfsSource
from node_agent.volumes.persistent.plugin import PersistentVolumePlugin


class PersistentStorage:
    """`labels`: those of the own Node, as they are now."""

    def __init__(self, client: Client, node_name: str, root_dir: Path, labels: Callable[[], Mapping[str, str]]) -> None:
        self.plugin = PersistentVolumePlugin(ClaimReader(client, node_name, labels), (LocalSource(root_dir), NfsSource()))
