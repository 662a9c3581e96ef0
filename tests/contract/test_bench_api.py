"""The benchmark of the API runs, on a small scale; its figures are not looked at."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.etcd
ROOT = Path(__file__).parents[2]
SMALL = {"pods": 30, "writes": 20, "lists": 1, "seconds": 0.2, "watchers": 3, "events": 10, "rate": 30}


async def test_every_measure_gives_figures(tmp_path: Path) -> None:
    arguments = [f"--{name}={value}" for name, value in SMALL.items()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "bench/api.py", *arguments, f"--json={tmp_path / 'figures.json'}", cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )
    printed = (await process.communicate())[0].decode()

    assert process.returncode == 0, printed
    figures = json.loads((tmp_path / "figures.json").read_text())["kubonsai"]
    for title in ("GET", "LIST all", "create", "patch", "server-side apply", "update", "delete", "fan-out", "memory", "30 mixed/s"):
        assert any(found.startswith(title) for found in figures), f"{title} is missing in {sorted(figures)}"
