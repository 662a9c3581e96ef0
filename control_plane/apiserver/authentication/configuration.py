"""AuthenticationConfiguration (apiserver.config.k8s.io/v1, --authentication-config): whose JSON Web Tokens are believed, and what they say.

The flags --oidc-* are the same with one issuer. Rules and messages follow apiserver's validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import yaml

from control_plane.apiserver.remote import trusting
from kube.process.config import YAML_LOADER, ConfigError

GROUP: Final = "apiserver.config.k8s.io"
VERSIONS: Final = ("v1", "v1beta1", "v1alpha1")
_EMAIL: Final = re.compile(r"\bclaims\s*\.\s*\??\s*email\b")
_VERIFIED: Final = re.compile(r"\bclaims\s*\.\s*\??\s*email_verified\b")
T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Issuer(Part, frozen=True):
    url: str = ""
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    certificate_authority: str = ""              # PEM; none: those that the machine trusts
    audiences: tuple[str, ...] = ()
    audience_match_policy: str = ""
    egress_selector_type: str = ""


class ClaimValidationRule(Part, frozen=True):
    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class PrefixedClaim(Part, frozen=True):
    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class ClaimOrExpression(Part, frozen=True):
    claim: str = ""
    expression: str = ""


class ExtraMapping(Part, frozen=True):
    key: str = ""
    value_expression: str = ""


class ClaimMappings(Part, frozen=True):
    username: PrefixedClaim = PrefixedClaim()
    groups: PrefixedClaim = PrefixedClaim()
    uid: ClaimOrExpression = ClaimOrExpression()
    extra: tuple[ExtraMapping, ...] = ()


class UserValidationRule(Part, frozen=True):
    expression: str = ""
    message: str = ""


class JwtAuthenticator(Part, frozen=True):
    issuer: Issuer = Issuer()
    claim_validation_rules: tuple[ClaimValidationRule, ...] = ()
    claim_mappings: ClaimMappings = ClaimMappings()
    user_validation_rules: tuple[UserValidationRule, ...] = ()


class AnonymousCondition(Part, frozen=True):
    path: str = ""


class Anonymous(Part, frozen=True):
    enabled: bool = False
    conditions: tuple[AnonymousCondition, ...] = ()


class AuthenticationConfiguration(Part, frozen=True):
    api_version: str = ""
    kind: str = ""
    jwt: tuple[JwtAuthenticator, ...] = ()
    anonymous: Anonymous | None = None


def read(file: str, *, own_issuers: tuple[str, ...] = ()) -> AuthenticationConfiguration:
    """`own_issuers`: of service accounts; nobody else may speak in their name. Raises ConfigError."""
    config = decode(file, AuthenticationConfiguration, "AuthenticationConfiguration")
    if problems := list(_problems(config, own_issuers)):
        raise ConfigError(f"{file}: {problems[0] if len(problems) == 1 else '[' + ', '.join(problems) + ']'}")
    return config


def decode(file: str, kind: type[T], name: str) -> T:
    """A configuration file of kube-apiserver: YAML or JSON, its kind checked, unknown fields refused. Raises ConfigError."""
    try:
        content = yaml.load(Path(file).read_text(), Loader=YAML_LOADER)  # noqa: S506  (a SafeLoader)
        known = [f"{GROUP}/{version}" for version in VERSIONS]
        if not isinstance(content, dict) or content.get("kind") != name or content.get("apiVersion") not in known:
            raise ConfigError(f"{file}: expected kind {name} of {known[0]}")
        return msgspec.convert(content, kind)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {str(error).replace('`', '')}") from error


def _problems(config: AuthenticationConfiguration, own: tuple[str, ...]) -> Iterator[str]:
    urls, discoveries = set(), set()
    if len(config.jwt) > 64:
        yield f"jwt: Too many: {len(config.jwt)}: must have at most 64 items"
    for index, one in enumerate(config.jwt):
        at = f"jwt[{index}]"
        yield from jwt_problems(one, at, own)
        if one.issuer.url in urls:
            yield f'{at}.issuer.url: Duplicate value: "{one.issuer.url}"'
        urls.add(one.issuer.url)
        if one.issuer.discovery_url in discoveries:
            yield f'{at}.issuer.discoveryURL: Duplicate value: "{one.issuer.discovery_url}"'
        discoveries |= {one.issuer.discovery_url} - {""}
    if config.anonymous and config.anonymous.conditions and not config.anonymous.enabled:
        yield "anonymous.conditions: Invalid value: enabled should be set to true when conditions are defined"


def jwt_problems(one: JwtAuthenticator, at: str, own: tuple[str, ...]) -> Iterator[str]:
    yield from _issuer_problems(one.issuer, f"{at}.issuer", own)
    yield from _rule_problems(one.claim_validation_rules, f"{at}.claimValidationRules")
    yield from _mapping_problems(one.claim_mappings, f"{at}.claimMappings")
    for index, rule in enumerate(one.user_validation_rules):
        if not rule.expression:
            yield f"{at}.userValidationRules[{index}].expression: Required value"
    yield from _expression_problems(one, at)


def _expression_problems(one: JwtAuthenticator, at: str) -> Iterator[str]:
    mappings = one.claim_mappings
    asked = [
        (f"{at}.claimMappings.username.expression", mappings.username.expression, "mapping"),
        (f"{at}.claimMappings.groups.expression", mappings.groups.expression, "mapping"),
        (f"{at}.claimMappings.uid.expression", mappings.uid.expression, "mapping"),
        *((f"{at}.claimMappings.extra[{i}].valueExpression", extra.value_expression, "mapping") for i, extra in enumerate(mappings.extra)),
        *((f"{at}.claimValidationRules[{i}].expression", rule.expression, "claims") for i, rule in enumerate(one.claim_validation_rules)),
        *((f"{at}.userValidationRules[{i}].expression", rule.expression, "user") for i, rule in enumerate(one.user_validation_rules)),
    ]
    used = [(field, expression, about) for field, expression, about in asked if expression]
    if not used:
        return
    from control_plane.apiserver.authentication import expressions  # CEL is much to load, and claims alone are the common case

    for field, expression, about in used:
        if problem := expressions.problem_of(expression, about):
            yield f"{field}: Invalid value: {quoted(expression)}: {problem}"
    verified = [expression for field, expression, about in used if about != "user" and "uid" not in field and "groups" not in field]
    name = mappings.username.expression
    if _EMAIL.search(name) and not any(_VERIFIED.search(expression) for expression in verified):
        yield (
            f"{at}.claimMappings.username.expression: Invalid value: {quoted(name)}: claims.email_verified must be used in "
            "claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression "
            "when claims.email is used in claimMappings.username.expression")


def quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _issuer_problems(issuer: Issuer, at: str, own: tuple[str, ...]) -> Iterator[str]:
    yield from _url_problems(issuer.url, f"{at}.url", own) if issuer.url else [f"{at}.url: Required value"]
    if discovery := issuer.discovery_url:
        if issuer.url and issuer.url.rstrip("/") == discovery.rstrip("/"):
            yield f'{at}.discoveryURL: Invalid value: "{discovery}": discoveryURL must be different from URL'
        yield from _url_problems(discovery, f"{at}.discoveryURL", ())
    if not issuer.audiences:
        yield f"{at}.audiences: Required value: at least one {at}.audiences is required"
    for index, audience in enumerate(issuer.audiences):
        if not audience:
            yield f"{at}.audiences[{index}]: Required value"
        if audience in issuer.audiences[:index]:
            yield f'{at}.audiences[{index}]: Duplicate value: "{audience}"'
    policy = issuer.audience_match_policy
    if policy != "MatchAny" and (len(issuer.audiences) > 1 or policy):
        many = len(issuer.audiences) > 1
        why = "must be MatchAny for multiple audiences" if many else "must be empty or MatchAny for single audience"
        yield f'{at}.audienceMatchPolicy: Invalid value: "{policy}": audienceMatchPolicy {why}'
    if issuer.certificate_authority:
        try:
            trusting(issuer.certificate_authority)
        except ValueError as error:
            yield f'{at}.certificateAuthority: Invalid value: "<omitted>": {error}'
    if issuer.egress_selector_type not in ("", "controlplane", "cluster"):
        kind = issuer.egress_selector_type
        yield f'{at}.egressSelectorType: Invalid value: "{kind}": egress selector must be either controlplane or cluster'


def _url_problems(url: str, at: str, own: tuple[str, ...]) -> Iterator[str]:
    invalid = f'{at}: Invalid value: "{url}": '
    if url in own:
        yield f"{invalid}URL must not overlap with disallowed issuers: [{' '.join(sorted(own))}]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        yield f"{invalid}{error}"
        return
    for wrong, why in (
        (parts.scheme != "https", "URL scheme must be https"), ("@" in parts.netloc, "URL must not contain a username or password"),
        (parts.query, "URL must not contain a query"), (parts.fragment, "URL must not contain a fragment"),
    ):
        if wrong:
            yield invalid + why


def _rule_problems(rules: tuple[ClaimValidationRule, ...], at: str) -> Iterator[str]:
    claims: set[str] = set()
    expressions: set[str] = set()
    for index, rule in enumerate(rules):
        here = f"{at}[{index}]"
        if rule.claim and rule.expression:
            yield f'{here}: Invalid value: "{rule.claim}": claim and expression can\'t both be set'
        elif rule.claim:
            if rule.message:
                yield f'{here}.message: Invalid value: "{rule.message}": may not be specified when claim is set'
            if rule.claim in claims:
                yield f'{here}.claim: Duplicate value: "{rule.claim}"'
            claims.add(rule.claim)
        elif rule.expression:
            if rule.required_value:
                yield f'{here}.requiredValue: Invalid value: "{rule.required_value}": may not be specified when expression is set'
            if rule.expression in expressions:
                yield f'{here}.expression: Duplicate value: "{rule.expression}"'
            expressions.add(rule.expression)
        else:
            yield f"{here}: Required value: claim or expression is required"


def _mapping_problems(mappings: ClaimMappings, at: str) -> Iterator[str]:
    for field, mapping in (("username", mappings.username), ("groups", mappings.groups)):
        here = f"{at}.{field}"
        if mapping.expression and mapping.claim:
            yield f'{here}: Invalid value: "": claim and expression can\'t both be set'
        elif mapping.expression:
            if mapping.prefix is not None:
                yield f'{here}.prefix: Invalid value: "{mapping.prefix}": may not be specified when expression is set'
        elif mapping.claim and mapping.prefix is None:
            why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            yield f"{here}.prefix: Required value: {why}"
        elif not mapping.claim and field == "username":
            yield f"{here}: Required value: claim or expression is required"
    if mappings.uid.claim and mappings.uid.expression:
        yield f'{at}.uid: Invalid value: "": claim and expression can\'t both be set'
    keys: set[str] = set()
    for index, extra in enumerate(mappings.extra):
        yield from _extra_problems(extra, f"{at}.extra[{index}]", keys)
        keys.add(extra.key)


def _extra_problems(extra: ExtraMapping, at: str, seen: set[str]) -> Iterator[str]:
    domain, slash, path = extra.key.partition("/")
    invalid = f'{at}.key: Invalid value: "{extra.key}": '
    if not extra.key:
        yield f"{at}.key: Required value"
    elif not (domain and slash and path):
        yield f"{invalid}must be a domain-prefixed path (such as \"acme.io/foo\")"
    if extra.key != extra.key.lower():
        yield f"{invalid}must be lowercase"
    if slash and any(domain == reserved or domain.endswith("." + reserved) for reserved in ("kubernetes.io", "k8s.io")):
        yield f"{invalid}k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
    if extra.key in seen:
        yield f'{at}.key: Duplicate value: "{extra.key}"'
    elif not extra.value_expression:
        yield f"{at}.valueExpression: Required value"
