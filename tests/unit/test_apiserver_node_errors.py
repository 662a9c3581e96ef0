"""What gRPC says of a node that cannot be reached, in the words that people know from Go."""

from __future__ import annotations

import pytest

from control_plane.apiserver.streaming.nodes import _in_words_of_go

ALL = "failed to connect to all addresses; last error: "


@pytest.mark.parametrize(("details", "words"), [
    (f"{ALL}UNKNOWN: ipv4:10.0.0.2:10251: Failed to connect to remote host: connect: Connection refused (111)",
     "dial tcp 10.0.0.2:10251: connect: connection refused"),
    (f"{ALL}UNAVAILABLE: ipv4:10.0.0.2:10251: Failed to connect to remote host: Connection refused",
     "dial tcp 10.0.0.2:10251: connect: connection refused"),
    (f"{ALL}UNKNOWN: ipv6:[fd00::2]:10251: Failed to connect to remote host: connect: No route to host (113)",
     "dial tcp [fd00::2]:10251: connect: no route to host"),
    (f"{ALL}UNKNOWN: ipv4:10.0.0.2:10251: Failed to connect to remote host: getsockopt(SO_ERROR): No route to host (113)",
     "dial tcp 10.0.0.2:10251: connect: no route to host"),
    (f"{ALL}UNKNOWN: ipv4:10.0.0.2:10251: Failed to connect to remote host: getsockopt(SO_ERROR): Connection timed out",
     "dial tcp 10.0.0.2:10251: connect: connection timed out"),
    (f"{ALL}UNKNOWN: ipv4:10.0.0.2:10251: tcp handshaker shutdown", "dial tcp 10.0.0.2:10251: i/o timeout"),
    (f"{ALL}UNKNOWN: ipv4:10.0.0.2:10251: Failed to connect to remote host: Timeout occurred: FD Shutdown",
     "dial tcp 10.0.0.2:10251: i/o timeout"),
    ("Stream removed (recvmsg:Connection timed out (110))", "read tcp: connection timed out"),
    ("Stream removed (Socket closed)", "unexpected EOF"),
    ("something else", "something else"),
])
def test_words(details: str, words: str) -> None:
    assert _in_words_of_go(details) == words
