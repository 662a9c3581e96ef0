"""How far in front discovery shows a group and its versions: upstream's numbers for what is built in, and for custom kinds.

apiregistration.k8s.io itself has no APIService, and stands before all others.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kube.apimachinery.scheme import GroupVersion


class Priority(NamedTuple):
    group: int
    version: int


FIRST: Final = Priority(20001, 1)
CUSTOM: Final = Priority(1000, 100)
BUILT_IN: Final = {
    GroupVersion(group, version): Priority(group_priority, version_priority)
    for group, version, group_priority, version_priority in (
        ("", "v1", 18000, 1),
        ("apps", "v1", 17800, 15),
        ("events.k8s.io", "v1", 17750, 15),
        ("authentication.k8s.io", "v1", 17700, 15),
        ("authorization.k8s.io", "v1", 17600, 15),
        ("autoscaling", "v2", 17500, 30),
        ("autoscaling", "v1", 17500, 15),
        ("batch", "v1", 17400, 15),
        ("certificates.k8s.io", "v1", 17300, 15),
        ("networking.k8s.io", "v1", 17200, 15),
        ("policy", "v1", 17100, 15),
        ("rbac.authorization.k8s.io", "v1", 17000, 15),
        ("storage.k8s.io", "v1", 16800, 15),
        ("admissionregistration.k8s.io", "v1", 16700, 15),
        ("apiextensions.k8s.io", "v1", 16700, 15),
        ("scheduling.k8s.io", "v1", 16600, 15),
        ("coordination.k8s.io", "v1", 16500, 15),
        ("node.k8s.io", "v1", 16300, 15),
        ("discovery.k8s.io", "v1", 16200, 15),
        ("flowcontrol.apiserver.k8s.io", "v1", 16100, 21),
        ("resource.k8s.io", "v1", 15900, 15),
        ("storagemigration.k8s.io", "v1", 15800, 15),
    )
}


def priority_of(group_version: GroupVersion) -> Priority:
    """Of what is served here."""
    if group_version.group == "apiregistration.k8s.io":
        return FIRST
    return BUILT_IN.get(group_version, CUSTOM)
