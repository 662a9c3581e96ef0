"""What compiling and evaluating expressions costs.

    PYTHONPATH=. python bench/cel.py [--repeat 2000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kube.cel import Program
from kube.cel import compile as compile_expression
from kube.cel.schema import type_of

SCHEMA = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"}, "minReplicas": {"type": "integer"}, "maxReplicas": {"type": "integer"},
        "name": {"type": "string", "maxLength": 63},
        "ports": {"type": "array", "maxItems": 100, "items": {"type": "object", "properties": {
            "name": {"type": "string"}, "port": {"type": "integer"}}}},
    },
}
RULES = (
    "self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas",
    "self.ports.all(x, x.port > 3)",
    "self.ports.exists(x, x.name == 'p99')",
    "self.ports.map(x, x.port).sum() > 0",
    "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "self.ports.all(x, self.ports.exists_one(y, x.name == y.name))",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=2000)
    repeat = parser.parse_args().repeat
    value = {"replicas": 3, "minReplicas": 1, "maxReplicas": 5, "name": "web-server",
             "ports": [{"name": f"p{number}", "port": 8000 + number} for number in range(100)]}
    type_ = type_of(SCHEMA)
    assert type_ is not None
    table = Table("rule", "compile ms", "estimate ms", "evaluate us", "cost", "estimated")
    for rule in RULES:
        def fresh(source: str = rule) -> Program:
            return compile_expression(source, {"self": type_})
        program = fresh()
        _, cost = program.evaluate_with_cost({"self": value})
        turns = max(repeat // 20, 1) if "exists_one" in rule else repeat
        evaluated = best(partial(program.evaluate, {"self": value}), turns)
        table.add_row(escape(rule), f"{best(fresh, repeat // 10) * 1e3:.2f}", f"{best(program.estimated_cost, repeat // 10) * 1e3:.2f}",
                      f"{evaluated * 1e6:.1f}", str(cost), str(program.estimated_cost()[1]))
    Console(width=160).print(table)
    print(f"first compile of a process: {first_compile_ms():.0f} ms with imports, {memory_kb()} KB of memory")


def best(call: Callable[[], Any], turns: int) -> float:
    """Seconds for one call: the best of five rounds."""
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(max(turns, 1)):
            call()
        rounds.append((time.perf_counter() - started) / max(turns, 1))
    return min(rounds)


def in_a_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def first_compile_ms() -> float:
    return float(in_a_process("import time; t = time.perf_counter(); import kube.cel; kube.cel.compile('1 == 1', {});"
                              "print((time.perf_counter() - t) * 1e3)"))


def memory_kb() -> int:
    """Beyond what any server has loaded anyway."""
    usage = "[int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmRSS')][0]"
    before = "import dataclasses, datetime, decimal, ipaddress, base64, zoneinfo, urllib.parse, kube.apimachinery;"
    with_cel = int(in_a_process(f"{before} import kube.cel; kube.cel.compile('1 == 1', {{}}); print({usage})"))
    return with_cel - int(in_a_process(f"{before} print({usage})"))


if __name__ == "__main__":
    main()
