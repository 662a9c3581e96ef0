"""Which checks a level of a version has: the newest that is not newer than the version; some stand in for a baseline one.

Sorted by id, baseline first, as upstream's messages list them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from control_plane.apiserver.admission.pod_security import checks_baseline as baseline
from control_plane.apiserver.admission.pod_security import checks_profiles as profiles
from control_plane.apiserver.admission.pod_security import checks_restricted as restricted
from control_plane.apiserver.admission.pod_security.levels import BASELINE, PRIVILEGED, LevelVersion
from control_plane.apiserver.admission.pod_security.pod import Check, PodView, Violation


class _Row(NamedTuple):
    id: str
    versions: tuple[tuple[int, Check], ...]     # minor version that it came with; rising
    replaces: str = ""                          # the baseline check that it covers


_BASELINE: Final = (
    _Row("appArmorProfile", ((0, profiles.app_armor),)),
    _Row("capabilities_baseline", ((0, baseline.capabilities),)),
    _Row("hostNamespaces", ((0, baseline.host_namespaces),)),
    _Row("hostPathVolumes", ((0, baseline.host_path_volumes),)),
    _Row("hostPorts", ((0, baseline.host_ports),)),
    _Row("hostProbesAndHostLifecycle", ((34, baseline.probe_hosts),)),
    _Row("privileged", ((0, baseline.privileged),)),
    _Row("procMount", ((0, baseline.proc_mount), (35, baseline.proc_mount_35))),
    _Row("seLinuxOptions", ((0, profiles.selinux), (31, profiles.selinux_31))),
    _Row("seccompProfile_baseline", ((0, profiles.seccomp_annotations), (19, profiles.seccomp_baseline))),
    _Row("sysctls", baseline.sysctls),
    _Row("windowsHostProcess", ((0, baseline.windows_host_process),)),
)
_RESTRICTED: Final = (
    _Row("allowPrivilegeEscalation", ((8, restricted.privilege_escalation), (25, restricted.privilege_escalation_25))),
    _Row(
        "capabilities_restricted", ((22, restricted.capabilities), (25, restricted.capabilities_25)), replaces="capabilities_baseline"
    ),
    _Row("procMount_restricted", ((35, baseline.proc_mount),), replaces="procMount"),
    _Row("restrictedVolumes", ((0, restricted.volumes),), replaces="hostPathVolumes"),
    _Row("runAsNonRoot", ((0, restricted.run_as_non_root), (35, restricted.run_as_non_root_35))),
    _Row("runAsUser", ((23, restricted.run_as_user), (35, restricted.run_as_user_35))),
    _Row(
        "seccompProfile_restricted", ((19, profiles.seccomp_restricted), (25, profiles.seccomp_restricted_25)),
        replaces="seccompProfile_baseline",
    ),
)


@lru_cache(maxsize=64)
def checks_of(held_to: LevelVersion) -> tuple[Check, ...]:
    if held_to.level == PRIVILEGED:
        return ()
    lower = {row: check for row in _BASELINE if (check := _at(row, held_to.minor))}
    if held_to.level == BASELINE:
        return tuple(lower.values())
    upper = {row: check for row in _RESTRICTED if (check := _at(row, held_to.minor))}
    replaced = {row.replaces for row in upper}
    return (*(check for row, check in lower.items() if row.id not in replaced), *upper.values())


def violations(held_to: LevelVersion, pod: PodView) -> list[Violation]:
    return [found for check in checks_of(held_to) if (found := check(pod)) is not None]


def _at(row: _Row, minor: int) -> Check | None:
    return next((check for since, check in reversed(row.versions) if since <= minor), None)
