"""Bearer tokens of service accounts: signed here, in time, for us, and what they are bound to is still there."""

from __future__ import annotations

from control_plane.apiserver.authentication.accounts import AccountLookup
from control_plane.apiserver.authentication.methods import TokenReviewResult, go_list
from control_plane.apiserver.authentication.token import InvalidToken, TokenAuthority
from control_plane.apiserver.authentication.user import (
    AUTHENTICATED_GROUP,
    SERVICE_ACCOUNTS_GROUP,
    UserInfo,
    service_account_username,
)


class ServiceAccountTokens:
    def __init__(self, tokens: TokenAuthority, accounts: AccountLookup) -> None:
        self._tokens = tokens
        self._accounts = accounts

    async def review(self, token: str, audiences: tuple[str, ...]) -> TokenReviewResult | None:
        claims = self._tokens.verify(token)
        if claims is None:
            return None
        held = claims.get("aud") or self._tokens.api_audiences       # legacy tokens have none
        held = [held] if isinstance(held, str) else list(held)
        shared = tuple(audience for audience in held if audience in audiences)
        if not shared:
            raise InvalidToken(f"token audiences {go_list(held)} is invalid for the target audiences {go_list(audiences)}")
        account = await self._accounts.account_of(claims, token)
        groups = (SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{account.namespace}", AUTHENTICATED_GROUP)
        user = UserInfo(service_account_username(account.namespace, account.name), account.uid, groups, account.extra)
        return TokenReviewResult(user, shared)
