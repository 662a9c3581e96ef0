"""Selectors, quantities and names against models that are obviously right."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.apimachinery.fields import FieldRequirement, FieldSelector, parse_field_selector
from kube.apimachinery.labels import SelectorError, parse_selector, selector_from_label_selector
from kube.apimachinery.quantity import Quantity, QuantityError, canonical
from kube.apimachinery.validation import dns_label_problems, dns_subdomain_problems, label_value_problems, qualified_name_problems
from tests.support.properties import often

NAMES = st.from_regex(r"[a-z0-9A-Z]([-a-z0-9A-Z_.]{0,5}[a-z0-9A-Z])?", fullmatch=True)
KEYS = st.one_of(NAMES, st.builds("{}/{}".format, st.sampled_from(("a.b", "example.com", "x")), NAMES))
VALUES = st.one_of(st.just(""), NAMES, st.integers(-20, 20).map(str).filter(lambda text: text[0] != "-"), st.sampled_from(("1_0", "007")))
LABELS = st.dictionaries(st.sampled_from(("a", "b", "x/c")), VALUES, max_size=3)
SPACE = st.sampled_from(("", " ", "  ", "\t"))
TERMS = st.one_of(
    st.tuples(st.sampled_from(("=", "==", "!=")), VALUES.map(lambda value: (value,))),
    # "in ()" names no value; the empty one can only be said beside another.
    st.tuples(st.sampled_from(("in", "notin")), st.lists(VALUES, min_size=1, max_size=3).filter(lambda held: set(held) != {""}).map(tuple)),
    st.tuples(st.sampled_from(("exists", "!")), st.just(())),
    st.tuples(st.sampled_from((">", "<")), st.integers(0, 20).map(lambda number: (str(number),))),
)
REQUIREMENTS = st.lists(st.tuples(st.sampled_from(("a", "b", "x/c")), TERMS), max_size=4)


def written(key: str, operator: str, values: tuple[str, ...], gap: str) -> str:
    if operator in ("in", "notin"):
        return f"{gap}{key} {operator}{gap}({gap}{f'{gap},{gap}'.join(values)}{gap}){gap}"
    if operator == "exists":
        return f"{gap}{key}{gap}"
    return f"{gap}!{gap}{key}{gap}" if operator == "!" else f"{gap}{key}{gap}{operator}{gap}{values[0]}{gap}"


def holds(labels: dict[str, str], key: str, operator: str, values: tuple[str, ...]) -> bool:
    value = labels.get(key)
    if operator in ("exists", "!"):
        return (value is not None) == (operator == "exists")
    if operator in (">", "<"):
        if value is None or not re.fullmatch("[0-9]+", value):
            return False
        return int(value) > int(values[0]) if operator == ">" else int(value) < int(values[0])
    return (value in values) == (operator in ("=", "==", "in"))


@often
@given(REQUIREMENTS, LABELS, SPACE)
def test_label_selectors_mean_what_they_say(terms: list[tuple[str, Any]], labels: dict[str, str], gap: str) -> None:
    text = ",".join(written(key, operator, values, gap) for key, (operator, values) in terms)

    selector = parse_selector(text)

    assert selector.matches(labels) == all(holds(labels, key, operator, values) for key, (operator, values) in terms)
    again = parse_selector(str(selector))
    assert set(again.requirements) == set(selector.requirements)
    assert again.matches(labels) == selector.matches(labels)


@often
@given(st.text(alphabet="ab!=<>(), inot/.\0é", max_size=20))
def test_any_text_is_a_label_selector_or_an_error(text: str) -> None:
    try:
        selector = parse_selector(text)
    except SelectorError:
        return
    if not any(term.values == {""} for term in selector.requirements):
        assert set(parse_selector(str(selector)).requirements) == set(selector.requirements)


@often
@given(LABELS, LABELS)
def test_match_labels_are_equalities(wanted: dict[str, str], labels: dict[str, str]) -> None:
    assert selector_from_label_selector({"matchLabels": wanted}).matches(labels) == (wanted.items() <= labels.items())


FIELDS = st.sampled_from(("metadata.name", "spec.nodeName", "status.phase"))


@often
@given(st.lists(st.builds(FieldRequirement, FIELDS, st.sampled_from(("=", "!=")), st.text(max_size=6))),
       st.dictionaries(FIELDS, st.text(max_size=2)))
def test_field_selectors_are_read_as_they_are_written(terms: list[FieldRequirement], fields: dict[str, str]) -> None:
    read = parse_field_selector(str(FieldSelector(tuple(terms))))

    assert sorted(read.requirements) == sorted(terms)
    assert read.matches(fields) == all((fields.get(term.key, "") == term.value) == (term.operator == "=") for term in terms)


@often
@given(st.text(alphabet="ab=!,\\ .", max_size=12))
def test_any_text_is_a_field_selector_or_an_error(text: str) -> None:
    try:
        selector = parse_field_selector(text)
    except SelectorError:
        return
    assert parse_field_selector(str(selector)) == selector


SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(10**3), "M": Fraction(10**6),
    "G": Fraction(10**9), "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30),
    "e3": Fraction(1000), "E-2": Fraction(1, 100),
}
QUANTITIES = st.tuples(
    st.sampled_from(("", "+", "-")), st.from_regex("[0-9]{1,6}", fullmatch=True), st.from_regex(r"(\.[0-9]{0,12})?", fullmatch=True),
    st.sampled_from(sorted(SUFFIXES)))


def exactly(parts: tuple[str, str, str, str]) -> Fraction:
    """Of what is finer than a billionth, upstream makes a whole one, away from zero."""
    sign, whole, fraction, suffix = parts
    amount = Fraction(f"{whole}{fraction if len(fraction) > 1 else ''}") * SUFFIXES[suffix]
    return Fraction(ceil(amount * 10**9), 10**9) * (-1 if sign == "-" else 1)


@often
@given(QUANTITIES, QUANTITIES)
def test_quantities_are_exact_numbers(left: tuple[str, str, str, str], right: tuple[str, str, str, str]) -> None:
    a, b = Quantity.parse("".join(left)), Quantity.parse("".join(right))
    x, y = exactly(left), exactly(right)

    assert (Fraction(a.amount), Fraction(b.amount)) == (x, y)
    assert (Fraction((a + b).amount), Fraction((a - b).amount), Fraction((-a).amount)) == (x + y, x - y, -x)
    assert (a < b, a == b, a > b) == (x < y, x == y, x > y)
    assert (a.value(), a.milli_value()) == (ceil(x), ceil(x * 1000))
    assert (hash(a) == hash(b)) or x != y


@often
@given(QUANTITIES)
def test_the_canonical_form_is_the_same_amount_without_a_fraction(parts: tuple[str, str, str, str]) -> None:
    text = canonical("".join(parts))

    assert Fraction(Quantity.parse(text).amount) == exactly(parts)
    assert canonical(text) == text
    assert "." not in text and "+" not in text


@often
@given(st.text(alphabet="0123456789.eEinumkKMGTP+-", max_size=12))
def test_any_text_is_a_quantity_or_an_error(text: str) -> None:
    try:
        said = canonical(text)
    except QuantityError:
        return
    assert canonical(said) == said


@pytest.mark.parametrize("text", ["1e999999999", "1E-999999999", "9" * 200 + "Ei", "0." + "0" * 200 + "1", "-1e999999999", "1e" + "9" * 99])
def test_exponents_are_not_written_out(text: str) -> None:
    assert len(canonical(text)) < 30


@pytest.mark.parametrize("text", ["9" * 1_000_000, "1e" + "9" * 1_000_000, "NaN", "Infinity", "1e", "0x10", "1_000", "\u0661", ""])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        Quantity.parse(text)


LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
ODD = st.text(alphabet="aZ09-._/\n é", max_size=8)


@often
@given(st.one_of(ODD, st.builds(str.__mul__, st.sampled_from(("a", "a.", "a-")), st.integers(0, 130)), st.builds("{}a".format, ODD)))
def test_names_are_those_of_the_documented_patterns(text: str) -> None:
    assert (not dns_label_problems(text)) == bool(re.fullmatch(LABEL, text) and len(text) <= 63)
    assert (not dns_subdomain_problems(text)) == bool(re.fullmatch(rf"{LABEL}(\.{LABEL})*", text) and len(text) <= 253)
    assert (not label_value_problems(text)) == bool(re.fullmatch(f"({NAME})?", text) and len(text) <= 63)
    prefix, slash, name = text.rpartition("/")
    named = bool(re.fullmatch(NAME, name)) and len(name) <= 63
    prefixed = not slash or (bool(re.fullmatch(rf"{LABEL}(\.{LABEL})*", prefix)) and len(prefix) <= 253)
    assert (not qualified_name_problems(text)) == (named and prefixed)
