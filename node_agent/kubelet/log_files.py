"""The node's log directory as pages: /logs/ on 10250. As the kubelet's file server: lists of links, and files as they are."""

from __future__ import annotations

import html
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from node_agent.kubelet.log_links import NODE_LOGS


class LogFiles:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Links that lead out of the directory are not followed; those of /var/log/containers lead to where the node has it."""
        root = self._root.resolve()
        path = (root / request.match_info.get("path", "")).resolve()
        if path.is_relative_to(NODE_LOGS):
            path = (root / path.relative_to(NODE_LOGS)).resolve()
        if not path.is_relative_to(root) or not path.exists():
            return web.Response(status=404, text="404 page not found\n")
        if not path.is_dir():
            return web.FileResponse(path, headers={"Content-Type": "text/plain; charset=utf-8"})
        if not request.path.endswith("/"):
            return web.Response(status=301, headers={"Location": f"{path.name}/"})
        names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in path.iterdir())
        links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
        return web.Response(text=f"<!doctype html>\n<pre>\n{links}</pre>\n", content_type="text/html", charset="utf-8")
