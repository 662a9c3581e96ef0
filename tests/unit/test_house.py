"""The house stays in order: sizes, forbidden files, docs, generated code. Each message says what to do."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kube", "control_plane", "node_agent", "netns", "addons", "launcher")
GENERATED = (ROOT / "kube/rpc/v1", ROOT / "kube/csi/v1", ROOT / "kube/api")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if not any(folder in path.parents for folder in GENERATED)
)
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60


def test_no_module_outgrows_its_reviewer() -> None:
    long = {str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > MAX_MODULE_LINES}

    assert not long, f"split by responsibility: {long}"


def test_no_function_outgrows_its_reader() -> None:
    long = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines

    assert not long, f"name the parts: {long}"


def test_cmd_and_proto_are_no_packages() -> None:
    found = [folder for folder in ("cmd", "proto") if (ROOT / folder / "__init__.py").exists()]

    assert not found, f"remove __init__.py from {found}: it would hide a module of the standard library or of PyPI"


def test_every_package_has_a_map() -> None:
    folders = {path.parent for path in SOURCES}
    mapless = [
        str(folder.relative_to(ROOT)) for folder in sorted(folders)
        if not (folder / "__init__.py").exists() or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]

    assert not mapless, f"write an __init__.py whose docstring says what is where: {mapless}"


def test_every_module_says_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))]

    assert not silent, f"give these modules a docstring: {silent}"


def test_docs_are_there() -> None:
    wanted = [
        "README.md", "CHANGELOG.md", "docs/adr/0001-etcd-client.md", "docs/adr/0002-http-server.md", "docs/adr/0003-runtime.md",
        ".ci/run", "kubonsai",
    ]
    missing = [name for name in wanted if not (ROOT / name).exists()]

    assert not missing


def test_locks_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]

        assert all("==" in line and "/" not in line for line in lines), f"{name}: names and versions only"


def test_locks_know_all_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {canonicalize_name(Requirement(text).name) for text in project["dependencies"] + project["optional-dependencies"]["dev"]}
    lines = ((ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()).splitlines()
    locked = {line.partition("==")[0] for line in lines}

    assert wanted <= locked, f"run ./kubonsai generate lock; missing: {wanted - locked}"


def test_ci_runs_the_readmes_test_command() -> None:
    assert "./kubonsai test" in (ROOT / ".ci/run").read_text()


def test_standard_library_cmd_is_not_hidden() -> None:
    done = subprocess.run([sys.executable, "-c", "import cmd, pdb; cmd.Cmd"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
