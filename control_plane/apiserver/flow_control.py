"""How many requests are worked on at once. Follows --max-requests-inflight; API priority and fairness takes this place later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.errors import TooManyRequests

EXEMPT_PATHS = ("/healthz", "/livez", "/readyz")


class FlowControl:
    def __init__(self, read_only: int, mutating: int) -> None:
        self._limits = {False: read_only, True: mutating}
        self.in_flight = {False: 0, True: 0}

    @contextmanager
    def place_for(self, info: RequestInfo, groups: tuple[str, ...]) -> Iterator[None]:
        """A place while the context is open. Raises TooManyRequests; long-running requests and system:masters need none."""
        mutating = info.mutating and info.is_resource
        if self.in_flight[mutating] >= self._limits[mutating] and "system:masters" not in groups:
            raise TooManyRequests("Too many requests, please try again later.", retry_after_s=1)
        self.in_flight[mutating] += 1
        try:
            yield
        finally:
            self.in_flight[mutating] -= 1

    def exempt(self, info: RequestInfo) -> bool:
        return info.long_running or (not info.is_resource and info.path.startswith(EXEMPT_PATHS))
