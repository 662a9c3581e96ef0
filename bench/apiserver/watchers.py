"""Many watchers of one collection, in a process of their own: when each has seen which resourceVersion.

    python -m bench.apiserver.watchers PORT CA TOKEN PATH ACCEPT WATCHERS      (connects, prints "ready")
    standard input: how many events each is to see    (prints JSON in a line: revision -> times; 0 -> when all was there, watches resumed)

On two cores the client should be the smaller part of what is measured: one selector, and every tenth watcher alone looks at revisions,
the others only count events.
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


_EVENT = {"application/json": b'{"type":"MODIFIED"'}
_PROTOBUF_EVENT = b"k8s\0"
_TAIL = 16 * 1024


class Watcher:
    """One watch; resumed from where it was when the server ends it (upstream ends those of slow clients)."""

    def __init__(self, connection: ssl.SSLSocket, request: str, mark: bytes, *, exact: bool) -> None:
        self.connection = connection
        self.events = 0
        self.seen: list[tuple[int, float]] = []
        self.last = 0.0
        self.resumed = 0
        self._request = request
        self._mark = mark
        self._exact = exact
        self._rest = b""
        self._tail = b""        # of all events so far, with at least one of them in it
        self._raw = b""         # the begin of a chunk's size
        self._left = 0          # of the chunk under way, its line end included
        self._in_head = True
        self._ask(re.findall(r"resourceVersion=(\d+)", request)[0])

    @property
    def connecting(self) -> bool:
        return self._in_head

    def _ask(self, revision: str) -> None:
        self._in_head = True
        self.connection.sendall(re.sub(r"resourceVersion=\d+", f"resourceVersion={revision}", self._request).encode())

    def read(self) -> None:
        parts = [self._raw]
        while True:
            try:
                data = self.connection.recv(1 << 18)
            except ssl.SSLWantReadError:
                break
            if not data:
                raise SystemExit("a connection ended")
            parts.append(data)
        self.last = now = time.monotonic()
        text = self._rest + self._unchunked(b"".join(parts))
        self._tail = text[-_TAIL:] if len(text) >= _TAIL else (self._tail + text)[-_TAIL:]
        if not self._exact:
            self.events += text.count(self._mark)
            self._rest = text[max(0, len(text) - len(self._mark) + 1):] if not text.endswith(self._mark) else b""
        else:
            last = 0
            for match in _REVISION.finditer(text):
                self.seen.append((_revision(match), now))
                last = match.end()
            self.events = len(self.seen)
            self._rest = text[max(last, len(text) - 96):]
        if self._left < 0:
            self._left = 0
            self.resumed += 1
            found = list(_REVISION.finditer(self._tail))
            self._ask(str(_revision(found[-1])) if found else re.findall(r"resourceVersion=(\d+)", self._request)[0])

    def _unchunked(self, data: bytes) -> bytes:
        """The chunks' content; `_left` is -1 when the last has come."""
        out, at, end = [], 0, len(data)
        if self._in_head:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._raw = data
                return b""
            if b" 200 " not in data.split(b"\r\n", 1)[0]:
                raise SystemExit(data.decode())
            self._in_head = False
        while True:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                out.append(data[at:max(at, at + step - max(0, 2 - self._left))])
                at += step
            line = data.find(b"\r\n", at)
            if self._left or line < 0:
                self._raw = data[at:]
                return b"".join(out)
            self._left = int(data[at:line], 16) + 2
            at = line + 2
            if self._left == 2:      # the last one; what follows it is one line end, and nothing more before another request
                self._left, self._raw = -1, b""
                return b"".join(out)


def _revision(match: re.Match[bytes]) -> int:
    return int(match[1] or match[3][:match[2][0]])      # in protobuf the tag of the next field is a digit too


def watch(port: int, context: ssl.SSLContext, token: str, path: str, accept: str, *, exact: bool) -> Watcher:
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1")
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n\r\n"
    watcher = Watcher(connection, request, _EVENT.get(accept, _PROTOBUF_EVENT), exact=exact)
    connection.setblocking(False)
    return watcher


def main() -> None:
    port, ca_file, token, path, accept, count = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca_file)
    watchers = [watch(int(port), context, token, path, accept, exact=number % 10 == 0) for number in range(int(count))]
    selector = selectors.DefaultSelector()
    for watcher in watchers:
        selector.register(watcher.connection, selectors.EVENT_READ, watcher)
    while any(watcher.connecting for watcher in watchers):
        for key, _ in selector.select(timeout=60):
            key.data.read()
    print("ready", flush=True)
    for line in sys.stdin:
        wanted = int(line)
        while any(watcher.events < wanted for watcher in watchers):
            ready = selector.select(timeout=60)
            if not ready:
                raise SystemExit(f"no event for a minute; seen: {sorted(watcher.events for watcher in watchers)[:5]} of {wanted}")
            for key, _ in ready:
                key.data.read()
        times: dict[int, list[float]] = {0: [max(watcher.last for watcher in watchers), sum(watcher.resumed for watcher in watchers)]}
        for watcher in watchers:
            for revision, seen in watcher.seen:
                times.setdefault(revision, []).append(seen)
            watcher.seen.clear()
            watcher.events = watcher.resumed = 0
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
