"""A person at a terminal, with one kubectl: commands as they are typed, and what is printed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tests.support.space import Space


@dataclass(frozen=True)
class Session(Space):
    minor: int = 0      # of the kubectl

    def says(self, line: str, stdin: str | None = None, **environment: str) -> str:
        """Standard output of a command line, without the word kubectl."""
        return self.kubectl(*shlex.split(line), stdin=stdin, environment=environment)

    def fails(self, line: str, stdin: str | None = None) -> str:
        """Standard error of one that must fail."""
        return self.refused(*shlex.split(line), stdin=stdin)

    def table(self, line: str) -> list[list[str]]:
        """Its rows, in words; none where there are no resources."""
        return [row.split() for row in self.says(f"{line} --no-headers").splitlines()]
