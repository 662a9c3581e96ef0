"""Session affinity across a rewrite of the table: what the kernel remembers of clients, as commands that remember it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from netns.errors import NftError
from netns.nft import NftThread
from node_agent.proxy.table import AFFINITY, TABLE


async def read_affinity(nft: NftThread) -> str:
    """Commands that add the held entries; "" where there are none, or no table yet."""
    try:
        listing = await nft.run(f"list map ip {TABLE} {AFFINITY}", json=True)
    except NftError:
        return ""
    entries = list(_entries(msgspec.json.decode(listing)))
    return f"add element ip {TABLE} {AFFINITY} {{ {', '.join(entries)} }}" if entries else ""


def _entries(listing: dict[str, Any]) -> Iterator[str]:
    for item in listing["nftables"]:
        for key, mark in item.get("map", {}).get("elem", ()):
            entry = key["elem"]
            if (left := entry.get("expires", 0)) > 0:
                client = " . ".join(str(part) for part in entry["val"]["concat"])
                yield f"{client} timeout {entry['timeout']}s expires {left}s : {mark}"
