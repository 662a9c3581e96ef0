"""Upstream's conformance suite (e2e.test of a Kubernetes release) against a cluster of its own.

The suite's binary and its images are not part of this project: both come by path, of the release the cluster speaks.
https://github.com/cncf/k8s-conformance tells what the suite is; its answers are in JUnit's XML.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from launcher.cli.output import table
from launcher.testing.cluster import Cluster, CommandFailed

FOCUS: Final = r"\[Conformance\]"
SPEC: Final = re.compile(r"\[It\] \[(sig-[a-z-]+)\] (.*?)(?: \[sig-[a-z-]+, .*)?")
FAILURES: Final = ("failed", "timedout", "panicked", "interrupted", "aborted")


@dataclass(frozen=True, slots=True)
class Spec:
    """One behaviour of the suite that ran. `group`: sig-cli; `message`: what the suite said of a failure."""

    group: str
    name: str
    failed: bool
    seconds: float
    message: str = ""


def specs_of(report: Path) -> list[Spec]:
    """What ran, by a JUnit report of the suite; skipped specs and its own before and after are left out."""
    return list(_specs(ElementTree.parse(report).iter("testcase")))  # noqa: S314 - written by the program that was just run


def _specs(cases: Iterable[ElementTree.Element]) -> Iterator[Spec]:
    for case in cases:
        named = SPEC.fullmatch(case.get("name", ""))
        status = case.get("status", "")
        if named is None or status not in ("passed", *FAILURES):
            continue
        failure = case.find("failure")
        said = "" if failure is None else (failure.get("message") or failure.text or "").strip()
        yield Spec(named[1], named[2], status in FAILURES, float(case.get("time", "0")), said)


def table_of(specs: list[Spec]) -> str:
    """Passed and failed by group, then each failure with the first line of what the suite said."""
    rows: list[tuple[str, ...]] = [("GROUP", "PASSED", "FAILED", "SECONDS")]
    for group in [*sorted({spec.group for spec in specs}), "all"]:
        mine = [spec for spec in specs if group in (spec.group, "all")]
        failed = sum(spec.failed for spec in mine)
        rows.append((group, str(len(mine) - failed), str(failed), f"{sum(spec.seconds for spec in mine):.0f}"))
    lines = [table(rows)]
    for spec in specs:
        if spec.failed:
            said = spec.message.splitlines() or ["-"]
            lines.append(f"FAILED  [{spec.group}] {spec.name}\n        {said[0][:300]}")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", type=Path, metavar="E2E.TEST", help="the suite's binary, of a Kubernetes release")
    parser.add_argument("--image", type=Path, action="append", default=[], metavar="TAR", help="an archive of images for the specs")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings of the cluster, as of `up`: a registry for the specs' images")
    parser.add_argument("--focus", default=FOCUS, metavar="REGEX", help=f"which specs (default {FOCUS})")
    parser.add_argument("--skip", default="", metavar="REGEX", help="which of them not")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--report", type=Path, metavar="DIR", help="where the log and the JUnit report go (default: nowhere)")


def conformance(options: argparse.Namespace) -> int:
    """Grows a cluster, runs the suite's specs on it one after the other, prints them by group; 0 when none failed."""
    missing = [str(path) for path in (options.suite, *options.image, *([options.config] if options.config else [])) if not path.is_file()]
    if missing:
        print(f"kubonsai: there is no file {', '.join(missing)}", file=sys.stderr)
        return 2
    if not os.access(options.suite, os.X_OK):
        print(f"kubonsai: {options.suite} is not executable: e2e.test of a Kubernetes release is wanted", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        folder = options.report or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        cluster = Cluster(Path(scratch), nodes=options.nodes)
        try:
            cluster.start(*(["--config", str(options.config.resolve())] if options.config else []))
            for image in options.image:
                print(cluster.kubonsai("load", str(image)), end="", file=sys.stderr)
            specs = _run_suite(cluster, options, folder)
        except CommandFailed as error:
            print(f"kubonsai: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("kubonsai: interrupted", file=sys.stderr)
            return 130
        finally:
            cluster.stop()
        print(table_of(specs))
        return 1 if not specs or any(spec.failed for spec in specs) else 0


def _run_suite(cluster: Cluster, options: argparse.Namespace, folder: Path) -> list[Spec]:
    """Raises CommandFailed when the suite ended without a report."""
    report, log = folder / "junit_01.xml", folder / "e2e.log"
    report.unlink(missing_ok=True)
    command: list[Any] = [
        options.suite.resolve(), f"-kubeconfig={cluster.environment['KUBECONFIG']}", f"-ginkgo.focus={options.focus}", "-ginkgo.v",
        "-ginkgo.no-color", "-ginkgo.timeout=12h", "-provider=skeleton", "-disable-log-dump", f"-report-dir={folder.resolve()}",
        *([f"-ginkgo.skip={options.skip}"] if options.skip else []),
    ]
    print(f"the suite's log: {log}", file=sys.stderr)
    with log.open("w") as output:
        environment = {**os.environ, **cluster.environment}
        try:
            code = subprocess.run(command, cwd=folder, stdout=output, stderr=output, env=environment, check=False).returncode
        except OSError as error:
            raise CommandFailed(f"{options.suite} cannot be run: {error.strerror}") from error
    if not report.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise CommandFailed(f"{options.suite} ended with {code} and left no report; it printed last:\n{tail}")
    return specs_of(report)
