"""status.typeChecking of ValidatingAdmissionPolicies, over a real apiserver: built-in kinds, a custom one, and a policy that is mended."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.controllers.policy_status.controller import PolicyStatusController
from kube.apimachinery.resources import SCHEME
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from tests.support.api_calls import Api
from tests.support.apiserver import RunningApiserver
from tests.support.controllers import eventually, running
from tests.support.policies import BASE, Json, policy

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = f"{BASE}/validatingadmissionpolicies"
GROUP = "stable.example.com"
WITHIN_S = 60.0
CRONTABS: Json = {"metadata": {"name": f"crontabs.{GROUP}"}, "spec": {
    "group": GROUP, "scope": "Namespaced", "names": {"plural": "crontabs", "kind": "CronTab"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
        "type": "object", "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}},
    }}}],
}}


def about(name: str, group: str, resource: str, *validations: Json | str) -> Json:
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
    return policy(name, *validations, rules=[rule])


async def checked(api: Api, name: str, generation: int = 1) -> list[dict[str, Any]] | None:
    """The warnings for this generation; None without `typeChecking`."""
    held: dict[str, Any] = {}

    async def told() -> bool:
        nonlocal held
        held = (await api.get(f"{POLICIES}/{name}"))[1]
        return bool(held.get("status", {}).get("observedGeneration") == generation)

    await eventually(told, within_s=WITHIN_S, what=f"the types of {name} are checked")
    types = held["status"].get("typeChecking")
    return None if types is None else types.get("expressionWarnings", [])


async def test_policies_are_told_what_does_not_fit_their_kinds(server: RunningApiserver) -> None:
    async with server.session() as session, Client(GrpcTransport(server.access())) as client, running(client, PolicyStatusController):
        api = Api(session)
        await api.post(DEFINITIONS, CRONTABS)
        confused = {"expression": "object.spec.replicas > '1'", "messageExpression": "'got ' + object.spec.replicas"}
        await api.post(POLICIES, about("right", "apps", "deployments", "object.spec.replicas > 1"))
        code, said = await api.post(POLICIES, about("wrong", "apps", "deployments", confused))
        assert code == 201, said

        assert await checked(api, "right") == []
        assert [one["fieldRef"] for one in await checked(api, "wrong") or ()] == [
            "spec.validations[0].expression", "spec.validations[0].messageExpression"]

        await api.patch(f"{POLICIES}/wrong", {"spec": {"validations": [{"expression": "object.spec.replicas > 1"}]}})
        assert not await checked(api, "wrong", generation=2), "what was applied and is no more takes its parent along, as upstream"

        async def known() -> bool:
            return SCHEME.for_path(GROUP, "v1", "crontabs") is not None

        await eventually(known, within_s=WITHIN_S, what="the controllers know the kind")
        await api.post(POLICIES, about("custom", GROUP, "crontabs", "object.spec.replicas > '1'", "object.spec.maxRetries < 10"))
        found = [one["warning"].partition("\n")[0] for one in await checked(api, "custom") or ()]
        assert found == [
            f"{GROUP}/v1, Kind=CronTab: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
            f"{GROUP}/v1, Kind=CronTab: ERROR: <input>:1:12: undefined field 'maxRetries'",
        ]
    for row in [row for row in SCHEME if row.group == GROUP]:     # the controllers' table is this process's
        SCHEME.remove(row)
