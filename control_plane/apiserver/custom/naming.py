"""Which names of a definition are accepted, and its conditions; pure. Follows apiextensions' controller/status and apihelpers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from kube.apimachinery.meta import JsonObject
from kube.process.clock import to_rfc3339

NAMES_ACCEPTED: Final = "NamesAccepted"
ESTABLISHED: Final = "Established"
TERMINATING: Final = "Terminating"
CONFORMANT: Final = "KubernetesAPIApprovalPolicyConformant"
CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
APPROVED_ANNOTATION: Final = "api-approved.kubernetes.io"
_SEE: Final = "see https://github.com/kubernetes/enhancements/pull/1111"

Condition = dict[str, Any]


def find_condition(crd: JsonObject, kind: str) -> Condition | None:
    for condition in (crd.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            found: Condition = condition
            return found
    return None


def is_true(crd: JsonObject, kind: str) -> bool:
    return (find_condition(crd, kind) or {}).get("status") == "True"


def condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def set_condition(crd: JsonObject, new: Condition, now: datetime) -> None:
    """In place. The transition's time moves only with the status."""
    status = crd.setdefault("status", {})
    conditions = status["conditions"] = status.get("conditions") or []      # a client may have left null
    held = find_condition(crd, new["type"])
    if held is None:
        conditions.append({"lastTransitionTime": to_rfc3339(now), **new})
        return
    if held.get("status") != new["status"] or not held.get("lastTransitionTime"):
        held["lastTransitionTime"] = to_rfc3339(now)
    held.update(new)


def says_the_same(one: Condition, other: Condition | None) -> bool:
    return other is not None and all(one.get(key) == other.get(key) for key in ("type", "status", "reason", "message"))


def names_and_conditions(crd: JsonObject, others: Iterable[JsonObject]) -> tuple[JsonObject, Condition, Condition]:
    """(accepted names, NamesAccepted, Established) of a definition beside the `others` of its group."""
    wanted, status = crd["spec"]["names"], crd.get("status") or {}
    accepted = status.get("acceptedNames") or {}
    resources, kinds = _taken(others)
    # Its own accepted names are in use too: what it gave up for another name stays taken until this is written.
    resources |= {accepted.get(key, "") for key in ("plural", "singular")} | {*(accepted.get("shortNames") or ())}
    kinds |= {accepted.get(key, "") for key in ("kind", "listKind")}
    names = dict(accepted)
    naming = condition(NAMES_ACCEPTED, "Unknown", "", "")
    for key, reason, taken in (("plural", "PluralConflict", resources), ("singular", "SingularConflict", resources)):
        _accept(key, reason, wanted, accepted, taken, names, naming)
    _accept_short_names(wanted, accepted, resources, names, naming)
    for key, reason, taken in (("kind", "KindConflict", kinds), ("listKind", "ListKindConflict", kinds)):
        _accept(key, reason, wanted, accepted, taken, names, naming)
    if wanted.get("categories"):
        names["categories"] = wanted["categories"]
    else:
        names.pop("categories", None)
    if naming["status"] == "Unknown":
        naming.update(status="True", reason="NoConflicts", message="no conflicts found")
    return names, naming, _established(crd, naming)


def _taken(others: Iterable[JsonObject]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        names = (other.get("status") or {}).get("acceptedNames") or {}
        resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
        kinds |= {names.get("kind", ""), names.get("listKind", "")}
    return resources, kinds


def _accept(
    key: str, reason: str, wanted: JsonObject, accepted: JsonObject, taken: set[str], names: JsonObject, naming: Condition
) -> None:
    name = wanted.get(key, "")
    if name != accepted.get(key, "") and name in taken:
        naming.update(status="False", reason=reason, message=f"{json.dumps(name)} is already in use")
    else:
        names[key] = name


def _accept_short_names(wanted: JsonObject, accepted: JsonObject, taken: set[str], names: JsonObject, naming: Condition) -> None:
    new, held = wanted.get("shortNames") or [], accepted.get("shortNames") or []
    if new == held:
        return
    conflicts = [f"{json.dumps(name)} is already in use" for name in new if name not in held and name in taken]
    if conflicts:
        message = conflicts[0] if len(conflicts) == 1 else f"[{', '.join(conflicts)}]"
        naming.update(status="False", reason="ShortNamesConflict", message=message)
    elif new:
        names["shortNames"] = new
    else:
        names.pop("shortNames", None)


def _established(crd: JsonObject, naming: Condition) -> Condition:
    held = find_condition(crd, ESTABLISHED)
    found = dict(held) if held else condition(ESTABLISHED, "False", "NotAccepted", "not all names are accepted")
    if found["status"] != "True" and naming["status"] == "True":
        return condition(ESTABLISHED, "False", "Installing", "the initial names have been accepted")
    return found


def is_protected(group: str) -> bool:
    """Groups of the community: who defines a kind in one says where it was approved."""
    return any(group == name or group.endswith(f".{name}") for name in ("k8s.io", "kubernetes.io"))


def approval(crd: JsonObject) -> tuple[str, str]:
    """(missing, bypassed, approved or invalid; the message about it)."""
    text = (crd["metadata"].get("annotations") or {}).get(APPROVED_ANNOTATION) or ""
    if not text:
        return "missing", f'protected groups must have approval annotation "{APPROVED_ANNOTATION}", {_SEE}'
    if text.startswith("unapproved"):
        return "bypassed", f"not approved: {json.dumps(text)}"
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme and url.netloc:
        return "approved", f"approved in {text}"
    return "invalid", (
        f'protected groups must have approval annotation "{APPROVED_ANNOTATION}" with either a URL or a reason starting with '
        f'"unapproved", {_SEE}')


def approval_condition(crd: JsonObject) -> Condition | None:
    """None for groups that nobody protects."""
    if not is_protected(crd["spec"]["group"]):
        return None
    state, message = approval(crd)
    status, reason = {
        "missing": ("False", "MissingAnnotation"), "bypassed": ("False", "UnapprovedAnnotation"),
        "approved": ("True", "ApprovedAnnotation"), "invalid": ("False", "InvalidAnnotation"),
    }[state]
    return condition(CONFORMANT, status, reason, message)
