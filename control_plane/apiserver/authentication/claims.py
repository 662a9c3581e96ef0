"""The claims of a verified JSON Web Token -> the user they tell of, by claim name and prefix or by CEL. Follows apiserver's oidc plugin."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.authentication.configuration import JwtAuthenticator
from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import UserInfo


def user_of(claims: dict[str, Any], config: JwtAuthenticator) -> UserInfo:
    """Raises InvalidToken."""
    mappings = config.claim_mappings
    by_expression = (
        mappings.username.expression or mappings.groups.expression or mappings.uid.expression or mappings.extra
        or config.user_validation_rules or any(rule.expression for rule in config.claim_validation_rules)
    )
    name = _evaluated_name(claims, config) if mappings.username.expression else _name(claims, config)
    groups, uid, extra = _groups(claims, config), _string(claims, "uid", mappings.uid.claim) if mappings.uid.claim else "", _jti(claims)
    if by_expression:
        groups, uid, extra = _evaluated(claims, config, groups, uid, extra)
    user = UserInfo(name, uid, groups, extra)
    _check_required(claims, config)
    if by_expression:
        _check_rules(claims, config, user)
    return user


def _name(claims: dict[str, Any], config: JwtAuthenticator) -> str:
    mapping = config.claim_mappings.username
    name = _string(claims, "username", mapping.claim)
    if mapping.claim == "email" and claims.get("email_verified", True) is not True:
        if not isinstance(claims["email_verified"], bool):
            raise InvalidToken("oidc: parse 'email_verified' claim: it is no boolean")
        raise InvalidToken("oidc: email not verified")
    return (mapping.prefix or "") + name


def _groups(claims: dict[str, Any], config: JwtAuthenticator) -> tuple[str, ...]:
    """Some use a claim like "role" for it: a single string counts as well."""
    mapping = config.claim_mappings.groups
    if not mapping.claim or mapping.claim not in claims:
        return ()
    held = claims[mapping.claim]
    groups = [held] if isinstance(held, str) else held
    if groups is None:
        return ()
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise InvalidToken(f'oidc: parse groups claim "{mapping.claim}": it is neither a string nor a list of strings')
    return tuple((mapping.prefix or "") + group for group in groups)


def _string(claims: dict[str, Any], what: str, claim: str) -> str:
    subject = "username claims" if what == "username" else f"{what} claim"
    if claim not in claims:
        raise InvalidToken(f'oidc: parse {subject} "{claim}": claim not present')
    if not isinstance(claims[claim], str):
        raise InvalidToken(f'oidc: parse {subject} "{claim}": it is no string')
    return str(claims[claim])


def _jti(claims: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    held = claims.get("jti")
    return {"authentication.kubernetes.io/credential-id": (f"JTI={held}",)} if held and isinstance(held, str) else {}


def _check_required(claims: dict[str, Any], config: JwtAuthenticator) -> None:
    for rule in config.claim_validation_rules:
        if not rule.claim:
            continue
        if rule.claim not in claims:
            raise InvalidToken(f"oidc: required claim {rule.claim} not present in ID token")
        held = claims[rule.claim]
        if not isinstance(held, str):
            raise InvalidToken(f"oidc: parse claim {rule.claim}: it is no string")
        if held != rule.required_value:
            raise InvalidToken(f"oidc: required claim {rule.claim} value does not match. Got = {held}, want = {rule.required_value}")


def _evaluated_name(claims: dict[str, Any], config: JwtAuthenticator) -> str:
    from control_plane.apiserver.authentication import expressions  # CEL is much to load

    try:
        name = expressions.of_claims(config.claim_mappings.username.expression, claims)
    except expressions.Failed as error:
        raise InvalidToken(f"oidc: error evaluating username claim expression: {error}") from error
    if not isinstance(name, str):
        raise InvalidToken("oidc: error evaluating username claim expression: username claim expression must return a string")
    if not name:
        raise InvalidToken("oidc: empty username via CEL expression is not allowed")
    return str(name)


def _evaluated(
    claims: dict[str, Any], config: JwtAuthenticator, groups: tuple[str, ...], uid: str, extra: dict[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], str, dict[str, tuple[str, ...]]]:
    from control_plane.apiserver.authentication import expressions

    mappings, what = config.claim_mappings, "group"
    try:
        if mappings.groups.expression:
            groups = expressions.strings_of_claims(mappings.groups.expression, claims)
        what = "uid"
        if mappings.uid.expression:
            value = expressions.of_claims(mappings.uid.expression, claims)
            if not isinstance(value, str):
                raise expressions.Failed("uid claim expression must return a string")
            uid = str(value)
        what = "extra"
        for mapping in mappings.extra:
            if values := expressions.strings_of_claims(mapping.value_expression, claims):
                extra = {**extra, mapping.key: values}
    except expressions.Failed as error:
        raise InvalidToken(f"oidc: error evaluating {what} claim expression: {error}") from error
    return groups, uid, extra


def _check_rules(claims: dict[str, Any], config: JwtAuthenticator, user: UserInfo) -> None:
    from control_plane.apiserver.authentication import expressions

    what = "claim validation expression"
    try:
        for rule in config.claim_validation_rules:
            if rule.expression:
                expressions.check(rule.expression, rule.message, claims=claims)
        what = "user info validation rule"
        for user_rule in config.user_validation_rules:
            expressions.check(user_rule.expression, user_rule.message, user=user)
    except expressions.Failed as error:
        raise InvalidToken(f"oidc: error evaluating {what}: {error}") from error
