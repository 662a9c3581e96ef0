"""What the machine room has the zygote start when a machine is switched on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kube.rpc.v1 import machines_pb2
from launcher.cluster import layout as layout_module
from launcher.cluster import machines
from launcher.cluster import supervisor as supervisor_module
from launcher.cluster.layout import Layout, Node
from launcher.cluster.settings import ClusterSettings
from launcher.cluster.supervisor import MachineRoom
from launcher.cluster.zygote_client import ProcessSpec, Reply, Request


def spec(name: str, node: str) -> ProcessSpec:
    return ProcessSpec(name=name, node=node, arguments=("true",), log_file="/dev/null")


class Plans:
    """Two processes for the control plane, one for each node."""

    def __init__(self, *_: object) -> None:
        pass

    def control_plane(self) -> list[ProcessSpec]:
        return [spec("etcd", "node1"), spec("apiserver", "node1")]

    def agents(self, node: Node) -> list[ProcessSpec]:
        return [spec("kubelet", node.name)]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    requests: list[Request] = []

    def ask(_: Path, request: Request, **__: Any) -> Reply:
        requests.append(request)
        return Reply()

    monkeypatch.setattr(layout_module, "STATE_ROOT", tmp_path)
    monkeypatch.setattr(supervisor_module, "Planner", Plans)
    monkeypatch.setattr(supervisor_module, "ensure_pki", lambda layout: None)
    monkeypatch.setattr(machines, "create", lambda layout, node: None)
    monkeypatch.setattr(supervisor_module, "ask", ask)
    (tmp_path / "clusters/t").mkdir(parents=True)
    return requests


@pytest.mark.parametrize(("node", "processes"), [("node1", ["etcd", "apiserver", "kubelet"]), ("node2", ["kubelet"])])
async def test_a_machine_that_boots_runs_all_that_belongs_on_it(asked: list[Request], node: str, processes: list[str]) -> None:
    room: Any = MachineRoom(Layout(ClusterSettings(name="t", nodes=2)))

    machine = await room.StartMachine(machines_pb2.MachineRequest(name=node), None)

    assert machine.running
    [request] = asked
    assert (request.op, [each.name for each in request.specs]) == ("ensure", processes)
