"""Writes requirements.lock and requirements-dev.lock: the exact versions installed here of all that pyproject.toml asks for.

The files name versions only, no registry; `pip install --no-deps -r` reproduces the environment. `--check` only compares.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# Exact versions, made from pyproject.toml's ranges by `./kubonsai generate lock`.\n"


def closure(requirements: Iterable[str]) -> dict[str, str]:
    """Every distribution that the requirements need, directly or not: normalized name -> installed version."""
    versions: dict[str, str] = {}
    done: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        requirement = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for extra in ("", *requirement.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            distribution = importlib.metadata.distribution(requirement.name)
            versions[name] = distribution.version
            needs = (Requirement(text) for text in distribution.requires or ())
            for need in needs:
                if need.marker is None or need.marker.evaluate({"extra": extra}):
                    need.marker = None
                    todo.append(need)
    return versions


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = closure(project["dependencies"])
    development = {name: version for name, version in closure(project["optional-dependencies"]["dev"]).items() if name not in runtime}
    stale = False
    for file, versions in (("requirements.lock", runtime), ("requirements-dev.lock", development)):
        text = HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
        if (ROOT / file).read_text() != text:
            stale = True
            if "--check" in sys.argv:
                print(f"{file} does not fit what is installed; run ./kubonsai generate lock", file=sys.stderr)
            else:
                (ROOT / file).write_text(text)
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    raise SystemExit(main())
