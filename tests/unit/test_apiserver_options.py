"""Options of the verbs, and the messages about wrong ones."""

import pytest

from control_plane.apiserver.registry.continue_token import ContinueToken
from control_plane.apiserver.registry.options import DeleteOptions, ListOptions, WriteOptions
from kube.apimachinery.errors import ApiError, BadRequest


@pytest.mark.parametrize(("query", "message"), [
    pytest.param({"resourceVersionMatch": "Exact"}, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless "
                 "resourceVersion is provided", id="match without a version"),
    pytest.param({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, 'resourceVersionMatch "exact" is forbidden for '
                 'resourceVersion "0"', id="exactly any"),
    pytest.param({"resourceVersion": "1", "resourceVersionMatch": "Newest"}, 'Unsupported value: "Newest"', id="unknown match"),
    pytest.param({"limit": "ten"}, 'strconv.ParseInt: parsing "ten": invalid syntax', id="limit"),
    pytest.param({"labelSelector": "a in b"}, "unable to parse requirement", id="label selector"),
])
def test_wrong_list_options(query: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError) as raised:
        ListOptions.from_query(query)

    assert message in raised.value.message


def test_initial_events_need_a_match() -> None:
    with pytest.raises(ApiError, match="sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"):
        ListOptions.from_query({"sendInitialEvents": "true"}, watch=True)


def test_dry_run_is_all_or_nothing() -> None:
    with pytest.raises(ApiError, match=r'dryRun: Unsupported value: \["Some"]: supported values: "All"'):
        WriteOptions.from_query({"dryRun": "Some"}, "CreateOptions")


def test_unknown_field_validation_is_refused() -> None:
    with pytest.raises(ApiError, match='fieldValidation: Unsupported value: "Loud"'):
        WriteOptions.from_query({"fieldValidation": "Loud"}, "CreateOptions")


def test_orphan_dependents_and_a_policy_exclude_each_other() -> None:
    with pytest.raises(ApiError, match="orphanDependents and deletionPropagation cannot be both set"):
        DeleteOptions.from_object({"orphanDependents": True, "propagationPolicy": "Orphan"})


def test_negative_grace_is_one_second() -> None:
    assert DeleteOptions.from_object({"gracePeriodSeconds": -1}).grace_period_s == 1


def test_delete_options_from_the_query() -> None:
    options = DeleteOptions.from_object(DeleteOptions.query_object({"gracePeriodSeconds": "5", "propagationPolicy": "Foreground"}))

    assert (options.grace_period_s, options.propagation_policy) == (5, "Foreground")


def test_continue_token_survives_the_trip() -> None:
    token = ContinueToken(42, "default/web")

    assert ContinueToken.decode(token.encode()) == token


@pytest.mark.parametrize("text", ["%%%", "e30", "bm90IGpzb24"])
def test_foreign_continue_tokens_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="continue key is not valid"):
        ContinueToken.decode(text)
