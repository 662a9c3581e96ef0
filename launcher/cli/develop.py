"""Commands for those who change the project: test, lint, proto, generate, bench, conformance."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from launcher.cli.conformance import add_arguments, conformance

ROOT: Final = Path(__file__).resolve().parents[2]
Subparsers = Any

# Each is started from ROOT; mypy also sees the tests.
LINTERS: Final = (
    ("ruff", "check", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
)
GENERATORS: Final = {
    "api": ("python", "-m", "kube.apimachinery.codegen.structs"),
    "lock": ("python", "-m", "launcher.cli.lock"),
}


def add_commands(commands: Subparsers) -> None:
    """Nothing where the project is installed as a package: tests and tools are in a checkout only."""
    if not os.path.exists(ROOT / "pyproject.toml"):      # false, not an error, also where it may not be read
        return
    test = commands.add_parser("test", help="lint, then every test; other arguments go to pytest", description=test_command.__doc__)
    test.add_argument("--full", action="store_true", help="with the long runs: soak, thousands of rounds")
    test.add_argument("--compose", action="store_true", help="with docker compose, on a Docker engine made for it (installs docker.io)")
    test.add_argument("--machine", action="store_true", help="with control groups of version 2, in an emulator (installs qemu-system-x86)")
    test.add_argument("--no-lint", action="store_true", help="tests only")
    test.add_argument("rest", nargs=argparse.REMAINDER, metavar="PYTEST-ARGUMENTS")
    test.set_defaults(run=test_command)
    for name, run, text in (
        ("lint", lint_command, "ruff, mypy strict, import contracts"),
        ("proto", proto_command, "generate the gRPC code from proto/"),
    ):
        command = commands.add_parser(name, help=text, description=run.__doc__)
        command.set_defaults(run=run)
    generate = commands.add_parser("generate", help="generate code and lock files", description=generate_command.__doc__)
    generate.add_argument("what", choices=[*GENERATORS])
    generate.add_argument("rest", nargs=argparse.REMAINDER)
    generate.set_defaults(run=generate_command)
    bench = commands.add_parser("bench", help="measure; without a name: list the benchmarks", description=bench_command.__doc__)
    bench.add_argument("what", nargs="?")
    bench.add_argument("rest", nargs=argparse.REMAINDER)
    bench.set_defaults(run=bench_command)
    suite = commands.add_parser("conformance", help="run upstream's conformance suite, given by path", description=conformance.__doc__)
    add_arguments(suite)
    suite.set_defaults(run=conformance)


def test_command(options: argparse.Namespace) -> int:
    """Lints, then runs the tests in two groups: those that share nothing in parallel, then those that start clusters."""
    if not options.no_lint and not options.rest and (code := lint_command(options)):
        return code
    selection = [*([] if options.full else ["-m", "not full"]), *(f"--{name}" for name in ("compose", "machine") if getattr(options, name))]
    arguments = options.rest or ["-n", "3", "--dist", "loadgroup", "--durations", "20", "tests"]
    return _run("pytest", *selection, *arguments)


def lint_command(options: argparse.Namespace) -> int:
    """Runs every linter, also after one has complained; the exit code is 0 only when all are content."""
    return max([_run(*linter) for linter in LINTERS])


def proto_command(options: argparse.Namespace) -> int:
    """Generates kube/rpc/v1 and kube/csi/v1 from proto/."""
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "proto").rglob("*.proto"))
    outputs = ("--python_out=.", "--pyi_out=.", "--grpc_python_out=.")
    return _run("python", "-m", "grpc_tools.protoc", "-I", "proto", *outputs, *sources)


def generate_command(options: argparse.Namespace) -> int:
    """Generates kube/api from the schemas, or the lock files from the installed versions; --check only compares."""
    return _run(*GENERATORS[options.what], *options.rest)


def bench_command(options: argparse.Namespace) -> int:
    """Runs one of bench/*.py, which print their figures as a table."""
    known = sorted(path.stem for path in (ROOT / "bench").glob("*.py") if not path.stem.startswith("_"))
    if options.what not in known:
        unknown = f"kubonsai: there is no benchmark {options.what!r}; " if options.what else ""
        print(f"{unknown}benchmarks: {', '.join(known)}", file=sys.stderr)
        return 0 if options.what is None else 2
    return _run("python", f"bench/{options.what}.py", *options.rest)


def _run(tool: str, *arguments: str) -> int:
    print(f"$ {tool} {' '.join(arguments)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    executable = sys.executable if tool == "python" else str(Path(sys.executable).parent / tool)
    return subprocess.run([executable, *arguments], cwd=ROOT, env=environment, check=False).returncode
