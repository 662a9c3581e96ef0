"""Logs of components that write for weeks."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.cluster.log_rotation import KEPT, rotate_large_logs


def test_a_large_log_is_emptied_and_its_writer_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "kubelet-node1.log"
    writer = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)      # as the zygote opens it
    (tmp_path / "small.log").write_text("small")

    for number in range(KEPT + 2):
        os.write(writer, f"{number}".encode() * 200)
        rotate_large_logs(tmp_path, max_bytes=100)
    os.write(writer, b"now")
    os.close(writer)

    assert file.read_text() == "now"
    held = {path.name: path.read_text()[0] for path in tmp_path.glob("kubelet*.log.*")}
    assert held == {f"{file.name}.{age}": str(KEPT + 2 - age) for age in range(1, KEPT + 1)}
    assert [path.name for path in tmp_path.glob("small*")] == ["small.log"]
