"""What a plugin may be: the extension points of kube-scheduler's framework, over vectors.

One decision runs PreFilter, Filter, (PostFilter if no Node is left,) PreScore, Score, NormalizeScore, Reserve, Permit; then, while
the next Pod is already being decided, PreBind, Bind, PostBind. PreEnqueue and QueueSort belong to the queue.

Where upstream calls `Filter(pod, node)` for every Node, a filter here sees all Nodes at once and returns masks over the table's rows;
a rule that cannot be a vector loops over `nodes.rows()` itself. A plugin keeps no state of its own between decisions: what one
extension point hands to the next goes into the `CycleState`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from control_plane.scheduler.changes import NodeChange, ObjectChange, PodChange
    from control_plane.scheduler.node_table import NodeTable
    from control_plane.scheduler.pod_info import PodInfo

Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]
Rows = NDArray[np.intp] | slice     # the Nodes still in play: row numbers, or a slice when it is every row
MAX_NODE_SCORE = 100


class ClusterEvent(Flag):
    """What may make an unschedulable Pod schedulable; names follow the framework's EventResource/ActionType."""

    NODE_ADD = auto()
    NODE_DELETE = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABEL = auto()
    NODE_TAINT = auto()                 # also .spec.unschedulable, as upstream
    ASSIGNED_POD_ADD = auto()
    ASSIGNED_POD_LABEL = auto()
    ASSIGNED_POD_DELETE = auto()
    ASSIGNED_POD_SCALE_DOWN = auto()
    TARGET_POD_UPDATE = auto()          # the waiting Pod's own spec or labels
    CLAIM_ADD = auto()                  # PersistentVolumeClaims
    CLAIM_UPDATE = auto()
    VOLUME = auto()                     # a PersistentVolume was added or changed
    STORAGE_CLASS = auto()
    CSI_NODE = auto()
    CSI_DRIVER = auto()
    CSI_CAPACITY = auto()

    NODE = NODE_ADD | NODE_ALLOCATABLE | NODE_LABEL | NODE_TAINT


class Code(Enum):
    SUCCESS = "Success"
    UNSCHEDULABLE = "Unschedulable"
    UNRESOLVABLE = "UnschedulableAndUnresolvable"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Status:
    """How a plugin's step went. Steps return None for success."""

    code: Code
    reason: str = ""
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Nodes refused for one reason. `unresolvable`: where removing Pods from the Node would not help (True: everywhere)."""

    reason: str
    nodes: Mask
    unresolvable: Mask | bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A filter's answer for every row. One Node may stand in several rejections: it is then counted under each reason."""

    rejections: tuple[Rejection, ...] = ()

    @classmethod
    def reject(cls, nodes: Mask, reason: str, *, unresolvable: Mask | bool = False) -> Verdict:
        return cls((Rejection(reason, nodes, unresolvable),))

    def refused(self) -> Mask | None:
        """Rows that do not fit; None when nothing was refused."""
        if not self.rejections:
            return None
        mask = self.rejections[0].nodes
        for rejection in self.rejections[1:]:
            mask = mask | rejection.nodes
        return mask


ALL_FIT = Verdict()


@dataclass(frozen=True, slots=True)
class PreFilterResult:
    """`skip`: the plugin's Filter has nothing to say. `nodes`: only these rows can fit. `rejected`: no Node can, and why."""

    skip: bool = False
    nodes: Mask | None = None
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class PostFilterResult:
    """What PostFilter achieved: a Node nominated for the Pod, or a message that goes behind the reasons."""

    nominated_node: str = ""
    message: str = ""


@dataclass(slots=True)
class CycleState:
    """What plugins remember within one decision, by plugin name."""

    data: dict[str, Any] = field(default_factory=dict)
    skipped_filters: set[str] = field(default_factory=set)


class Plugin(Protocol):
    name: ClassVar[str]                 # as in KubeSchedulerConfiguration


class PreEnqueuePlugin(Plugin, Protocol):
    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        """Anything but None keeps the Pod out of the active queue."""


class QueueSortPlugin(Plugin, Protocol):
    def sort_key(self, pod: PodInfo, queued_at: float) -> Any:
        """Smaller is sooner."""


class PreFilterPlugin(Plugin, Protocol):
    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None: ...


class FilterPlugin(Plugin, Protocol):
    events: ClassVar[ClusterEvent]      # which events may turn this plugin's refusal around

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict: ...


class NodeHintPlugin(Plugin, Protocol):
    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        """May a Pod this plugin refused fit after the change? Asked for those of its `events` only; without it they all may help."""


class PodHintPlugin(Plugin, Protocol):
    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        """As `helped_by_node`, for another Pod's change or the Pod's own."""


class ObjectHintPlugin(Plugin, Protocol):
    def helped_by_object(self, pod: PodInfo, change: ObjectChange) -> bool:
        """As `helped_by_node`, for a claim, a volume or another object that volumes depend on."""


class PostFilterPlugin(Plugin, Protocol):
    def post_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable, unresolvable: Mask) -> PostFilterResult:
        """Called when no Node fits. `unresolvable`: rows where no removal of Pods would help."""


class PreScorePlugin(Plugin, Protocol):
    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> bool:
        """False: nothing to score for this Pod, Score is skipped."""


class ScorePlugin(Plugin, Protocol):
    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        """One value for each of `rows`; None stands for all equal."""


class NormalizeScorePlugin(Plugin, Protocol):
    def normalize_score(self, scores: Scores) -> Scores:
        """Brings raw scores into 0..MAX_NODE_SCORE."""


class ReservePlugin(Plugin, Protocol):
    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None: ...


class PermitPlugin(Plugin, Protocol):
    def permit(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...


class PreBindPlugin(Plugin, Protocol):
    async def pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...


class BindPlugin(Plugin, Protocol):
    async def bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None: ...


class PostBindPlugin(Plugin, Protocol):
    def post_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> None: ...


def default_normalize_score(scores: Scores, *, reverse: bool) -> Scores:
    """Scales to 0..100 by the largest value, whole numbers; `reverse` turns the order. Upstream's DefaultNormalizeScore."""
    largest = scores.max(initial=0.0)
    if largest == 0:
        return np.full_like(scores, MAX_NODE_SCORE) if reverse else scores
    scaled: Scores = np.floor(scores * MAX_NODE_SCORE / largest)
    return MAX_NODE_SCORE - scaled if reverse else scaled


@dataclass(frozen=True)
class Profile:
    """The plugins of one scheduler, sorted by extension point; the order within each is the order of `plugins`."""

    scheduler_name: str
    plugins: tuple[Plugin, ...]
    weights: Mapping[str, int]

    def implementing(self, method: str) -> tuple[Any, ...]:
        """The plugins that have an extension point, by its method's name."""
        return tuple(plugin for plugin in self.plugins if hasattr(plugin, method))

    def events_of(self, plugin_name: str) -> ClusterEvent:
        for plugin in self.plugins:
            if plugin.name == plugin_name:
                events: ClusterEvent = getattr(plugin, "events", ClusterEvent.NODE | ClusterEvent.TARGET_POD_UPDATE)
                return events
        return ~ClusterEvent(0)
