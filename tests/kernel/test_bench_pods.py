"""The bare measure of a Pod's cost works, on a small scale, and leaves nothing; nothing is timed here."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from bench.kubelet.floor import END, START, floor_figures
from node_agent.runtime.cgroups import detect_cgroups

pytestmark = pytest.mark.kernel


def test_a_pod_without_us_costs_something() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        pid = process.submit(os.getpid).result()
        figures = process.submit(floor_figures, 1).result()

    values = {figure.title: figure.value for figure in figures}
    assert {f"floor: {step}" for step in (*START, *END)} < values.keys()
    assert all(value > 0 for value in values.values())
    assert not Path(f"/run/netns/kbfloor{pid}").exists()
    assert not [root for root in detect_cgroups().roots() if (root / f"kbfloor{pid}").exists()]
