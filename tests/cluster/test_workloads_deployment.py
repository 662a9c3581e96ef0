"""Deployments and ReplicaSets: rollouts, history, scaling, self-healing."""

from __future__ import annotations

import json

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, deployment, pod


def replica_sets(space: Space, name: str) -> dict[str, tuple[int, int]]:
    """Revision -> (wanted, ready) of the Deployment's ReplicaSets."""
    found = space.items("replicasets", "-l", f"app={name}")
    revisions = [item["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for item in found]
    numbers = [(item["spec"]["replicas"], item["status"].get("readyReplicas", 0)) for item in found]
    return dict(zip(revisions, numbers, strict=True))


def rolled_out(space: Space, name: str, within_s: int = 150) -> str:
    return space.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={within_s}s")


def pod_names(space: Space, selector: str) -> set[str]:
    """Without those that are leaving."""
    return {item["metadata"]["name"] for item in space.items("pods", "-l", selector) if "deletionTimestamp" not in item["metadata"]}


@pytest.mark.req("WRK-06", "WRK-07", "ROL-01", "ROL-02", "ROL-03", "ROL-04", "RES-05")
def test_rollout_history_and_undo(space: Space) -> None:
    space.apply(deployment("d", replicas=2))
    assert rolled_out(space, "d").splitlines()[-1] == 'deployment "d" successfully rolled out'
    space.kubectl("annotate", "deployment/d", "kubernetes.io/change-cause=first")
    first = space.items("replicasets", "-l", "app=d")[0]["metadata"]["name"]

    assert space.kubectl("set", "image", "deployment/d", "main=busybox:1.36") == "deployment.apps/d image updated\n"
    assert 'unable to find container named "nope"' in space.refused("set", "image", "deployment/d", "nope=busybox")
    space.kubectl("annotate", "deployment/d", "--overwrite", "kubernetes.io/change-cause=second")
    rolled_out(space, "d")
    eventually(lambda: replica_sets(space, "d") == {"1": (0, 0), "2": (2, 2)})
    history = space.kubectl("rollout", "history", "deployment/d").splitlines()
    assert [line.split() for line in history[1:] if line] == [["REVISION", "CHANGE-CAUSE"], ["1", "first"], ["2", "second"]]
    assert "busybox:1.36" in space.kubectl("rollout", "history", "deployment/d", "--revision=2")

    assert space.kubectl("rollout", "undo", "deployment/d") == "deployment.apps/d rolled back\n"
    rolled_out(space, "d")
    eventually(lambda: replica_sets(space, "d") == {"2": (0, 0), "3": (2, 2)})
    assert [item["metadata"]["name"] for item in space.items("replicasets") if item["spec"]["replicas"]] == [first]
    assert "unable to find specified revision 99 in history" in space.refused("rollout", "undo", "deployment/d", "--to-revision=99")

    status = space.get("deployment", "d")["status"]
    assert {name: status[name] for name in ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")} == {
        "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
    }
    assert {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]} == {
        "Available": ("True", "MinimumReplicasAvailable"), "Progressing": ("True", "NewReplicaSetAvailable"),
    }


def deadline_of(space: Space, name: str, seconds: int) -> None:
    space.kubectl("patch", "deployment", name, "-p", json.dumps({"spec": {"progressDeadlineSeconds": seconds}}))


@pytest.mark.req("ROL-02")
def test_a_bad_image_stops_the_rollout_and_keeps_the_old_pods(space: Space) -> None:
    space.create(deployment("d", replicas=4))
    rolled_out(space, "d")
    deadline_of(space, "d", 2)

    space.kubectl("set", "image", "deployment/d", "main=registry.invalid/nope:2")
    done = space.tried("rollout", "status", "deployment/d", "--timeout=120s")

    assert 'error: deployment "d" exceeded its progress deadline' in done.stderr
    assert done.returncode == 1
    eventually(lambda: replica_sets(space, "d") == {"1": (3, 3), "2": (2, 0)})       # 25 % unavailable, 25 % surge
    eventually(lambda: space.kubectl("get", "deployment", "d", "--no-headers").split()[1:4] == ["3/4", "2", "3"])
    conditions = {item["type"]: item["reason"] for item in space.get("deployment", "d")["status"]["conditions"]}
    assert conditions["Progressing"] == "ProgressDeadlineExceeded"
    deadline_of(space, "d", 600)
    space.kubectl("rollout", "undo", "deployment/d")
    rolled_out(space, "d")


def test_pause_collects_changes(space: Space) -> None:
    space.create(deployment("d"))
    rolled_out(space, "d")

    assert space.kubectl("rollout", "pause", "deployment/d") == "deployment.apps/d paused\n"
    space.kubectl("set", "image", "deployment/d", "main=busybox:1.36")
    space.kubectl("set", "env", "deployment/d", "A=b")
    eventually(lambda: space.get("deployment", "d")["status"]["observedGeneration"] == 4)
    assert list(replica_sets(space, "d")) == ["1"]
    assert space.kubectl("rollout", "resume", "deployment/d") == "deployment.apps/d resumed\n"
    rolled_out(space, "d")
    assert sorted(replica_sets(space, "d")) == ["1", "2"]
    assert space.kubectl("rollout", "restart", "deployment/d") == "deployment.apps/d restarted\n"
    rolled_out(space, "d")
    assert sorted(replica_sets(space, "d")) == ["1", "2", "3"]


@pytest.mark.req("WRK-07")
def test_scaling_keeps_the_replica_set(space: Space) -> None:
    space.create(deployment("d"))
    rolled_out(space, "d")

    assert space.kubectl("scale", "deployment/d", "--replicas=3", "--current-replicas=1") == "deployment.apps/d scaled\n"
    rolled_out(space, "d")
    assert replica_sets(space, "d") == {"1": (3, 3)}
    assert "Expected replicas to be 1, was 3" in space.refused("scale", "deployment/d", "--replicas=2", "--current-replicas=1")
    space.kubectl("scale", "deployment/d", "--replicas=0")
    eventually(lambda: pod_names(space, "app=d") == set())
    assert "Scaled up replica set" in space.kubectl("describe", "deployment", "d")


@pytest.mark.req("WRK-06")
def test_a_deployment_has_the_last_word_over_its_replica_set(space: Space) -> None:
    space.create(deployment("d"))
    rolled_out(space, "d")
    owned = space.items("replicasets", "-l", "app=d")[0]
    its_pod = space.items("pods", "-l", "app=d")[0]

    space.kubectl("scale", f"replicaset/{owned['metadata']['name']}", "--replicas=3")

    eventually(lambda: replica_sets(space, "d") == {"1": (1, 1)})
    assert owned["metadata"]["name"].startswith("d-")
    assert its_pod["metadata"]["name"].startswith(owned["metadata"]["name"] + "-")
    assert owned["metadata"]["ownerReferences"][0] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": space.get("deployment", "d")["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }
    assert its_pod["metadata"]["ownerReferences"][0]["uid"] == owned["metadata"]["uid"]


