"""Flags that a process does not have: what is said, and how it ends."""

from __future__ import annotations

import pytest

from control_plane.apiserver.app import main
from kube.process.flags import unknown_flag


@pytest.mark.req("ATN-02")
@pytest.mark.parametrize("arguments", [["--basic-auth-file", "users.csv"], ["--basic-auth-file=users.csv", "--config", "/dev/null"]])
def test_flags_that_kubernetes_removed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1

    assert capsys.readouterr().err == (
        "Error: unknown flag: --basic-auth-file: Kubernetes removed it; use token_auth_file, client certificates or OpenID Connect\n")


@pytest.mark.parametrize(("argument", "said"), [
    ("--nope", "unknown flag: --nope"),
    ("--secure-port=1", 'unknown flag: --secure-port: set "secure_port" in the file of --config'),
    ("--old", "unknown flag: --old: Kubernetes removed it; use --new"),
    ("serve", 'unknown command "serve"'),
])
def test_what_is_said_of_an_argument(argument: str, said: str) -> None:
    assert unknown_flag(argument, ("secure_port",), {"old": "use --new"}) == said
