"""What a webhook configuration must be like, and what is filled in."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.meta import JsonObject
from tests.support.memory_store import resource_of
from tests.support.webhooks import configuration, rule, webhook

URL = "https://hook.example/path"


def causes(hook: JsonObject, *others: JsonObject, kind: str = "Mutating") -> list[str]:
    obj = copy.deepcopy(configuration(kind, "c", hook, *others))
    strategy = strategy_for(resource_of(obj))
    strategy.default(obj)
    return [f"{cause.field}: {cause.message}" for cause in strategy.validate(obj)]


def hook(*, url: str = URL, rules: list[JsonObject] | None = None, name: str = "a.b.c", **more: Any) -> JsonObject:
    return {**webhook(name, url, "", *(rules or [rule("pods")])), **more}


def service(**reference: Any) -> JsonObject:
    return hook(clientConfig={"service": {"namespace": "n", "name": "s", **reference}})


@pytest.mark.req("WHK-03")
def test_defaults() -> None:
    obj = configuration("Mutating", "c", service(), hook(timeoutSeconds=3, failurePolicy="Ignore"))
    strategy_for(resource_of(obj)).default(obj)

    first, second = obj["webhooks"]
    assert {key: first[key] for key in ("failurePolicy", "matchPolicy", "timeoutSeconds", "reinvocationPolicy", "namespaceSelector")} == {
        "failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10, "reinvocationPolicy": "Never", "namespaceSelector": {},
    }
    assert (first["clientConfig"]["service"]["port"], first["rules"][0]["scope"]) == (443, "*")
    assert (second["timeoutSeconds"], second["failurePolicy"]) == (3, "Ignore")


def test_a_whole_configuration_is_fine() -> None:
    assert causes(hook(), service(path="/a/b/", port=8443) | {"name": "d.e.f"}) == []
    everything = rule("*/*", operations=("*",), groups=("*",), versions=("*",))
    assert causes(hook(rules=[rule("pods", "pods/status", "*/scale"), everything])) == []


@pytest.mark.req("WHK-03", "WHK-06")
@pytest.mark.parametrize(("wrong", "message"), [
    pytest.param(hook(name=""), "webhooks[0].name: Required value", id="no name"),
    pytest.param(hook(name="a.b"), 'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated '
                 "by dots", id="short name"),
    pytest.param(hook(sideEffects=None), "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun", id="effects"),
    pytest.param(hook(sideEffects="Some"), 'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
                 id="some effects"),
    pytest.param(hook(timeoutSeconds=31), "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 "
                 "seconds", id="timeout"),
    pytest.param(hook(admissionReviewVersions=[]), "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
                 id="no versions"),
    pytest.param(hook(admissionReviewVersions=["v2"]), 'webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least '
                 "one of v1, v1beta1", id="unknown versions"),
    pytest.param(hook(failurePolicy="No"), 'webhooks[0].failurePolicy: Unsupported value: "No": supported values: "Fail", "Ignore"',
                 id="failure policy"),
    pytest.param(hook(matchPolicy="No"), 'webhooks[0].matchPolicy: Unsupported value: "No": supported values: "Equivalent", "Exact"',
                 id="match policy"),
    pytest.param(hook(reinvocationPolicy="No"), 'webhooks[0].reinvocationPolicy: Unsupported value: "No": supported values: "IfNeeded", '
                 '"Never"', id="reinvocation policy"),
    pytest.param(hook(clientConfig={}), "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
                 id="nowhere"),
    pytest.param(hook(clientConfig={"url": URL, "service": {"name": "s", "namespace": "n"}}),
                 "webhooks[0].clientConfig: Required value: exactly one of url or service is required", id="both"),
    pytest.param(hook(url="http://h/"), "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
                 "desired format: https://host[/path]", id="plain http"),
    pytest.param(hook(url="https://u:p@h/"), 'webhooks[0].clientConfig.url: Invalid value: "u:p": user information is not permitted in '
                 "the URL", id="user"),
    pytest.param(hook(url="https://h/?a=b"), 'webhooks[0].clientConfig.url: Invalid value: "a=b": query parameters are not permitted in '
                 "the URL", id="query"),
    pytest.param(hook(url="https://h/#a"), 'webhooks[0].clientConfig.url: Invalid value: "a": fragments are not permitted in the URL',
                 id="fragment"),
    pytest.param(service(name=""), "webhooks[0].clientConfig.service.name: Required value", id="service without a name"),
    pytest.param(service(port=70000), "webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 "
                 "and 65535, inclusive", id="port"),
    pytest.param(service(path="ab"), "webhooks[0].clientConfig.service.path: Invalid value: \"ab\": must start with a '/'", id="path"),
    pytest.param(service(path="/a//b"), 'webhooks[0].clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty',
                 id="empty segment"),
    pytest.param(hook(rules=[rule("pods", operations=())]), "webhooks[0].rules[0].operations: Required value", id="no operations"),
    pytest.param(hook(rules=[rule("pods", operations=("*", "CREATE"))]), 'webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: '
                 "if '*' is present, must not specify other operations", id="all operations and one"),
    pytest.param(hook(rules=[rule("pods", operations=("PATCH",))]), 'webhooks[0].rules[0].operations[0]: Unsupported value: "PATCH": '
                 'supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"', id="no operation"),
    pytest.param(hook(rules=[rule("pods", versions=())]), "webhooks[0].rules[0].apiVersions: Required value", id="no rule versions"),
    pytest.param(hook(rules=[rule()]), "webhooks[0].rules[0].resources: Required value", id="no resources"),
    pytest.param(hook(rules=[rule("*", "pods")]), 'webhooks[0].rules[0].resources: Invalid value: ["*","pods"]: if \'*\' is present, '
                 "must not specify other resources without subresources", id="all resources and one"),
    pytest.param(hook(rules=[rule("pods/*", "pods/exec")]), 'webhooks[0].rules[0].resources[1]: Invalid value: "pods/exec": if '
                 "'pods/*' is present, must not specify pods/exec", id="all subresources and one"),
    pytest.param(hook(rules=[rule("pods", scope="Galaxy")]), 'webhooks[0].rules[0].scope: Unsupported value: "Galaxy": supported values: '
                 '"*", "Cluster", "Namespaced"', id="scope"),
    pytest.param(hook(namespaceSelector={"matchExpressions": [{"key": "a", "operator": "Like"}]}),
                 'webhooks[0].namespaceSelector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator',
                 id="selector"),
    pytest.param(hook(matchConditions=[{"name": "a", "expression": " "}]), "webhooks[0].matchConditions[0].expression: Required value",
                 id="condition without an expression"),
])
def test_what_is_wrong(wrong: JsonObject, message: str) -> None:
    assert causes(wrong) == [message]


def test_webhook_names_are_unique_within_a_configuration() -> None:
    assert causes(hook(), hook(), kind="Validating") == ['webhooks[1].name: Duplicate value: "a.b.c"']
