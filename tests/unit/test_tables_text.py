from __future__ import annotations

import pytest

from control_plane.apiserver.tables.text import clipped, human_duration, labels_text, selector_text

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(("seconds", "text"), [
    (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (2 * MINUTE, "2m"), (3 * MINUTE + 5, "3m5s"), (10 * MINUTE + 5, "10m"),
    (179 * MINUTE, "179m"), (3 * HOUR, "3h"), (3 * HOUR + 7 * MINUTE, "3h7m"), (8 * HOUR + 7 * MINUTE, "8h"), (47 * HOUR, "47h"),
    (2 * DAY, "2d"), (2 * DAY + 3 * HOUR, "2d3h"), (8 * DAY + 3 * HOUR, "8d"), (729 * DAY, "729d"), (730 * DAY, "2y"),
    (740 * DAY, "2y10d"), (9 * 365 * DAY, "9y"),
])
def test_human_duration(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_lists_are_clipped_after_three() -> None:
    assert [clipped(list(items)) for items in ("", "ab", "abc", "abcde")] == ["<unset>", "a,b", "a,b,c", "a,b,c + 2 more..."]


def test_labels_and_selectors() -> None:
    assert labels_text({"b": "2", "a": "1"}) == "a=1,b=2"
    assert labels_text(None) == "<none>"
    assert selector_text({"matchLabels": {"z": "1"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}) == "a,z=1"
    assert (selector_text({}), selector_text(None)) == ("<none>", "<none>")
