"""kube-apiserver's own flags. All other settings are in the configuration file alone."""

from __future__ import annotations

from control_plane.apiserver.admission.catalog import switches_help
from kube.process.flags import Flag, FlagGroup


def flag_groups() -> list[FlagGroup]:
    """With the words of upstream's help."""
    disable, enable = switches_help()
    return [FlagGroup("Admission flags", (
        Flag("admission-control-config-file", "string", "File with admission control configuration."),
        Flag("default-not-ready-toleration-seconds", "int", _toleration("notReady")),
        Flag("default-unreachable-toleration-seconds", "int", _toleration("unreachable")),
        Flag("disable-admission-plugins", "strings", disable),
        Flag("enable-admission-plugins", "strings", enable),
    ))]


def _toleration(taint: str) -> str:
    return (
        f"Indicates the tolerationSeconds of the toleration for {taint}:NoExecute that is added by default to every pod "
        "that does not already have such a toleration. (default 300)"
    )
