"""CoreDNS's counters, under its names, in Prometheus' text format.

Written here rather than with a library: a query costs two additions to a cell that its cached answer already holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

VERSION = "1.12.0"      # of the CoreDNS whose behaviour and metrics are followed


class CellLabels(NamedTuple):
    server: str
    zone: str
    protocol: str
    qtype: str
    rcode: str
    plugin: str


class Cell:
    """Queries of one sort that were answered in one way."""

    __slots__ = ("count", "response_bytes")

    def __init__(self) -> None:
        self.count = 0
        self.response_bytes = 0


Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, str, str, Labels, float]       # name, type, help, labels, value


class Metrics:
    """All numbers of the process; `extra` sources are asked when the page is read."""

    def __init__(self) -> None:
        self.cells: dict[CellLabels, Cell] = defaultdict(Cell)
        self.counters: dict[tuple[str, Labels], float] = defaultdict(float)
        self._help: dict[str, str] = {}
        self._sources: list[Callable[[], Iterable[Sample]]] = []

    def count(self, name: str, explanation: str, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        self._help[name] = explanation
        self.counters[name, tuple(sorted((labels or {}).items()))] += by

    def add_source(self, source: Callable[[], Iterable[Sample]]) -> None:
        self._sources.append(source)

    def page(self) -> str:
        samples = [*self._query_samples()]
        samples += [(name, "counter", self._help[name], labels, value) for (name, labels), value in sorted(self.counters.items())]
        samples.append(("coredns_build_info", "gauge", "Version of CoreDNS this server follows", (("version", VERSION),), 1))
        for source in self._sources:
            samples += source()
        return "".join(_text(samples))

    def _query_samples(self) -> Iterable[Sample]:
        requests: dict[Labels, int] = defaultdict(int)
        responses: dict[Labels, int] = defaultdict(int)
        sizes: dict[Labels, int] = defaultdict(int)
        for labels, cell in self.cells.items():
            where = (("server", labels.server), ("zone", labels.zone), ("view", ""))
            requests[(*where, ("proto", labels.protocol), ("family", "1"), ("type", labels.qtype))] += cell.count
            responses[(*where, ("rcode", labels.rcode), ("plugin", labels.plugin))] += cell.count
            sizes[(*where, ("proto", labels.protocol))] += cell.response_bytes
        for key, count in requests.items():
            yield "coredns_dns_requests_total", "counter", "Counter of DNS requests made per zone, protocol and family.", key, count
        for key, count in responses.items():
            yield "coredns_dns_responses_total", "counter", "Counter of response status codes.", key, count
        for key, count in sizes.items():
            yield "coredns_dns_response_size_bytes_sum", "counter", "Bytes of all responses.", key, count


def _text(samples: Iterable[Sample]) -> Iterable[str]:
    described = set()
    for name, kind, explanation, labels, value in samples:
        if name not in described:
            described.add(name)
            yield f"# HELP {name} {explanation}\n# TYPE {name} {kind}\n"
        listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        yield f"{name}{{{listed}}} {value:g}\n" if listed else f"{name} {value:g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
