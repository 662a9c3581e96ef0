"""An exec that cannot be started leaves nothing: no descriptor, no file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import pytest

from node_agent.runtime.conmon import Tools
from node_agent.runtime.execs import open_exec
from node_agent.runtime.model import ContainerRecord


class Record:
    id = "c"


@pytest.mark.parametrize(("tty", "stdin"), [(False, False), (False, True), (True, True)])
async def test_an_exec_without_a_runtime_leaves_nothing(tmp_path: Path, tty: bool, stdin: bool) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"process": {"args": [], "env": []}}))
    tools = Tools(conmon="/nowhere/conmon", runc="/nowhere/runc", runc_root=str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))

    with pytest.raises(FileNotFoundError):
        await open_exec(tools, cast(ContainerRecord, Record()), tmp_path, ["true"], tty=tty, stdin=stdin)

    assert set(os.listdir("/proc/self/fd")) <= before
    assert [entry.name for entry in tmp_path.iterdir()] == ["config.json"]
