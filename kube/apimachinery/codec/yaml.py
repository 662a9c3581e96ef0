"""YAML request bodies and answers, read as the JSON they stand for."""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

from kube.apimachinery.errors import BadRequest

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """Keeps dates as the text they were written as: JSON knows no dates."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


def decode_yaml(data: bytes) -> Any:
    try:
        return yaml.load(data, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise BadRequest(f"yaml: {error}") from error


def encode_yaml(obj: Any) -> bytes:
    text: str = yaml.dump(obj, Dumper=_SafeDumper, default_flow_style=False, sort_keys=True, allow_unicode=True)
    return text.encode()
