"""The channel.k8s.io protocols."""

import pytest

from control_plane.apiserver.streaming import channels
from control_plane.apiserver.streaming.channels import Protocol, terminal_size


@pytest.mark.parametrize("name", channels.PROTOCOLS)
def test_frames_survive_the_trip(name: str) -> None:
    protocol = Protocol(name)

    assert protocol.unframe(protocol.frame(channels.STDOUT, b"hello\xff")) == (channels.STDOUT, b"hello\xff")


def test_text_protocols_are_readable() -> None:
    assert Protocol("v4.base64.channel.k8s.io").frame(channels.STDERR, b"hi") == b"2aGk="


@pytest.mark.parametrize("message", [b"", b"x", b"2not base64!"])
def test_unreadable_messages_are_left_out(message: bytes) -> None:
    assert Protocol("base64.channel.k8s.io").unframe(message) is None


@pytest.mark.parametrize(("name", "status", "expected"), [
    pytest.param("v5.channel.k8s.io", {"status": "Success"}, b'{"status":"Success"}', id="v5 sends a Status"),
    pytest.param("channel.k8s.io", {"status": "Success"}, None, id="v1 is silent about success"),
    pytest.param("channel.k8s.io", {"status": "Failure", "message": "no"}, b"no", id="v1 sends the message"),
])
def test_the_last_message(name: str, status: dict[str, str], expected: bytes | None) -> None:
    assert Protocol(name).final_message(status) == expected


def test_terminal_sizes() -> None:
    assert terminal_size(b'{"Width":80,"Height":24}') == (80, 24)
    assert terminal_size(b"80x24") is None


def test_sizes_that_no_terminal_has_are_dropped() -> None:
    assert terminal_size(b'{"Width":80,"Height":24}') == (80, 24)
    wrong = (b'{"Width":-1,"Height":1}', b'{"Width":70000,"Height":1}', b"{", b'{"Width":"\xff"}')
    assert [terminal_size(data) for data in wrong] == [None] * 4
