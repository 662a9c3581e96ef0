"""Names of properties as names of fields: Kubernetes' escapes (`__dash__`, `__namespace__` ...)."""

from __future__ import annotations

import re

from kube.cel.lexer import RESERVED

_SPECIAL = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_PLAIN = {"underscores": "__", "dot": ".", "dash": "-", "slash": "/"}
_TO_ESCAPE = re.compile(r"__|[.\-/]")
_NAME = re.compile(r"[A-Za-z_.\-/][A-Za-z0-9_.\-/]*", re.ASCII)
_ESCAPED = re.compile(r"__[^_]+__")


def escape(name: str) -> str | None:
    """The field for a property; None where no expression can name it."""
    if not _NAME.fullmatch(name):
        return None
    if name in RESERVED:
        return f"__{name}__"
    return _TO_ESCAPE.sub(lambda found: _SPECIAL[found[0]], name)


def unescape(field: str) -> str | None:
    """The property for a field; None for what `escape` never gives."""
    failed = False

    def plain(found: re.Match[str]) -> str:
        nonlocal failed
        contents = found[0][2:-2]
        if contents in _PLAIN:
            return _PLAIN[contents]
        failed = failed or contents not in RESERVED or found[0] != field
        return contents
    name = _ESCAPED.sub(plain, field)
    return None if failed else name
