"""How many requests are worked on at once. Follows --max-requests-inflight; API priority and fairness takes this place later."""

from __future__ import annotations

from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.errors import TooManyRequests

EXEMPT_PATHS = ("/healthz", "/livez", "/readyz")


class FlowControl:
    def __init__(self, read_only: int, mutating: int) -> None:
        self._limits = {False: read_only, True: mutating}
        self.in_flight = {False: 0, True: 0}

    def take_place(self, info: RequestInfo, groups: tuple[str, ...]) -> bool:
        """Raises TooManyRequests when there is none; system:masters always get one. True: `give_back` must follow."""
        mutating = info.mutating and info.is_resource
        if self.in_flight[mutating] >= self._limits[mutating] and "system:masters" not in groups:
            raise TooManyRequests("Too many requests, please try again later.", retry_after_s=1)
        self.in_flight[mutating] += 1
        return True

    def give_back(self, info: RequestInfo) -> None:
        self.in_flight[info.mutating and info.is_resource] -= 1

    def exempt(self, info: RequestInfo) -> bool:
        """Long-running requests and health checks take no place."""
        return info.long_running or (not info.is_resource and info.path.startswith(EXEMPT_PATHS))
