"""`python -m launcher.compose ROLE [ARGUMENTS]`: a container's entry point."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

MODULES = {"init": "authority", "addons": "addons", "node": "machine", "wait": "wait"}
MEMBERS = ("etcd", "apiserver", "scheduler", "controller-manager", "cloud-controller-manager")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    role = arguments[0] if arguments else ""
    os.umask(0o022)
    if role in MODULES:
        code: int = importlib.import_module(f"launcher.compose.{MODULES[role]}").main(arguments[1:])
        return code
    if role in MEMBERS:
        from launcher.compose import member

        member.become(role, arguments[1:])
    print(f"kubonsai: unknown role {role!r}; there are: {', '.join([*MODULES, *MEMBERS])}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
