"""ResourceQuotas as people use them: kubectl create quota, what it lets through, what it shows, and what comes back."""

from __future__ import annotations

import json
import re

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, config_map, container, deployment, pod


def used(space: Space, quota: str) -> Json:
    found: Json = space.get("quota", quota).get("status", {}).get("used", {})
    return found


@pytest.mark.req("ADM-14", "RES-01")
def test_a_quota_lets_in_what_fits_and_gives_back_what_goes(space: Space) -> None:
    made = space.kubectl("create", "quota", "q", "--hard=pods=2,requests.cpu=1,count/deployments.apps=1")
    eventually(lambda: used(space, "q") == {"pods": "0", "requests.cpu": "0", "count/deployments.apps": "0"})
    small = {"requests": {"cpu": "100m"}}
    space.create(*(pod(name, container(resources=small)) for name in ("a", "b")))

    third = space.refused("create", "-f", "-", stdin=json.dumps(pod("c", container(resources=small))))
    silent = space.refused("run", "d", "--image=busybox")
    shown = space.kubectl("describe", "quota", "q")

    assert made == "resourcequota/q created\n"
    assert "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2" in third
    assert silent.strip() == 'Error from server (Forbidden): pods "d" is forbidden: failed quota: q: must specify requests.cpu for: d'
    assert re.search(r"^pods +2 +2$", shown, re.MULTILINE), shown
    assert re.search(r"^requests.cpu +200m +1$", shown, re.MULTILINE), shown
    assert "pods: 2/2, requests.cpu: 200m/1" in space.kubectl("get", "quota", "q")

    space.kubectl("delete", "pod", "a", "--grace-period=1")
    eventually(lambda: used(space, "q")["pods"] == "1")
    space.create(pod("c", container(resources=small)))
    assert used(space, "q") == {"pods": "2", "requests.cpu": "200m", "count/deployments.apps": "0"}


def test_a_replica_set_says_why_it_has_too_few_and_goes_on_when_there_is_room(space: Space) -> None:
    space.kubectl("create", "quota", "q", "--hard=pods=1")
    eventually(lambda: used(space, "q") == {"pods": "0"})
    space.apply(deployment("d", replicas=2))

    def says_why() -> bool:
        conditions = space.items("replicasets", "-l", "app=d")[0]["status"].get("conditions") or []
        return any(one["reason"] == "FailedCreate" and "exceeded quota: q" in one["message"] for one in conditions)

    eventually(says_why)
    space.kubectl("patch", "quota", "q", "--type=merge", "-p", '{"spec": {"hard": {"pods": "2"}}}')

    space.kubectl("rollout", "status", "deployment/d", "--timeout=120s")
    assert used(space, "q") == {"pods": "2"}


def test_a_scoped_quota_counts_only_its_own(space: Space) -> None:
    space.kubectl("create", "quota", "best", "--hard=pods=1", "--scopes=BestEffort")
    space.kubectl("create", "quota", "maps", "--hard=configmaps=3")
    eventually(lambda: used(space, "best") == {"pods": "0"} and used(space, "maps") == {"configmaps": "1"})

    space.create(pod("asks", container(resources={"requests": {"memory": "1Mi"}})), pod("takes"), config_map("one"))
    refused = space.refused("create", "-f", "-", stdin=json.dumps(pod("second")))

    assert "exceeded quota: best, requested: pods=1, used: pods=1, limited: pods=1" in refused
    assert (used(space, "best"), used(space, "maps")) == ({"pods": "1"}, {"configmaps": "2"})
    assert "Scopes:  BestEffort" in re.sub(r" {2,}", "  ", space.kubectl("describe", "quota", "best"))
    space.kubectl("delete", "configmap", "one")
    eventually(lambda: used(space, "maps") == {"configmaps": "1"})
