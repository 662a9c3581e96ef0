"""What others see of the kernel's state: iproute2 and nft, in JSON. Tests assert with these, not with the project's own readers."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any


def ip_json(*arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(_output("ip", "-j", *arguments) or "[]"))


def bridge_json(netns: str, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(_output("bridge", "-n", netns, "-j", *arguments) or "[]"))


def nft_json(netns: str, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(_output("ip", "netns", "exec", netns, "nft", "-j", *arguments))["nftables"])


def nft_text(netns: str, *arguments: str) -> str:
    return _output("ip", "netns", "exec", netns, "nft", *arguments)


def elements(netns: str, kind: str, name: str, *, table: str = "kubonsai-proxy") -> list[Any]:
    """The elements of a map or set, as nft prints them."""
    (found,) = [item[kind] for item in nft_json(netns, "list", kind, "ip", table, name) if kind in item]
    return list(found.get("elem", []))


def host_network() -> str:
    """Links, addresses, routes and rules of the namespace that the tests run in; not how long a DHCP server lets it have them."""
    text = "\n".join(_output(*command.split()) for command in ("ip -j link", "ip -j addr", "ip -j route", "nft list ruleset"))
    return re.sub(r'"(valid|preferred)_life_time":\d+', "", text)


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
    return result.stdout
