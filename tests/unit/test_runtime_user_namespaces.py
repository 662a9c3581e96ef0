"""Waiting for a process that was to make a user namespace."""

from __future__ import annotations

import os

import pytest

from node_agent.runtime.processes import spawn
from node_agent.runtime.user_namespaces import _wait_for


def test_a_machine_without_user_namespaces_is_told_at_once() -> None:
    """What unshare could not make it ends without; nobody waits for it then."""
    pid = spawn(["/bin/false"], {}, {})
    try:
        with pytest.raises(PermissionError, match="makes no user namespace"):
            _wait_for(pid)
    finally:
        os.waitpid(pid, 0)
