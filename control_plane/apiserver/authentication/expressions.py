"""The CEL expressions of an AuthenticationConfiguration: over `claims` of a token, or over the `user` made of it.

Follows apiserver's authentication/cel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import kube.cel
from control_plane.apiserver.authentication.user import UserInfo
from kube.cel.errors import CompileError, CostExceeded, EvaluationError
from kube.cel.types import BOOL, DYN, STRING, ObjectType, Type, list_of, map_of

BUDGET: Final = 10_000_000
_USER: Final = ObjectType("kubernetes.UserInfo", {
    "username": STRING, "uid": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING)),
})
_ABOUT: Final[dict[str, tuple[dict[str, Type], Type]]] = {
    "mapping": ({"claims": map_of(STRING, DYN)}, DYN), "claims": ({"claims": map_of(STRING, DYN)}, BOOL), "user": ({"user": _USER}, BOOL),
}


class Failed(Exception):
    """An expression that could not be evaluated, or whose value is not of the kind that is needed."""


def problem_of(expression: str, about: str) -> str:
    """What is wrong with an expression (`about`: "mapping", "claims", "user"); "" if nothing is."""
    try:
        _compiled(expression, about)
    except CompileError as error:
        text = str(error)
        return text if text.startswith("must evaluate to") else f"compilation failed: {text}"
    return ""


def of_claims(expression: str, claims: dict[str, Any]) -> Any:
    """Raises Failed."""
    return _evaluated(expression, "mapping", {"claims": claims})


def strings_of_claims(expression: str, claims: dict[str, Any]) -> tuple[str, ...]:
    """A string, or a list of them; empty ones do not count. Raises Failed."""
    value = of_claims(expression, claims)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (str(value),)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise Failed("expression must return a string or a list of strings")
    return tuple(one for one in value if one)


def check(expression: str, message: str, *, claims: dict[str, Any] | None = None, user: UserInfo | None = None) -> None:
    """Raises Failed unless the rule holds."""
    if user is not None:
        shown = {
            "username": user.name, "uid": user.uid, "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }
        holds = _evaluated(expression, "user", {"user": shown})
    else:
        holds = _evaluated(expression, "claims", {"claims": claims})
    if holds is not True:
        raise Failed(f"validation expression '{expression}' failed: {message}")


def _evaluated(expression: str, about: str, bindings: dict[str, Any]) -> Any:
    try:
        return _compiled(expression, about).evaluate(bindings, budget=BUDGET)
    except (CompileError, EvaluationError, CostExceeded) as error:
        raise Failed(f"expression '{expression}' resulted in error: {error}") from error


@lru_cache(maxsize=512)
def _compiled(expression: str, about: str) -> kube.cel.Program:
    variables, result = _ABOUT[about]
    return kube.cel.compile(expression, variables, result=result)
