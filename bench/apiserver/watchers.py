"""Many watchers of one collection, in a process of their own: when each has seen which resourceVersion.

    python -m bench.apiserver.watchers PORT CA TOKEN PATH ACCEPT WATCHERS      (connects, prints "ready")
    standard input: how many events each is to see                             (prints a line of JSON: revision -> times)

Blocking sockets and one selector: on two cores the client should be the smaller part of what is measured.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import ssl
import sys
import time

_REVISION = re.compile(rb'"resourceVersion":"(\d+)"|\x2a\x24[0-9a-f-]{36}\x32(.)(\d+)', re.DOTALL)     # JSON; protobuf's uid, then it


class Watcher:
    def __init__(self, connection: ssl.SSLSocket) -> None:
        self.connection = connection
        self.seen: list[tuple[int, float]] = []
        self._rest = b""

    def read(self) -> None:
        while True:
            try:
                data = self.connection.recv(1 << 18)
            except ssl.SSLWantReadError:
                return
            if not data:
                raise SystemExit("a watch ended")
            now = time.monotonic()
            text = self._rest + data
            last = 0
            for match in _REVISION.finditer(text):
                self.seen.append((int(match[1] or match[3][:match[2][0]]), now))      # the tag of the next field is a digit too
                last = match.end()
            self._rest = text[max(last, len(text) - 96):]


def watch(port: int, context: ssl.SSLContext, token: str, path: str, accept: str) -> Watcher:
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise SystemExit(head.decode())
    connection.setblocking(False)
    return Watcher(connection)


def main() -> None:
    port, ca_file, token, path, accept, count = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca_file)
    watchers = [watch(int(port), context, token, path, accept) for _ in range(int(count))]
    print("ready", flush=True)
    selector = selectors.DefaultSelector()
    for watcher in watchers:
        selector.register(watcher.connection, selectors.EVENT_READ, watcher)
    for line in sys.stdin:
        wanted = int(line)
        while any(len(watcher.seen) < wanted for watcher in watchers):
            ready = selector.select(timeout=60)
            if not ready:
                raise SystemExit(f"no event for a minute; seen: {sorted(len(watcher.seen) for watcher in watchers)[:5]} of {wanted}")
            for key, _ in ready:
                key.data.read()
        times: dict[int, list[float]] = {}
        for watcher in watchers:
            for revision, seen in watcher.seen:
                times.setdefault(revision, []).append(seen)
            watcher.seen.clear()
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
