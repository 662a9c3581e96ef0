"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration. Follows apis/admissionregistration and apiserver's util/webhook.

A caBundle is not looked into, as upstream: one that is no PEM shows when the webhook is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.selectors import validate_label_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns1035_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    invalid,
    not_supported,
    port_number_problems,
    qualified_name_problems,
    required,
    too_many,
)

OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES: Final = ("*", "Cluster", "Namespaced")
REVIEW_VERSIONS: Final = ("v1", "v1beta1")
SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
MAX_MATCH_CONDITIONS: Final = 64
_ENUMS: Final = {
    "failurePolicy": ("Fail", "Ignore"), "matchPolicy": ("Equivalent", "Exact"), "reinvocationPolicy": ("IfNeeded", "Never"),
}
_FORM: Final = "; desired format: https://host[/path]"


class WebhookConfigurationStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True
    qualified_finalizers = False

    def default(self, obj: JsonObject) -> None:
        mutating = self.resource.kind.startswith("Mutating")
        for hook in obj.get("webhooks") or ():
            for key, value in (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {}),
                               ("timeoutSeconds", 10)):
                hook.setdefault(key, value)
            if mutating:
                hook.setdefault("reinvocationPolicy", "Never")
            for rule in hook.get("rules") or ():
                rule.setdefault("scope", "*")
            if service := (hook.get("clientConfig") or {}).get("service"):
                service.setdefault("port", 443)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        names: set[str] = set()
        known = {one.get("expression", "") for hook in (old or {}).get("webhooks") or () for one in hook.get("matchConditions") or ()}
        for index, hook in enumerate(obj.get("webhooks") or ()):
            at = f"webhooks[{index}]"
            causes += _validate_webhook(hook, at, known)
            causes += _validate_review_versions(hook.get("admissionReviewVersions") or (), f"{at}.admissionReviewVersions")
            name = hook.get("name") or ""
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            elif name:
                names.add(name)
        return causes


