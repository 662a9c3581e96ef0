from __future__ import annotations

import pytest

from kube.apimachinery.fields import parse_field_selector
from kube.apimachinery.labels import SelectorError

POD = {"spec.nodeName": "n1", "status.phase": "Running", "metadata.name": "a,b"}


@pytest.mark.parametrize(("text", "matches"), [
    pytest.param("", True, id="empty"),
    pytest.param("spec.nodeName=n1", True, id="equal"),
    pytest.param("spec.nodeName==n1,status.phase!=Running", False, id="conjunction"),
    pytest.param("spec.nodeName=", False, id="must be empty"),
    pytest.param("spec.unknown=", True, id="absent counts as empty"),
    pytest.param(r"metadata.name=a\,b", True, id="escaped comma"),
])
def test_field_selector_matches(text: str, matches: bool) -> None:
    assert parse_field_selector(text).matches(POD) is matches


@pytest.mark.parametrize(("text", "sentence"), [
    pytest.param("spec.nodeName", "invalid selector: 'spec.nodeName'; can't understand 'spec.nodeName'", id="no operator"),
    pytest.param(r"a=b\x", r"invalid field selector: invalid escape sequence: \x", id="bad escape"),
])
def test_field_selector_that_cannot_be_read(text: str, sentence: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse_field_selector(text)
    assert str(caught.value) == sentence


def test_required_value_is_what_an_index_can_use() -> None:
    selector = parse_field_selector("spec.nodeName=n1,status.phase!=Failed")
    assert (selector.required_value("spec.nodeName"), selector.required_value("status.phase")) == ("n1", None)
