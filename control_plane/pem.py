"""PEM, read as Go's encoding/pem does: text around blocks does not count, what only looks like a block is skipped."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final, NamedTuple

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_DASHES: Final = b"-----"


class PemBlock(NamedTuple):
    label: str           # "CERTIFICATE REQUEST"
    has_headers: bool
    der: bytes


def pem_blocks(data: bytes) -> Iterator[PemBlock]:
    """The blocks in order. In linear time: the data are a stranger's."""
    position = 0
    while (begin := data.find(_BEGIN, position)) >= 0:
        position = begin + len(_BEGIN)
        line_end = data.find(b"\n", position)
        label_line = data[position:line_end].rstrip() if line_end >= 0 else b""
        if not label_line.endswith(_DASHES) or (begin and data[begin - 1:begin] != b"\n"):
            continue
        end = data.find(_END, line_end)
        if end < 0:
            return
        label = label_line.removesuffix(_DASHES)
        if not data.startswith(label + _DASHES, end + len(_END)):
            continue
        headers, body = _split_headers(data[line_end + 1:end])
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except ValueError:
            continue
        position = end + len(_END)
        yield PemBlock(label.decode(errors="replace"), headers, der)


def _split_headers(body: bytes) -> tuple[bool, bytes]:
    first, _, rest = body.partition(b"\n")
    if b":" not in first:
        return False, body
    while b":" in first:
        first, _, rest = rest.partition(b"\n")
    return True, first + b"\n" + rest
