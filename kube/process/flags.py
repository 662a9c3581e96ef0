"""Flags of a process beside its configuration file: a few keys of the configuration, under the names that Kubernetes gives them.

A flag overrules the file. Their part of the help has a line of its own each, however long, so that it can be searched.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Final, NamedTuple


class Flag(NamedTuple):
    """`kind` is what the help says of the value: "strings" (comma-separated, may be given several times), "string", "int"."""

    name: str             # without dashes
    kind: str
    help: str
    key: str = ""         # of the configuration; the name with "_" if there is none


class FlagGroup(NamedTuple):
    title: str
    flags: tuple[Flag, ...]


def flag_parser(name: str, groups: Iterable[FlagGroup]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, formatter_class=_one_line_each, allow_abbrev=False)
    for group in groups:
        under = parser.add_argument_group(group.title)
        for flag in group.flags:
            under.add_argument(
                f"--{flag.name}", dest=_PREFIX + (flag.key or flag.name.replace("-", "_")), metavar=flag.kind, default=argparse.SUPPRESS,
                help=flag.help.replace("%", "%%"), type=_TYPES[flag.kind], action="extend" if flag.kind == "strings" else "store",
            )
    return parser


def given_flags(options: argparse.Namespace) -> dict[str, Any]:
    """Keys of the configuration -> the values of the flags that were given."""
    return {key.removeprefix(_PREFIX): value for key, value in vars(options).items() if key.startswith(_PREFIX)}


def unknown_flag(argument: str, keys: Container[str], removed: Mapping[str, str]) -> str:
    """What is wrong with an argument, in pflag's words, and what to do instead. `keys`: of the configuration."""
    if not argument.startswith("--"):
        return f'unknown command "{argument}"'
    name = argument[2:].partition("=")[0]
    said = f"unknown flag: --{name}"
    if name in removed:
        return f"{said}: Kubernetes removed it; {removed[name]}"
    key = name.replace("-", "_")
    return f'{said}: set "{key}" in the file of --config' if key in keys else said


def _strings(text: str) -> list[str]:
    return text.split(",") if text else []


def _one_line_each(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=48, width=100_000)


_PREFIX: Final = "config_"
_TYPES: Final[dict[str, Callable[[str], Any]]] = {"strings": _strings, "string": str, "int": int}
