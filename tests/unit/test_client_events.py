"""Which Events are written, and as what."""

from datetime import UTC, datetime, timedelta

from kube.api.core_v1 import Event, EventSource, ObjectReference
from kube.api.meta_v1 import ObjectMeta
from kube.client.event_correlator import EventCorrelator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def event(message: str, *, name: str = "web", reason: str = "Failed") -> Event:
    return Event(
        metadata=ObjectMeta(namespace="default", name=f"{name}.1"), message=message, reason=reason, type="Warning", count=1,
        involved_object=ObjectReference(kind="Pod", namespace="default", name=name, uid=f"uid-{name}"),
        source=EventSource(component="kubelet", host="node1"), first_timestamp="2026-11-20T12:00:00Z",
    )


def test_the_same_event_again_is_an_update_with_a_higher_count_under_the_first_name() -> None:
    correlator = EventCorrelator()
    first = correlator.correlate(event("no such image"), NOW)
    assert first is not None
    assert not first.is_update
    correlator.written(first.key, first.event)

    again = correlator.correlate(event("no such image"), NOW + timedelta(seconds=30))

    assert again is not None
    assert (again.is_update, again.event.count, again.event.metadata.name) == (True, 2, "web.1")


def test_many_events_that_differ_in_their_message_alone_are_combined() -> None:
    correlator = EventCorrelator()
    sent = []
    for number in range(12):
        correlated = correlator.correlate(event(f"attempt {number}"), NOW)
        assert correlated is not None
        correlator.written(correlated.key, correlated.event)
        sent.append(correlated)

    assert [item.event.message for item in sent[8:]] == [
        "attempt 8", "(combined from similar events): attempt 9", "(combined from similar events): attempt 10",
        "(combined from similar events): attempt 11",
    ]
    assert [item.is_update for item in sent[8:]] == [False, False, True, True]


def test_an_object_that_cries_all_the_time_is_filtered_and_others_are_not() -> None:
    correlator = EventCorrelator()
    passed = [correlator.correlate(event("again"), NOW) for _ in range(30)]

    assert sum(item is not None for item in passed) == 25
    assert correlator.correlate(event("again", name="other"), NOW) is not None
    assert correlator.correlate(event("again"), NOW + timedelta(minutes=5)) is not None
