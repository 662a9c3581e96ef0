"""The bounds of a LimitRange, one by one: what is wrong with a request and a limit, in upstream's words; "" if nothing."""

from __future__ import annotations

from kube.apimachinery.quantity import Quantity


def under_minimum(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    words = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        return f"{words}.  No request is specified"
    if request < bound:
        return f"{words}, but request is {request}"
    if limit is not None and limit < bound:
        return f"{words}, but limit is {limit}"
    return ""


def over_maximum(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    words = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        return f"{words}.  No limit is specified"
    if limit > bound:
        return f"{words}, but limit is {limit}"
    if request is not None and request > bound:
        return f"{words}, but request is {request}"
    return ""


def over_request_maximum(kind: str, name: str, bound: Quantity, request: Quantity | None) -> str:
    """For storage, which has requests only."""
    words = f"maximum {name} usage per {kind} is {bound}"
    if request is None:
        return f"{words}.  No request is specified"
    return f"{words}, but request is {request}" if request > bound else ""


def over_ratio(kind: str, name: str, bound: Quantity, request: Quantity | None, limit: Quantity | None) -> str:
    words = f"{name} max limit to request ratio per {kind} is {bound}"
    if not request:
        return f"{words}, but no request is specified or request is 0"
    if not limit:
        return f"{words}, but no limit is specified or limit is 0"
    ratio = limit.amount / request.amount
    return f"{words}, but provided ratio is {ratio:.6f}" if ratio > bound.amount else ""
