from __future__ import annotations

import pytest

from kube.apimachinery.quantity import Quantity, QuantityError, canonical, parse_bytes, parse_cpu_milli


@pytest.mark.parametrize(("text", "written"), [
    ("0", "0"), ("100m", "100m"), ("1000m", "1"), ("0.5", "500m"), ("1.5", "1500m"), ("1500", "1500"), ("1000", "1k"), ("2000000", "2M"),
    ("1Gi", "1Gi"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0.5Ki", "512"), ("1e3", "1e3"), ("12E6", "12e6"), ("5E", "5E"),
    ("-250m", "-250m"), (".5", "500m"), ("1n", "1n"), ("0.1n", "1n"), ("123Ki", "123Ki"), ("1536", "1536"), ("0.001Ki", "1024m"),
])
def test_canonical_form(text: str, written: str) -> None:
    assert canonical(text) == written


@pytest.mark.parametrize(("text", "words"), [
    ("", "quantities must match the regular expression"), ("abc", "quantities must match"), ("1.2.3", "quantities must match"),
    ("1KB", "quantities must match"), ("1mm", "unable to parse quantity's suffix"),
])
def test_text_that_is_no_quantity(text: str, words: str) -> None:
    with pytest.raises(QuantityError, match=words):
        Quantity.parse(text)


def test_amounts_compare_and_add_by_value() -> None:
    half, one = Quantity.parse("500m"), Quantity.parse("1")
    assert half < one
    assert half + half == one
    assert str(Quantity.parse("1Gi") + Quantity.parse("512Mi")) == "1536Mi"
    assert str(one - half - half) == "0"
    assert (half * 3).milli_value() == 1500


def test_values_round_up() -> None:
    assert (Quantity.parse("1m").value(), Quantity.parse("1u").milli_value()) == (1, 1)


def test_fast_helpers_agree_with_the_parser() -> None:
    assert [parse_cpu_milli(text) for text in ("250m", "2", "1.5", "100u")] == [250, 2000, 1500, 1]
    assert [parse_bytes(text) for text in ("1Ki", "128Mi", "1.5Gi", "1k", "7")] == [1024, 128 << 20, 3 << 29, 1000, 7]


@pytest.mark.parametrize("text", ["1e" + "9" * 5000, "9" * 100_000, "0." + "0" * 300 + "1"])
def test_amounts_of_thousands_of_digits_are_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        Quantity.parse(text)
