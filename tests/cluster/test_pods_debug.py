"""Looking into a running Pod: ephemeral containers, with the oldest and the newest kubectl."""

from __future__ import annotations

from typing import Any

from launcher.testing.cluster import eventually
from tests.support.session import Session
from tests.support.space import container, pod


def debugger_state(session: Session, state: str) -> Any:
    """The debugger's status, once it is in this state."""
    return eventually(lambda: [
        each for each in session.pod("p")["status"].get("ephemeralContainerStatuses", ()) if state in each["state"]])[0]


def test_a_debugger_sees_the_processes_of_its_target(session: Session) -> None:
    session.run(pod("p", container(), container("other")))

    session.says("debug p --image=busybox -c debugger --target=main -- sh -c 'tr \"\\\\0\" \" \" </proc/1/cmdline; exec sleep 1000'")

    eventually(lambda: session.kubectl("logs", "p", "-c", "debugger").strip() == "sleep 1000")
    assert debugger_state(session, "running")["ready"] is False
    assert session.pod("p")["status"]["phase"] == "Running"
    assert "main" not in session.sh("p", "hostname", container="debugger")
    eventually(lambda: "spec.ephemeralContainers{debugger}" in [
        event["involvedObject"].get("fieldPath") for event in session.items("events", "--field-selector", "involvedObject.name=p")])

    session.sh("p", "kill $(pidof sleep | tr ' ' '\\n' | sort -n | tail -1)", container="debugger")
    debugger_state(session, "terminated")
    assert [each["restartCount"] for each in session.pod("p")["status"]["containerStatuses"]] == [0, 0]


def test_a_debugger_without_its_target_says_so(session: Session) -> None:
    session.create(pod("p", initContainers=[container("slow")]))
    eventually(lambda: "running" in session.pod("p")["status"]["initContainerStatuses"][0]["state"])

    session.says("debug p --image=busybox -c debugger --target=main -- true")

    assert session.event("p", "Failed") == "Error: unable to find target container main"
    eventually(lambda: debugger_state(session, "waiting")["state"]["waiting"]["reason"] == "CreateContainerConfigError")