@pytest.mark.req("ROL-01")
def test_recreate_stops_all_before_it_starts_any(space: Space) -> None:
    space.create(deployment("d", replicas=2, strategy={"type": "Recreate"}))
    rolled_out(space, "d")
    columns = "custom-columns=N:.metadata.name,I:.spec.containers[0].image,P:.status.phase"
    with space.started("get", "pods", "-w", "--no-headers", "-o", columns) as seen:
        space.kubectl("set", "image", "deployment/d", "main=busybox:1.36")
        rolled_out(space, "d")
        eventually(lambda: seen.text.count("busybox:1.36   Running") >= 2)

    lines = [line.split() for line in seen.text.splitlines()]
    first_new = next(index for index, line in enumerate(lines) if line[1] == "busybox:1.36")
    assert all(line[1] == "busybox:1.36" for line in lines[first_new:] if line[2] == "Running")


@pytest.mark.req("WRK-02", "WRK-03")
def test_a_replica_set_keeps_its_number(space: Space) -> None:
    template = {"metadata": {"labels": {"app": "r", "tier": "web"}}, "spec": pod("r")["spec"]}
    selector = {"matchLabels": {"app": "r"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "www"]}]}
    replica_set = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r"},
        "spec": {"replicas": 3, "selector": selector, "template": template},
    }
    space.create(pod("orphan", labels={"app": "r", "tier": "www"}), replica_set)
    eventually(lambda: space.kubectl("get", "rs", "r", "--no-headers").split()[1:4] == ["3", "3", "3"])
    adopted = space.pod("orphan")["metadata"]["ownerReferences"][0]
    assert (adopted["kind"], adopted["name"], adopted["controller"]) == ("ReplicaSet", "r", True)

    space.kubectl("delete", "pod", "orphan", "--wait=false")
    eventually(lambda: len(pod_names(space, "app=r") - {"orphan"}) == 3)

    freed = sorted(pod_names(space, "app=r") - {"orphan"})[0]
    space.kubectl("label", "pod", freed, "tier=db", "--overwrite")
    eventually(lambda: len(pod_names(space, "app=r,tier=web")) == 3)
    assert "ownerReferences" not in space.pod(freed)["metadata"]

    space.create(pod("surplus", labels={"app": "r", "tier": "web"}))
    eventually(lambda: len(pod_names(space, "app=r,tier=web")) == 3)
    eventually(lambda: space.kubectl("get", "rs", "r", "--no-headers").split()[1:4] == ["3", "3", "3"])


