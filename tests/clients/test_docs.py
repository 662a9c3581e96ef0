"""The examples of docs/clients.md, each run as a program of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.space import Space

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
EXAMPLES = re.findall(r"^## ([^\n,]+)[^\n]*$|```python\n(.*?)```\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def examples() -> list[Any]:
    """(program, what it prints), named after the chapter."""
    found, chapter = [], ""
    for heading, program, output in EXAMPLES:
        chapter = heading or chapter
        if program:
            found.append(pytest.param(program, output, id=chapter))
    return found


@pytest.mark.parametrize(("program", "output"), examples())
def test_an_example(space: Space, kubeconfig: str, program: str, output: str) -> None:
    program = program.replace('"default"', f'"{space.namespace}"')

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "KUBECONFIG": kubeconfig},
    )

    assert (done.stdout, done.returncode) == (output, 0), done.stderr
