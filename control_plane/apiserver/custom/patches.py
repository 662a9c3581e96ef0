"""Which patches custom objects take."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.registry.call import Call
from kube.apimachinery.errors import UnsupportedMediaType

_STRATEGIC: Final = "application/strategic-merge-patch+json"
_TAKEN: Final = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


def refuse_strategic(call: Call, content_type: str) -> None:
    """A strategic merge patch needs what only built-in types say of their lists. Raises UnsupportedMediaType."""
    if call.resource.custom is not None and content_type.partition(";")[0].strip().lower() == _STRATEGIC:
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {', '.join(_TAKEN)}")
