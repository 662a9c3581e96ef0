"""Acting as another user: the Impersonate-* headers. Follows apiserver's impersonation filter (KEP-5284, constrained impersonation).

The ways, tried in this order; the first that allows it decides. If none does the last one's refusal is told, where upstream tells the
first one's: requirements.md, and every text about --as, know "cannot impersonate resource "users"".

    associated-node   a Pod's service account acts as the node it runs on       only the name can be chosen; the
    arbitrary-node    ... as any node                                           groups follow from it
    serviceaccount    ... as a service account
    user-info         ... as anybody else, with uid, groups and extra
    legacy            as anybody, by the verb "impersonate" alone

All but the last ask twice: for `impersonate:WAY` on whom, and for `impersonate-on:WAY:VERB` on what is then done in his name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote

from control_plane.apiserver.authentication.user import (
    ANONYMOUS,
    AUTHENTICATED_GROUP,
    MASTERS_GROUP,
    NODE_USER_PREFIX,
    NODES_GROUP,
    SERVICE_ACCOUNTS_GROUP,
    UNAUTHENTICATED_GROUP,
    UserInfo,
    split_service_account,
)
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer, forbidden_error
from kube.apimachinery.errors import BadRequest, Forbidden

USER: Final = "impersonate-user"
GROUP: Final = "impersonate-group"
UID: Final = "impersonate-uid"
EXTRA_PREFIX: Final = "impersonate-extra-"
_AUTHENTICATION: Final = "authentication.k8s.io"
_NODE_NAME: Final = "authentication.kubernetes.io/node-name"


@dataclass(slots=True)
class Wanted:
    """Whom the headers name."""

    name: str = ""
    uid: str = ""
    groups: list[str] = field(default_factory=list)
    extra: dict[str, list[str]] = field(default_factory=dict)

    @property
    def only_name(self) -> bool:
        return not (self.uid or self.groups or self.extra)

    @property
    def node(self) -> str:
        return self.name.removeprefix(NODE_USER_PREFIX) if self.name.startswith(NODE_USER_PREFIX) else ""


async def impersonated(user: UserInfo, headers: Iterable[tuple[str, str]], authorizer: Authorizer, request: Attributes) -> UserInfo:
    """Whom the request is to be seen as: `user` itself without Impersonate headers. Raises Forbidden, BadRequest.

    Header names are lower case; `request`: what is asked for, as `user`.
    """
    wanted = _wanted(headers)
    if not wanted.name:
        if not wanted.only_name:
            raise BadRequest(f"requested {_go_struct(wanted)} without impersonating a user name")
        return user
    for way in _ways(user, wanted):
        with suppress(Forbidden):
            return await _by(way, user, wanted, authorizer, request)
    return await _by("", user, wanted, authorizer, request)


def _wanted(headers: Iterable[tuple[str, str]]) -> Wanted:
    wanted = Wanted()
    for header, value in headers:
        if header == USER:
            wanted.name = wanted.name or value
        elif header == GROUP:
            wanted.groups.append(value)
        elif header == UID:
            wanted.uid = wanted.uid or value
        elif header.startswith(EXTRA_PREFIX):
            wanted.extra.setdefault(unquote(header.removeprefix(EXTRA_PREFIX)), []).append(value)
    return wanted


def _ways(user: UserInfo, wanted: Wanted) -> Iterator[str]:
    """The newer ones that know such a user."""
    account = split_service_account(wanted.name)
    if wanted.node and wanted.only_name:
        if split_service_account(user.name) and user.extra.get(_NODE_NAME) == (wanted.node,):
            yield "associated-node"
        yield "arbitrary-node"
    if account and wanted.only_name:
        yield "serviceaccount"
    if not wanted.node and not account:
        yield "user-info"


async def _by(way: str, user: UserInfo, wanted: Wanted, authorizer: Authorizer, request: Attributes) -> UserInfo:
    """`way` "": the old one."""
    if way == "associated-node":        # the same for all nodes that the account runs on
        user = replace(user, extra={"authentication.kubernetes.io/associated-node-keys": tuple(sorted(user.extra))})
    if way:
        await _require(authorizer, replace(request, user=user, verb=f"impersonate-on:{way}:{request.verb}"))
    for question in _questions(way, user, wanted):
        if way and (why := _never(question)):
            raise forbidden_error(question, why)
        await _require(authorizer, question)
    return UserInfo(wanted.name, wanted.uid, _groups(way, wanted), {key: tuple(values) for key, values in wanted.extra.items()})


async def _require(authorizer: Authorizer, question: Attributes) -> None:
    decision = await authorizer.decide(question)
    if not decision.allowed:
        raise forbidden_error(question, decision.reason)


def _questions(way: str, user: UserInfo, wanted: Wanted) -> Iterator[Attributes]:
    """May he be each of the things that the headers name."""
    verb, group = (f"impersonate:{way}", _AUTHENTICATION) if way else ("impersonate", "")
    account = split_service_account(wanted.name)
    if account:
        yield Attributes(
            user=user, verb=verb, group=group, version="v1", resource="serviceaccounts", namespace=account[0], name=account[1])
    elif way and wanted.node:
        name = "*" if way == "associated-node" else wanted.node
        yield Attributes(user=user, verb=verb, group=group, version="v1", resource="nodes", name=name)
    else:
        yield Attributes(user=user, verb=verb, group=group, version="v1", resource="users", name=wanted.name)
    if wanted.uid:
        yield Attributes(user=user, verb=verb, group=_AUTHENTICATION, version="v1", resource="uids", name=wanted.uid)
    for name in wanted.groups:
        yield Attributes(user=user, verb=verb, group=group, version="v1", resource="groups", name=name)
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(
                user=user, verb=verb, group=_AUTHENTICATION, version="v1", resource="userextras", subresource=key, name=value)


def _never(question: Attributes) -> str:
    """Why nobody may be that by the newer ways; "" if somebody may."""
    if question.resource == "groups" and not question.name:
        return "impersonating the empty string group is not allowed"
    if question.resource == "groups" and question.name == MASTERS_GROUP:
        return "impersonating the system:masters group is not allowed"
    if question.resource != "userextras":
        return ""
    key = question.subresource
    domain, slash, path = key.partition("/")
    if not key:
        return "impersonating the empty string key in extra is not allowed"
    if not (domain and slash and path):
        return f'impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "{key}": must be a domain-prefixed path'
    if key != key.lower():
        return f'impersonating a non-lowercase key in extra is not allowed: "{key}"'
    return "" if question.name else "impersonating the empty string value in extra is not allowed"


def _groups(way: str, wanted: Wanted) -> tuple[str, ...]:
    """With the groups that an authenticator would have added."""
    groups = list(wanted.groups)
    if way and wanted.node:
        groups = [NODES_GROUP]
    elif (account := split_service_account(wanted.name)) and not groups:
        groups = [SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{account[0]}"]
    if wanted.name == ANONYMOUS:
        groups += [UNAUTHENTICATED_GROUP] if UNAUTHENTICATED_GROUP not in groups else []
    elif AUTHENTICATED_GROUP not in groups and UNAUTHENTICATED_GROUP not in groups:
        groups.append(AUTHENTICATED_GROUP)
    return tuple(groups)


def _go_struct(wanted: Wanted) -> str:
    """As Go prints the user that was asked for (%#v)."""
    groups = "[]string{" + ", ".join(f'"{group}"' for group in wanted.groups) + "}" if wanted.groups else "[]string(nil)"
    entries = ", ".join(
        f'"{key}":[]string{{{", ".join(chr(34) + value + chr(34) for value in values)}}}' for key, values in wanted.extra.items())
    extra = f"map[string][]string{{{entries}}}" if wanted.extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:"{wanted.uid}", Groups:{groups}, Extra:{extra}}}'
