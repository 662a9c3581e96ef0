from __future__ import annotations

import pytest

from kube.apimachinery.labels import SelectorError, parse_selector, selector_from_label_selector

WEB = {"app": "web", "tier": "front", "weight": "7"}


@pytest.mark.parametrize(("text", "matches"), [
    pytest.param("", True, id="empty matches everything"),
    pytest.param("app=web", True, id="equal"),
    pytest.param("app == web , tier=front", True, id="double equal and spaces"),
    pytest.param("app!=web", False, id="not equal"),
    pytest.param("zone!=a", True, id="not equal holds without the label"),
    pytest.param("tier in (front,back)", True, id="in"),
    pytest.param("tier notin (front)", False, id="notin"),
    pytest.param("zone notin (a)", True, id="notin holds without the label"),
    pytest.param("in!=yes,!notin", True, id="operators are ordinary keys too"),
    pytest.param("app", True, id="exists"),
    pytest.param("!app", False, id="does not exist"),
    pytest.param("!zone,app", True, id="absent and present"),
    pytest.param("weight>5", True, id="greater"),
    pytest.param("weight<5", False, id="less"),
    pytest.param("app=", False, id="empty value"),
    pytest.param("app in (,web)", True, id="empty value in a set"),
])
def test_selector_matches(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(WEB) is matches


@pytest.mark.parametrize(("text", "sentence"), [
    pytest.param("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt", id="no operator"),
    pytest.param("app=web,", "found '', expected: identifier after ','", id="trailing comma"),
    pytest.param("=web", "found '=', expected: !, identifier, or 'end of string'", id="no key"),
    pytest.param("tier in front", "unable to parse requirement: found 'front' expected: '('", id="no bracket"),
])
def test_selector_that_cannot_be_read(text: str, sentence: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert str(caught.value) == sentence


def test_bad_label_value_names_the_rule() -> None:
    with pytest.raises(SelectorError, match="a valid label must be an empty string or consist of"):
        parse_selector("app=-web")


@pytest.mark.parametrize(("selector", "matches"), [
    pytest.param(None, False, id="none selects nothing"),
    pytest.param({}, True, id="empty selects everything"),
    pytest.param({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, True, id="both parts"),
    pytest.param({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False, id="not in"),
])
def test_label_selector_of_a_spec(selector: dict[str, object] | None, matches: bool) -> None:
    assert selector_from_label_selector(selector).matches(WEB) is matches


def test_selector_prints_as_it_is_read() -> None:
    assert str(parse_selector("tier in (front,back),!zone,app=web")) == "app=web,tier in (back,front),!zone"


def test_an_empty_set_holds_the_empty_value() -> None:
    selector = parse_selector("tier in ()")

    assert selector.matches({"tier": ""}) and not selector.matches({"tier": "web"}) and not selector.matches({})
