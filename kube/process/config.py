"""Configuration of a process: one frozen Struct, read from a file, checked whole, wrong keys named.

A component derives its config from `Config`:

    class SchedulerConfig(Config, frozen=True, kw_only=True):
        apiserver: ApiserverAccess
        health_port: int = 10259       # kube-scheduler's --secure-port
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import yaml

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)        # libyaml's takes a tenth of the time


class ConfigError(Exception):
    """A configuration that cannot be used; the message says which file, key and value. `at`: the keys that lead to it, if known."""

    def __init__(self, message: str, at: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.at = at


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every process's configuration. Keys are written in snake_case, as in the code."""


class TlsFiles(Config, frozen=True, kw_only=True):
    """Paths of PEM files: who we are, and whom we trust."""

    cert_file: str
    key_file: str
    ca_file: str


class ApiserverAccess(Config, frozen=True, kw_only=True):
    """How a component reaches the apiserver: by gRPC with its client certificate."""

    targets: tuple[str, ...]     # "172.30.0.11:6444" or "control-plane:6444"; for several apiservers their addresses
    tls: TlsFiles

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("targets: at least one apiserver is needed")
        if len(self.targets) > 1 and (names := [target for target in self.targets if is_name(target)]):
            raise ConfigError(f"targets: of several each must be an IPv4 address and a port, got {', '.join(names)}")


def is_name(target: str) -> bool:
    """Whether the host of "host:port" has to be looked up."""
    try:
        ipaddress.ip_address(target.rpartition(":")[0].strip("[]"))
    except ValueError:
        return True
    return False


C = TypeVar("C", bound=Config)


def load_config(kind: type[C], path: str | Path, overrides: Mapping[str, Any] | None = None) -> C:
    """Reads YAML or JSON; `overrides` are keys that were given otherwise. Raises ConfigError naming the file, the line and the key."""
    path = Path(path)
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        held = yaml.load(text, Loader=YAML_LOADER) or {}  # noqa: S506  (a SafeLoader)
        return msgspec.convert({**held, **overrides} if overrides and isinstance(held, dict) else held, kind)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (msgspec.ValidationError, ConfigError) as error:
        told = explained(kind, error) if isinstance(error, msgspec.ValidationError) else error
        number = _line_of(text, told.at or _STEP.findall(str(told).partition(": ")[0]))     # "nodes: must be ..."
        raise ConfigError(f"{path}{f':{number}' if number else ''}: {told}") from error


_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`(?: - at `\$\.?(?P<at>[^`]*)`)?")
_WRONG = re.compile(r"(?P<what>.*) - at `\$\.?(?P<at>[^`]*)`")
_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")        # of "registries[0].host": "registries", "[0]", "host"


def explained(kind: type[Config], error: msgspec.ValidationError) -> ConfigError:
    """What msgspec found wrong in a configuration of that kind, in a user's words."""
    message = str(error)
    if found := _UNKNOWN.match(message):
        key, steps = found["key"], _STEP.findall(found["at"] or "")
        fields = getattr(_type_at(kind, steps), "__struct_fields__", kind.__struct_fields__)
        close = difflib.get_close_matches(key, fields, n=1)
        hint = f', did you mean "{close[0]}"?' if close else f"; known keys: {', '.join(fields)}"
        place = f"{found['at']}: " if steps else ""
        return ConfigError(f'{place}unknown key "{key}"{hint}', [*steps, key])
    if found := _WRONG.match(message):
        what, steps = found["what"].replace("`", ""), _STEP.findall(found["at"])
        if what.startswith("Invalid enum value"):
            what += f"; there are: {', '.join(map(str, get_args(_type_at(kind, steps))))}"
        elif re.fullmatch(r"Expected str, got (int|float|bool)", what):
            what += "; put it in quotes"
        return ConfigError(f"{found['at']}: {what[:1].lower()}{what[1:]}", steps)
    return ConfigError(message[:1].lower() + message[1:].replace("`", ""))


def _type_at(kind: Any, steps: Sequence[str]) -> Any:
    """What the type of the value at that place is, with None taken away; None: it has none of its own."""
    for step in steps:
        arguments = [one for one in get_args(kind) if one is not Ellipsis]
        if step.startswith("["):
            kind = arguments[-1] if arguments else None
        else:
            kind = get_type_hints(kind).get(step) if isinstance(kind, type) else None
        if type(None) in get_args(kind):
            kind = next(one for one in get_args(kind) if one is not type(None))
    return kind


def _line_of(text: str, keys: Sequence[str]) -> int:
    """Of the value that the keys lead to, or of the last that is there; 0: unknown."""
    node: yaml.Node | None = yaml.compose(text) if keys else None
    line = 0
    for key in keys:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((name, value) for name, value in node.value if name.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and key.strip("[]").isdecimal():
            found = (node.value[int(key.strip("[]"))],) * 2
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def write_config(config: Config, path: str | Path) -> None:
    path = Path(path)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2))
    path.chmod(0o600)
