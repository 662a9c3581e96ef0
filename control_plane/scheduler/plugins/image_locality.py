"""ImageLocality."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from control_plane.scheduler.framework import MAX_NODE_SCORE, CycleState, Rows, Scores
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo

MIN_BYTES = 23 * 1024 * 1024                    # below that an image is pulled in no time
MAX_BYTES_PER_CONTAINER = 1000 * 1024 * 1024


class ImageLocality:
    """Prefers Nodes that hold the Pod's images, the larger the more; an image few Nodes hold counts less, so that they are not
    all chosen for it. Follows kube-scheduler's ImageLocality.
    """

    name: ClassVar[str] = "ImageLocality"

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> bool:
        return any(image in nodes.images for image in pod.images)

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        held_bytes = np.zeros(nodes.size)
        for name in pod.images:
            if (image := nodes.images.get(name)) is not None:
                spread = len(image.rows) / len(nodes)
                held_bytes[image.row_array()] += int(image.size_bytes * spread)
        most = MAX_BYTES_PER_CONTAINER * len(pod.images)
        counted = np.clip(held_bytes[rows], MIN_BYTES, most)
        return np.floor(MAX_NODE_SCORE * (counted - MIN_BYTES) / (most - MIN_BYTES))
