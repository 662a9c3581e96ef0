"""`kubonsai conformance`: what it makes of the suite's report."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli.conformance import specs_of, table_of
from launcher.cli.main import main

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5"><testsuite name="Kubernetes e2e suite">
<testcase name="[SynchronizedBeforeSuite]" status="passed" time="1"></testcase>
<testcase name="[It] [sig-cli] Kubectl version prints [Conformance] [sig-cli, Conformance]" status="passed" time="0.4"></testcase>
<testcase name="[It] [sig-api-machinery] Watchers observe [Conformance] [sig-api-machinery, Conformance]" status="passed" time="2.5">
</testcase>
<testcase name="[It] [sig-api-machinery] Tables answer 406 [Conformance] [sig-api-machinery, Conformance]" status="failed" time="0.1">
<failure message="" type="failed">[FAILED] no error came&#10;In [It] at: table.go:1</failure></testcase>
<testcase name="[It] [sig-node] Pods run [Conformance] [sig-node, Conformance]" status="skipped" time="0"></testcase>
</testsuite></testsuites>"""


def test_a_report_becomes_a_table_by_group(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(REPORT)

    assert table_of(specs_of(tmp_path / "junit.xml")).splitlines() == [
        "GROUP               PASSED   FAILED   SECONDS",
        "sig-api-machinery   1        1        3",
        "sig-cli             1        0        0",
        "all                 2        1        3",
        "FAILED  [sig-api-machinery] Tables answer 406 [Conformance]",
        "        [FAILED] no error came",
    ]


def test_a_suite_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", str(tmp_path / "e2e.test")]) == 2
    assert f"there is no file {tmp_path / 'e2e.test'}" in capsys.readouterr().err
