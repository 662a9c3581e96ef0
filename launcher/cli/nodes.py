"""node: the machines of a running cluster, as one handles real ones."""

from __future__ import annotations

import argparse
from typing import Any

from launcher.cli.clusters import guarded
from launcher.cli.output import table
from launcher.cli.providers import existing
from launcher.cluster.provider import Machine

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


def add_commands(commands: Subparsers) -> None:
    node = commands.add_parser("node", help="add, remove, stop, start, disconnect nodes", description=__doc__)
    actions = node.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--name", default="kubonsai", help="the cluster (default: kubonsai)")
        if name != "list":
            action.add_argument("node", nargs="?" if name == "add" else None, default="", help="see `node list`")
        action.set_defaults(run=guarded(run), action=name)


def run(options: argparse.Namespace) -> int:
    """Asks whoever keeps the machines. Raises ConfigError when it refuses, or does not answer."""
    cluster = existing(options.name)
    cluster.check("node")
    if options.action == "list":
        _print_machines(cluster.machines())
        return 0
    machine = cluster.change_machine(options.action, options.node)
    if machine is not None:
        print(f"node/{machine.name} is on, at {machine.address}")
    else:
        print(f"node/{options.node} {DONE[options.action]}")
    return 0


def _print_machines(machines: list[Machine]) -> None:
    rows: list[tuple[str, ...]] = [("NODE", "ADDRESS", "POWER", "UPLINK", "ZONE", "PROVIDER-ID")]
    for machine in machines:
        uplink = "connected" if machine.connected else "cut"
        rows.append((machine.name, machine.address, "on" if machine.running else "off", uplink, machine.zone or "-", machine.provider_id))
    print(table(rows))
