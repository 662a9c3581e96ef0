from __future__ import annotations

import pytest

from kube.apimachinery.intstr import resolve


@pytest.mark.parametrize(("value", "total", "round_up", "number"), [
    pytest.param(3, 10, True, 3, id="absolute"),
    pytest.param("25%", 10, True, 3, id="rounded up"),
    pytest.param("25%", 10, False, 2, id="rounded down"),
    pytest.param("100%", 7, False, 7, id="all"),
    pytest.param("0%", 7, True, 0, id="none"),
])
def test_resolve(value: int | str, total: int, round_up: bool, number: int) -> None:
    assert resolve(value, total, round_up) == number


def test_a_word_is_no_percentage() -> None:
    with pytest.raises(ValueError, match="invalid type: string is not a percentage"):
        resolve("many", 10, round_up=True)
