"""The kinds of volumes that every node has. app.py adds those that need more of the kubelet."""

from __future__ import annotations

from node_agent.volumes.api_files import ApiFilesPlugin
from node_agent.volumes.empty_dir import EmptyDirPlugin, MemoryOf
from node_agent.volumes.host_paths import HostPathPlugin
from node_agent.volumes.payloads import VolumeSources
from node_agent.volumes.plugin import VolumePlugin


def local_plugins(sources: VolumeSources, memory_of: MemoryOf) -> tuple[VolumePlugin, ...]:
    return (EmptyDirPlugin(memory_of), HostPathPlugin(), ApiFilesPlugin(sources, memory_of))
