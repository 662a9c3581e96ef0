"""The authenticator that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from control_plane import jwt
from control_plane.apiserver.authentication.authenticator import Authenticator, Ways
from control_plane.apiserver.authentication.certificate import ClientAuthorities
from control_plane.apiserver.authentication.methods import Remembering, TokenMethod
from control_plane.apiserver.authentication.request_header import FrontProxy
from control_plane.apiserver.authentication.token import TokenAuthority
from control_plane.apiserver.authentication.token_file import TokenFile
from control_plane.apiserver.config import ApiserverConfig
from control_plane.apiserver.remote import Threads, from_kubeconfig
from control_plane.storage.watch_cache import WatchCache
from kube.process.clock import Clock
from kube.process.config import ConfigError

if TYPE_CHECKING:
    from control_plane.apiserver.authentication import configuration

TOKEN_CACHE_S: Final = 10.0        # of what an OpenID Connect token says; upstream's cache in front of all tokens


class Identity(NamedTuple):
    tokens: TokenAuthority
    authenticator: Authenticator
    authorities: ClientAuthorities
    reload: Callable[[], None]      # reads the AuthenticationConfiguration again; raises ConfigError


def identity(config: ApiserverConfig, cache: WatchCache, clock: Clock) -> Identity:
    """Raises ConfigError."""
    tokens = TokenAuthority(
        config.issuers, config.service_account_signing_key_file, config.service_account_key_files, clock,
        api_audiences=config.api_audiences, extend=config.service_account_extend_token_expiration,
        max_expiration_s=config.service_account_max_token_expiration_s,
    )
    threads = Threads()
    issuers, anonymous, paths = _issuers(config, tokens, clock, threads)
    ways = Ways(
        token_file=TokenFile(config.token_auth_file, tokens.api_audiences) if config.token_auth_file else None,
        bootstrap=config.enable_bootstrap_token_auth, issuers=issuers, webhook=_webhook(config, tokens, clock, threads),
        front_proxy=_front_proxy(config), anonymous_paths=paths,
    )
    authenticator = Authenticator(tokens, cache, clock, anonymous=anonymous, lookup=config.service_account_lookup, ways=ways)

    def reload() -> None:
        issuers, anonymous, paths = _issuers(config, tokens, clock, threads)
        authenticator.replace(issuers, anonymous=anonymous, anonymous_paths=paths)

    return Identity(tokens, authenticator, ClientAuthorities(config.serving_tls.ca_file, config.requestheader_client_ca_file), reload)


def _issuers(
    config: ApiserverConfig, tokens: TokenAuthority, clock: Clock, threads: Threads
) -> tuple[tuple[TokenMethod, ...], bool, frozenset[str]]:
    """And whether, and where, one may be anonymous."""
    if not config.authentication_config and not config.oidc_issuer_url:
        return (), config.anonymous_auth, frozenset()
    from control_plane.apiserver.authentication import configuration, oidc  # few clusters have one

    anonymous, paths, algorithms = config.anonymous_auth, frozenset[str](), jwt.ALGORITHMS
    if config.authentication_config:
        held = configuration.read(config.authentication_config, own_issuers=tokens.issuers)
        authenticators = held.jwt
        if held.anonymous is not None:
            if not config.anonymous_auth:
                raise ConfigError(
                    "--anonymous-auth flag cannot be set when anonymous field is configured in authentication configuration file")
            anonymous, paths = held.anonymous.enabled, frozenset(condition.path for condition in held.anonymous.conditions)
    else:
        authenticators, algorithms = (_of_flags(config, tokens.issuers),), config.oidc_signing_algs
    made = (oidc.Issuer(one, tokens.api_audiences, clock, threads, algorithms) for one in authenticators)
    return tuple(Remembering(issuer, clock, TOKEN_CACHE_S) for issuer in made), anonymous, paths


def _of_flags(config: ApiserverConfig, own: tuple[str, ...]) -> configuration.JwtAuthenticator:
    """--oidc-*. A user name is prefixed with the issuer, unless it is an e-mail address or "-" says not to."""
    from control_plane.apiserver.authentication import configuration

    prefix = config.oidc_username_prefix
    if not prefix and config.oidc_username_claim != "email":
        prefix = f"{config.oidc_issuer_url}#"
    groups = configuration.PrefixedClaim(config.oidc_groups_claim, config.oidc_groups_prefix) if config.oidc_groups_claim else None
    made = configuration.JwtAuthenticator(
        configuration.Issuer(
            url=config.oidc_issuer_url, audiences=(config.oidc_client_id,), certificate_authority=_text(config.oidc_ca_file)),
        tuple(configuration.ClaimValidationRule(claim, value) for claim, value in config.oidc_required_claim.items()),
        configuration.ClaimMappings(
            configuration.PrefixedClaim(config.oidc_username_claim, "" if prefix == "-" else prefix),
            groups or configuration.PrefixedClaim(),
        ),
    )
    unsupported = [name for name in config.oidc_signing_algs if name not in jwt.ALGORITHMS]
    if unsupported:
        raise ConfigError(f'oidc: unsupported signing alg: "{unsupported[0]}"')
    if problems := list(configuration.jwt_problems(made, "jwt[0]", own)):
        raise ConfigError(f"oidc: {', '.join(problems)}")
    return made


def _webhook(config: ApiserverConfig, tokens: TokenAuthority, clock: Clock, threads: Threads) -> TokenMethod | None:
    if not (file := config.authentication_token_webhook_config_file):
        return None
    from control_plane.apiserver.authentication.webhook import TokenWebhook

    webhook = TokenWebhook(from_kubeconfig(file), config.authentication_token_webhook_version, tokens.api_audiences, threads)
    return Remembering(webhook, clock, config.authentication_token_webhook_cache_ttl_s, config.authentication_token_webhook_cache_ttl_s)


def _front_proxy(config: ApiserverConfig) -> FrontProxy | None:
    if not config.requestheader_client_ca_file:
        return None
    return FrontProxy(
        config.requestheader_allowed_names, config.requestheader_username_headers, config.requestheader_uid_headers,
        config.requestheader_group_headers, config.requestheader_extra_headers_prefix,
    )


def _text(file: str) -> str:
    try:
        return Path(file).read_text() if file else ""
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
