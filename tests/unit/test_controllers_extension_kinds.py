"""What an extension server tells of its kinds, as rows of the resource table."""

from __future__ import annotations

import msgspec
import pytest

from control_plane.controllers.extension_kinds import ServedResources, rows_of_list
from kube.apimachinery.scheme import GroupVersion

WARDLE = GroupVersion("wardle.example.com", "v1")


def test_a_resource_list_as_rows() -> None:
    listed = msgspec.convert({"kind": "APIResourceList", "resources": [
        {"name": "flunders/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
        {"name": "flunders", "kind": "Flunder", "namespaced": True, "verbs": ["list", "delete"], "shortNames": ["fl"]},
        {"name": "fischers", "kind": "Fischer"},
        {"name": "nameless"},
    ]}, ServedResources)

    rows = rows_of_list(WARDLE, listed.resources or ())

    assert [(row.kind, row.plural, row.namespaced, row.verbs, row.subresources) for row in rows] == [
        ("Flunder", "flunders", True, ("list", "delete"), ("scale",)), ("Fischer", "fischers", False, (), ()),
    ]
    assert all(row.custom for row in rows)


@pytest.mark.parametrize("resources", [5, [5], [{"name": 5}], [{"name": "a", "kind": "A", "verbs": 5}], [{"verbs": [None]}]])
def test_nonsense_is_an_error_and_no_crash(resources: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"resources": resources}, ServedResources)
