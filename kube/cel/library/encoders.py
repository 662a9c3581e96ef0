"""base64.encode and base64.decode: cel-go's encoders. Kubernetes' environment has them nowhere."""

from __future__ import annotations

import base64
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table
from kube.cel.types import BYTES, STRING


def _decode(text: str) -> bytes:
    """Padding may be missing."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4) if "=" not in text else text, validate=True)
    except ValueError:
        raise EvaluationError("illegal base64 data at input byte 0") from None


FUNCTIONS: Final[Table] = {
    "base64.decode": [Overload("base64_decode_string", (STRING,), BYTES, _decode)],
    "base64.encode": [Overload("base64_encode_bytes", (BYTES,), STRING, lambda data: base64.b64encode(data).decode())],
}
