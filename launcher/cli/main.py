"""The entry point: `kubonsai COMMAND`. Wrong input ends with one clear line on standard error and exit code 2, failure with 1."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from launcher.cli import clusters, develop, images, inspection, nodes

EPILOG = """examples:
  ./kubonsai up                          three nodes; kubectl's context is set to them
  ./kubonsai up --name ci --nodes 5      a second cluster beside it
  ./kubonsai up --provider compose       the same as containers of a Docker engine
  ./kubonsai status                      what runs, where, how large
  ./kubonsai load app.tar                an image for Pods, out of an archive
  ./kubonsai logs kubelet --node node2   one component's log
  ./kubonsai down                        nothing is left
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="kubonsai", description="A real Kubernetes cluster, grown small.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    clusters.add_commands(commands)
    inspection.add_commands(commands)
    nodes.add_commands(commands)
    images.add_commands(commands)
    develop.add_commands(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["kubectl"]:        # its flags are kubectl's, not ours
        return inspection.kubectl(arguments[1:])
    options = parser().parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
