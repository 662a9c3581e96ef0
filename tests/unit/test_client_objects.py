"""Objects as clients decode them: a null is an absent field."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Pod
from kube.client.objects import decoder_for


@pytest.mark.parametrize(
    "conditions",
    ['[{"type":"Ready","lastProbeTime":null,"status":"True"}]', '[{"type":"Ready","status":"True","lastProbeTime":null}]',
     '[{"type":"Ready","status":"True","message":null}]'],
)
def test_nulls_are_absent_fields(conditions: str) -> None:
    metadata = b'{"creationTimestamp":null,"name":"a"}'

    decoded = decoder_for(Pod).decode(b'{"metadata":%b,"status":{"conditions":%b}}' % (metadata, conditions.encode()))

    (condition,) = decoded.status.conditions
    assert (decoded.metadata.name, decoded.metadata.creation_timestamp) == ("a", "")
    assert (condition.type, condition.status, condition.last_probe_time, condition.message) == ("Ready", "True", "", "")


def test_text_that_looks_like_a_null_stays() -> None:
    note = '"lastProbeTime":null,'
    metadata = b'{"annotations":{"note":"\\"lastProbeTime\\":null,"}}'
    body = b'{"metadata":%b,"status":{"conditions":[{"lastProbeTime":null,"type":"b"}]}}' % metadata

    assert decoder_for(Pod).decode(body).metadata.annotations == {"note": note}
