"""What each quality of service gets of the processors, all its Pods together: the cgroups between a node's and a Pod's.

As upstream's QOSContainerManager does it: best-effort Pods share the least there is, burstable ones what they asked for, all of them what
the node has; guaranteed Pods stand beside these groups. https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kube.process.log import get_logger
from node_agent.kubelet.resources import BEST_EFFORT, BURSTABLE, MIN_SHARES, cpu_shares
from node_agent.runtime.cgroups import Cgroups
from node_agent.runtime.model import Resources, Sandbox

log = get_logger("qos")


class QosGroups:
    """`parent` is the node's cgroup, `milli_cpu` what the node can give to Pods."""

    def __init__(self, parent: str, milli_cpu: int, cgroups: Cgroups, sandboxes: Callable[[], Iterable[Sandbox]]) -> None:
        self._top = f"{parent}/kubepods"
        self._burstable = f"{self._top}/{BURSTABLE.lower()}"
        self._fixed = {self._top: cpu_shares(milli_cpu), f"{self._top}/{BEST_EFFORT.lower()}": MIN_SHARES}
        self._cgroups = cgroups
        self._sandboxes = sandboxes
        self._shares: dict[str, int] = {}            # as they were set

    def update(self) -> None:
        """After a Pod was started, and now and then: for those that ended. Costs nothing where nothing has changed."""
        for path, shares in (*self._fixed.items(), (self._burstable, self._asked_for())):
            if self._shares.get(path) != shares:
                try:
                    self._cgroups.create(path, Resources(cpu_shares=shares))
                except OSError as error:             # a kernel without the controller
                    log.warning("a quality of service gets no share of its own", cgroup=path, error=str(error))
                self._shares[path] = shares

    def _asked_for(self) -> int:
        below = f"{self._burstable}/"
        asked = (sandbox.config.resources.cpu_shares or 0 for sandbox in self._sandboxes() if sandbox.config.cgroup.startswith(below))
        return max(MIN_SHARES, sum(shares for shares in asked if shares > MIN_SHARES))