def _validate_webhook(hook: JsonObject, at: str, known_expressions: set[str]) -> list[Cause]:
    causes = _validate_full_name(hook.get("name") or "", f"{at}.name")
    for index, rule in enumerate(hook.get("rules") or ()):
        causes += validate_rule(rule, f"{at}.rules[{index}]")
    causes += [not_supported(f"{at}.{key}", hook[key], _ENUMS[key]) for key in ("failurePolicy", "matchPolicy")
               if hook.get(key) is not None and hook[key] not in _ENUMS[key]]
    if (effects := hook.get("sideEffects")) is None:
        causes.append(required(f"{at}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    elif effects not in SIDE_EFFECTS:
        causes.append(not_supported(f"{at}.sideEffects", effects, SIDE_EFFECTS))
    if (timeout_s := hook.get("timeoutSeconds")) is not None and not 1 <= timeout_s <= 30:
        causes.append(invalid(f"{at}.timeoutSeconds", timeout_s, "the timeout value must be between 1 and 30 seconds"))
    for key in ("namespaceSelector", "objectSelector"):
        causes += validate_label_selector(hook.get(key) or {}, f"{at}.{key}")
    key = "reinvocationPolicy"
    if hook.get(key) is not None and hook[key] not in _ENUMS[key]:
        causes.append(not_supported(f"{at}.{key}", hook[key], _ENUMS[key]))
    causes += _validate_client_config(hook.get("clientConfig") or {}, f"{at}.clientConfig")
    return causes + validate_match_conditions(hook.get("matchConditions") or (), f"{at}.matchConditions", known_expressions)


def _validate_full_name(name: str, path: str) -> list[Cause]:
    if not name:
        return [required(path)]
    if problems := dns_subdomain_problems(name):
        return [invalid(path, name, ",".join(problems))]
    if name.count(".") < 2:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def _validate_review_versions(versions: Sequence[str], path: str) -> list[Cause]:
    known = ", ".join(REVIEW_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {known}")]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            causes.append(invalid(f"{path}[{index}]", version, "duplicate version"))
        else:
            causes += each(f"{path}[{index}]", version, dns1035_problems(version))
    if not set(versions) & set(REVIEW_VERSIONS):
        causes.append(invalid(path, list(versions), f"must include at least one of {known}"))
    return causes


def validate_rule(rule: JsonObject, at: str) -> list[Cause]:
    """RuleWithOperations, of webhooks and admission policies."""
    operations = rule.get("operations") or ()
    causes = _some_or_all(operations, f"{at}.operations", "operations")
    causes += [not_supported(f"{at}.operations[{index}]", one, OPERATIONS) for index, one in enumerate(operations) if one not in OPERATIONS]
    causes += _some_or_all(rule.get("apiGroups") or (), f"{at}.apiGroups", "API groups")
    causes += _some_or_all(rule.get("apiVersions") or (), f"{at}.apiVersions", "API versions")
    causes += [required(f"{at}.apiVersions[{index}]") for index, one in enumerate(rule.get("apiVersions") or ()) if not one]
    causes += _validate_resources(rule.get("resources") or (), f"{at}.resources")
    scope = rule.get("scope")
    return causes if scope is None or scope in SCOPES else [*causes, not_supported(f"{at}.scope", scope, SCOPES)]


def _some_or_all(values: Sequence[str], path: str, noun: str) -> list[Cause]:
    if not values:
        return [required(path)]
    if len(values) > 1 and "*" in values:
        return [invalid(path, list(values), f"if '*' is present, must not specify other {noun}")]
    return []


def _validate_resources(resources: Sequence[str], path: str) -> list[Cause]:
    causes = [] if resources else [required(path)]
    whole: set[str] = set()         # x of "x/*"
    everywhere: set[str] = set()    # x of "*/x"
    plain = False
    for index, one in enumerate(resources):
        at = f"{path}[{index}]"
        if not one:
            causes.append(required(at))
            continue
        name, slash, sub = one.partition("/")
        if not slash:
            plain = one != "*"
            continue
        if name in whole:
            causes.append(invalid(at, one, f"if '{name}/*' is present, must not specify {one}"))
        if sub in everywhere:
            causes.append(invalid(at, one, f"if '*/{sub}' is present, must not specify {one}"))
        if sub == "*":
            whole.add(name)
        if name == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        causes.append(invalid(path, list(resources), "if '*/*' is present, must not specify other resources"))
    if "*" in resources and plain:
        causes.append(invalid(path, list(resources), "if '*' is present, must not specify other resources without subresources"))
    return causes


def _validate_client_config(config: JsonObject, at: str) -> list[Cause]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(at, "exactly one of url or service is required")]
    return validate_url(url, f"{at}.url") if service is None else validate_service(service, f"{at}.service")


def validate_url(url: Any, path: str) -> list[Cause]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return [required(path, f"url must be a valid URL: parse {url}: {error}{_FORM}")]
    causes = []
    if parts.scheme != "https":
        causes.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not parts.netloc.rpartition("@")[2]:
        causes.append(invalid(path, "", f"host must be specified{_FORM}"))
    if "@" in parts.netloc:
        causes.append(invalid(path, _user(parts), "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return causes


def _user(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[0]


def validate_service(service: JsonObject, at: str) -> list[Cause]:
    causes = [required(f"{at}.{key}") for key in ("name", "namespace") if not service.get(key)]
    port = service.get("port") or 0
    if problems := port_number_problems(port):
        causes.append(invalid(f"{at}.port", port, "port is not valid: " + ", ".join(problems)))
    path = service.get("path") or ""
    if path in ("", "/"):
        return causes
    if path == "//":
        return [*causes, invalid(f"{at}.path", path, "segment[0] may not be empty")]
    if not path.startswith("/"):
        causes.append(invalid(f"{at}.path", path, "must start with a '/'"))
    for index, step in enumerate(path[1:].removesuffix("/").split("/")):
        problems = dns_subdomain_problems(step) if step else []
        causes += [invalid(f"{at}.path", path, f"segment[{index}]: {problem}") for problem in problems]
        if not step:
            causes.append(invalid(f"{at}.path", path, f"segment[{index}] may not be empty"))
    return causes


def validate_match_conditions(conditions: Sequence[JsonObject], path: str, known_expressions: set[str]) -> list[Cause]:
    """`known_expressions` stand in the stored object already, and are not compiled once more."""
    causes = [too_many(path, len(conditions), MAX_MATCH_CONDITIONS)] if len(conditions) > MAX_MATCH_CONDITIONS else []
    names: set[str] = set()
    for index, condition in enumerate(conditions):
        at, expression, name = f"{path}[{index}]", condition.get("expression") or "", condition.get("name") or ""
        if not expression.strip():
            causes.append(required(f"{at}.expression"))
        elif expression not in known_expressions:
            from control_plane.apiserver.admission.webhooks.expressions import problem_of  # lazily: CEL is large, conditions are rare

            if why := problem_of(expression.strip()):
                causes.append(invalid(f"{at}.expression", expression.strip(), why))
        if not name:
            causes.append(required(f"{at}.name"))
        else:
            causes += each(f"{at}.name", name, qualified_name_problems(name))
        if name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)
    return causes