def owned_config_map(name: str, owner: Json) -> Json:
    about = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    references = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], **about}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": references}}


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_deletion_with_and_without_what_is_owned(space: Space, cascade: str) -> None:
    space.create(deployment("d"))
    rolled_out(space, "d")
    (name,) = pod_names(space, "app=d")

    space.kubectl("delete", "deployment", "d", f"--cascade={cascade}")

    if cascade == "orphan":
        left = space.items("replicasets", "-l", "app=d")
        assert len(left) == 1
        assert "ownerReferences" not in left[0]["metadata"]
        assert pod_names(space, "app=d") == {name}
        space.create(deployment("d"))       # takes them back
        eventually(lambda: space.items("replicasets", "-l", "app=d")[0]["metadata"].get("ownerReferences"))
        assert pod_names(space, "app=d") == {name}
    elif cascade == "foreground":
        assert space.items("replicasets,pods", "-l", "app=d") == []
    else:
        eventually(lambda: space.items("replicasets,pods", "-l", "app=d") == [])


def test_what_an_absent_owner_owned_goes(space: Space) -> None:
    space.create(pod("owner"), pod("other"))
    owner, other = space.pod("owner"), space.pod("other")
    both = owned_config_map("two-owners", owner)
    both["metadata"]["ownerReferences"] += owned_config_map("x", other)["metadata"]["ownerReferences"]
    gone = json.loads(json.dumps(owner))
    gone["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    space.create(owned_config_map("one-owner", owner), both, owned_config_map("never-owned", gone))
    eventually(lambda: "NotFound" in space.refused("get", "configmap", "never-owned"))

    space.kubectl("delete", "pod", "owner")

    eventually(lambda: "NotFound" in space.refused("get", "configmap", "one-owner"))
    eventually(lambda: [entry["name"] for entry in space.get("configmap", "two-owners")["metadata"]["ownerReferences"]] == ["other"])


def test_finalizers_hold_an_object(space: Space) -> None:
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "finalizers": ["example.com/hold"]}}
    space.create(held)

    space.kubectl("delete", "configmap", "c", "--wait=false")

    assert "deletionTimestamp" in space.get("configmap", "c")["metadata"]
    space.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in space.refused("get", "configmap", "c")


@pytest.mark.req("NS-01")
def test_a_namespace_takes_everything_with_it(space: Space) -> None:
    name = f"{space.namespace}-gone"
    inner = Space(space.cluster, name)
    space.cluster.kubectl("create", "namespace", name)
    eventually(lambda: inner.get("serviceaccount", "default"))
    slow = container(script="trap 'sleep 1; exit 0' TERM; while true; do sleep 0.1; done")
    last = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "last", "finalizers": ["example.com/hold"]}}
    inner.create(last, deployment("d", slow), pod("p", slow, terminationGracePeriodSeconds=10))
    inner.ready("p")

    space.cluster.kubectl("delete", "namespace", name, "--wait=false")

    assert space.cluster.kubectl("get", "namespace", name, "--no-headers").split()[1] == "Terminating"
    assert "because it is being terminated" in inner.refused("create", "configmap", "late")
    inner.kubectl("patch", "configmap", "last", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    space.cluster.kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=120s")
    assert inner.kubectl("get", "pods,configmaps,deployments,replicasets,serviceaccounts", "-o", "name") == ""


@pytest.mark.req("NOD-04", "NOD-07")
def test_cordon_and_uncordon(space: Space) -> None:
    try:
        assert space.cluster.kubectl("cordon", "node3") == "node/node3 cordoned\n"
        assert space.cluster.kubectl("get", "node", "node3", "--no-headers").split()[1] == "Ready,SchedulingDisabled"
        space.create(*(pod(f"p{number}") for number in range(4)))
        space.ready(*(f"p{number}" for number in range(4)))
        assert {item["spec"]["nodeName"] for item in space.items("pods")} == {"node2"}
    finally:
        assert space.cluster.kubectl("uncordon", "node3") == "node/node3 uncordoned\n"
    assert space.cluster.kubectl("get", "node", "node3", "--no-headers").split()[1] == "Ready"


@pytest.mark.req("NOD-05", "NOD-06")
def test_drain_moves_a_deployment(space: Space) -> None:
    space.create(deployment("d", replicas=2))
    rolled_out(space, "d")
    try:
        space.create(pod("bare", nodeName="node2"))
        assert "cannot delete" in (refusal := space.refused("drain", "node2", "--pod-selector=app=bare", "--ignore-daemonsets"))
        assert "use --force to override" in refusal
        text = space.cluster.kubectl("drain", "node2", "--ignore-daemonsets", "--pod-selector=app=d", "--timeout=120s")
        assert "node/node2 drained" in text or "node/node2 evicted" in text      # as old kubectls say it
        rolled_out(space, "d")
        eventually(lambda: {item["spec"]["nodeName"] for item in space.items("pods", "-l", "app=d")
                            if "deletionTimestamp" not in item["metadata"]} == {"node3"})
    finally:
        space.cluster.kubectl("uncordon", "node2")
