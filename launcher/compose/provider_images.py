"""`load` and `images` for containers: archives go through a node's standard input into the store that all nodes share."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from launcher.compose.provider import ComposeCluster


def load(cluster: ComposeCluster, sources: Sequence[str], *options: str) -> int:
    """Files, directories (OCI layouts), "-"; the exit code of the first that fails. Raises LauncherError."""
    command = cluster.in_node_command("kubonsai", "load", *options, "-")
    for path in sources:
        if path == "-":
            code = _feed(command, sys.stdin.buffer)
        elif Path(path).is_dir():
            code = _feed_folder(command, Path(path))
        else:
            with Path(path).open("rb") as archive:
                code = _feed(command, archive)
        if code != 0:
            if path != "-":
                print(f"kubonsai: {path} was not loaded", file=sys.stderr)  # noqa: T201
            return code
    return 0


def images(cluster: ComposeCluster) -> int:
    return _feed(cluster.in_node_command("kubonsai", "images"), subprocess.DEVNULL)


def _feed(command: list[str], source: IO[bytes] | int) -> int:
    sys.stdout.flush()
    return subprocess.run(command, stdin=source, check=False).returncode


def _feed_folder(command: list[str], folder: Path) -> int:
    """As an archive, which an OCI layout may be."""
    sys.stdout.flush()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as client:
        assert client.stdin is not None
        try:
            with tarfile.open(fileobj=client.stdin, mode="w|") as archive:
                for entry in sorted(folder.iterdir()):
                    archive.add(entry, arcname=entry.name)
            client.stdin.close()
        except BrokenPipeError:         # it has seen enough; its exit code says of what
            pass
        return client.wait()
