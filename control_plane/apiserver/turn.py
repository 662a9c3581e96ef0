"""Long work on the event loop, in turns with everything else."""

from __future__ import annotations

import asyncio
from typing import Final

_TURN_S: Final = 0.005
_STEPS: Final = 32          # between two looks at the clock


class Turn:
    """Call `is_over` after each small step; when it is, `await asyncio.sleep(0)` and go on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + _TURN_S
        self._steps = 0

    def is_over(self) -> bool:
        self._steps += 1
        if self._steps % _STEPS or (now := self._loop.time()) < self._until:
            return False
        self._until = now + _TURN_S
        return True
