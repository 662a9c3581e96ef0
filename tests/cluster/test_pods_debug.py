"""Looking into a running Pod: ephemeral containers, with the oldest and the newest kubectl."""

from __future__ import annotations

from launcher.testing.cluster import eventually
from tests.support.session import Session
from tests.support.space import container, pod


def test_a_debugger_sees_the_processes_of_its_target(session: Session) -> None:
    session.run(pod("p", container(), container("other")))

    session.says("debug p --image=busybox -c debugger --target=main -- sh -c 'tr \"\\\\0\" \" \" </proc/1/cmdline; exec sleep 1000'")

    eventually(lambda: session.kubectl("logs", "p", "-c", "debugger").strip() == "sleep 1000")
    status = session.pod("p")["status"]
    (debugger,) = status["ephemeralContainerStatuses"]
    assert "running" in debugger["state"]
    assert (debugger["ready"], status["phase"]) == (False, "Running")
    assert "main" not in session.sh("p", "hostname", container="debugger")
    assert "spec.ephemeralContainers{debugger}" in [
        event["involvedObject"].get("fieldPath") for event in session.items("events", "--field-selector", "involvedObject.name=p")]

    session.sh("p", "kill $(pidof sleep | tr ' ' '\\n' | sort -n | tail -1)", container="debugger")
    eventually(lambda: "terminated" in session.pod("p")["status"]["ephemeralContainerStatuses"][0]["state"])
    assert [each["restartCount"] for each in session.pod("p")["status"]["containerStatuses"]] == [0, 0]


def test_a_debugger_without_its_target_says_so(session: Session) -> None:
    session.create(pod("p", initContainers=[container("slow")]))
    eventually(lambda: "running" in session.pod("p")["status"]["initContainerStatuses"][0]["state"])

    session.says("debug p --image=busybox -c debugger --target=main -- true")

    assert session.event("p", "Failed") == "Error: unable to find target container main"
    (debugger,) = session.pod("p")["status"]["ephemeralContainerStatuses"]
    assert debugger["state"]["waiting"]["reason"] == "CreateContainerConfigError"
