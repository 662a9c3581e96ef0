"""node: the machines of a running cluster, as one handles real ones."""

from __future__ import annotations

import argparse
from typing import Any

from kube.process.config import ConfigError
from launcher.cli.clusters import guarded
from launcher.cli.output import table
from launcher.cluster.layout import Layout
from launcher.cluster.state import load_settings

Subparsers = Any
ACTIONS = {
    "list": "which there are",
    "add": "one more; it registers itself",
    "remove": "gone for good, with its Node object (the cloud-controller-manager sees to that)",
    "stop": "as if the plug were pulled: all its processes end, containers too",
    "start": "on again",
    "disconnect": "cut off from the others; its Pods run on",
    "connect": "joined to them again",
}
DONE = {"remove": "is gone", "stop": "is off", "start": "is on", "disconnect": "is cut off", "connect": "is connected"}
TIMEOUT_S = 60.0


def add_commands(commands: Subparsers) -> None:
    node = commands.add_parser("node", help="add, remove, stop, start, disconnect nodes", description=__doc__)
    actions = node.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--name", default="kubonsai", help="the cluster (default: kubonsai)")
        if name != "list":
            action.add_argument("node", nargs="?" if name == "add" else None, default="", help="node2, node3, ...")
        action.set_defaults(run=guarded(run), action=name)


def run(options: argparse.Namespace) -> int:
    """Asks the supervisor. Raises ConfigError when it refuses, or does not answer."""
    import grpc

    from kube.rpc.v1.machines_pb2_grpc import MachineServiceStub

    layout = Layout(load_settings(options.name))
    with grpc.insecure_channel(f"unix:{layout.supervisor_socket}") as channel:
        try:
            _ask(MachineServiceStub(channel), options.action, getattr(options, "node", ""))
        except grpc.RpcError as error:
            raise ConfigError(f"the supervisor of cluster {layout.name!r}: {error.details()}") from error
    return 0


def _ask(room: Any, action: str, node: str) -> None:
    from kube.rpc.v1 import machines_pb2 as pb

    if action == "list":
        _print_machines(room.ListMachines(pb.ListMachinesRequest(), timeout=TIMEOUT_S).machines)
        return
    if action == "add":
        machine = room.AddMachine(pb.AddMachineRequest(name=node), timeout=TIMEOUT_S)
        print(f"node/{machine.name} is on, at {machine.address}")
        return
    if action in ("connect", "disconnect"):
        room.ConnectMachine(pb.ConnectMachineRequest(name=node, connected=action == "connect"), timeout=TIMEOUT_S)
    else:
        call = {"remove": room.RemoveMachine, "stop": room.StopMachine, "start": room.StartMachine}[action]
        call(pb.MachineRequest(name=node), timeout=TIMEOUT_S)
    print(f"node/{node} {DONE[action]}")


def _print_machines(machines: Any) -> None:
    rows: list[tuple[str, ...]] = [("NODE", "ADDRESS", "POWER", "UPLINK", "ZONE", "PROVIDER-ID")]
    for machine in machines:
        uplink = "connected" if machine.connected else "cut"
        rows.append((machine.name, machine.address, "on" if machine.running else "off", uplink, machine.zone, machine.provider_id))
    print(table(rows))
