"""Whether a write fits into its namespace's quotas, and what these are charged for it. Pure. Follows apiserver's CheckRequest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.apiserver.admission.plugin import AdmissionRequest, Operation
from control_plane.apiserver.admission.resource_quota.configuration import LimitedResource
from control_plane.quota.amounts import (
    ZERO,
    Amounts,
    add,
    below_zero,
    exceeding,
    grown,
    listed,
    masked,
    names_listed,
    read_amounts,
    without_zeros,
)
from control_plane.quota.evaluator import Evaluator, matches
from control_plane.quota.scopes import Selector, selectors_of
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject


@dataclass(frozen=True, slots=True)
class Account:
    """One quota: `quota` as stored, with what it says and what is charged to it by now."""

    quota: JsonObject
    revision: int
    hard: Amounts
    used: Amounts

    @classmethod
    def of(cls, quota: JsonObject, revision: int) -> Account:
        status = quota.get("status") or {}
        return cls(quota, revision, read_amounts(status.get("hard")), read_amounts(status.get("used")))

    @property
    def name(self) -> str:
        return str(self.quota["metadata"]["name"])


def charged(
    accounts: Sequence[Account], evaluator: Evaluator, request: AdmissionRequest, limited: Sequence[LimitedResource], now: datetime
) -> list[Account]:
    """The accounts after the write, in their order. Raises Forbidden if one does not suffice."""
    obj, old = request.obj, request.old
    assert obj is not None
    concerned = [index for index, account in enumerate(accounts) if matches(evaluator, account.quota, account.hard, obj)]
    for index in concerned:
        _check_account(accounts[index], evaluator, request, obj)
    usage = evaluator.usage(obj, now)
    if negative := below_zero(usage):
        raise request.forbidden(f"quota usage is negative for resource(s): {names_listed(negative)}")
    delta = usage
    if request.operation is Operation.UPDATE and old is not None:
        delta = grown(usage, evaluator.usage(old, now))
    deltas: dict[int, Amounts] = {}
    for index in concerned:
        # What comes into a quota's scope by an update is charged whole.
        new_here = old is None or not matches(evaluator, accounts[index].quota, accounts[index].hard, old)
        deltas[index] = without_zeros(usage if new_here else delta)
    if not any(deltas.values() if concerned else (without_zeros(delta),)):
        return [*accounts]
    _check_covered(accounts, [accounts[index] for index in concerned], evaluator, request, obj, usage, limited)
    return [_charge(account, deltas.get(index) or {}, request) for index, account in enumerate(accounts)]


def _check_account(account: Account, evaluator: Evaluator, request: AdmissionRequest, obj: JsonObject) -> None:
    names = evaluator.names(account.hard)
    if problem := evaluator.missing(names, obj):
        raise request.forbidden(f"failed quota: {account.name}: {problem}")
    if any(name not in account.used for name in names):
        raise request.forbidden(f"status unknown for quota: {account.name}, resources: {names_listed(names)}")


def _charge(account: Account, delta: Amounts, request: AdmissionRequest) -> Account:
    requested = masked(delta, account.hard)
    if not requested:
        return account
    used = add(account.used, requested)
    exceeded = exceeding(masked(used, requested), account.hard)
    if exceeded and request.subresource != "status":
        raise request.forbidden(
            f"exceeded quota: {account.name}, requested: {listed(masked(requested, exceeded))}, "
            f"used: {listed(masked(account.used, exceeded))}, limited: {listed(masked(account.hard, exceeded))}"
        )
    return replace(account, used=used)


def _check_covered(
    accounts: Sequence[Account], concerned: Sequence[Account], evaluator: Evaluator, request: AdmissionRequest, obj: JsonObject,
    usage: Amounts, limited: Sequence[LimitedResource],
) -> None:
    """What is limited by configuration needs a quota that speaks of it."""
    if not limited:
        return
    wanted: set[str] = set()
    scopes: list[Selector] = []
    for rule in limited:
        selectors = (Selector(one.scope_name, one.operator, one.values) for one in rule.match_scopes)
        scopes += [selector for selector in selectors if evaluator.in_scope(selector, obj)]
        if (rule.api_group, rule.resource) == request.resource.group_resource:
            wanted.update(name for name, amount in usage.items() if amount > ZERO and any(part in name for part in rule.match_contains))
    spoken_of = {name for account in concerned for name in evaluator.names(account.hard)}
    if uncovered := wanted - spoken_of:
        raise request.forbidden(f"insufficient quota to consume: {names_listed(uncovered)}")
    covering = {selector.scope for account in accounts for selector in selectors_of(account.quota) if evaluator.in_scope(selector, obj)}
    if missing := [selector for selector in scopes if selector.scope not in covering]:
        raise ApiError(f"insufficient quota to match these scopes: [{' '.join(map(str, missing))}]")
