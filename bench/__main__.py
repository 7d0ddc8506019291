"""All measurements one after another, and one table: `make bench`, or `python -m bench [NAME …]` for some of them.

Each is a program of its own (`python -m bench.accept`), so that none measures what another left in memory.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from bench.processes import ROOT


class Measurement(NamedTuple):
    """One program and the number of its output that counts."""

    name: str
    module: str
    arguments: tuple[str, ...]
    pattern: str
    """Finds the number in the program's output; its last match counts."""
    must: float
    goal: float
    is_most: bool = False
    """The number is to be at most this, instead of at least."""


MEASUREMENTS = (
    Measurement("accept", "accept", (), r"^accept on SQLite: ([\d.]+)", 0.35, 0.50),
    Measurement("accept, by cpu", "accept", (), r"^accept by cpu: ([\d.]+)", 0.35, 0.50),
    Measurement("full loop", "full_loop", (), r"^full loop.*: ([\d.]+) of", 0.50, 0.70),
    Measurement("full loop, by cpu", "full_loop", (), r"^full loop by cpu: ([\d.]+)", 0.50, 0.70),
    Measurement("twilio's door, of ours", "doors", (), r"^accept by twilio: ([\d.]+)", 0.60, 0.80),
    Measurement("webhook dispatch", "webhook_dispatch", (), r"^webhook dispatch.*: ([\d.]+) of", 0.45, 0.60),
    Measurement("beside a dead endpoint", "webhook_dispatch", (), r"^beside an endpoint.*: ([\d.]+) of", 0.90, 0.95),
    Measurement("KiB per idle phone", "phones_idle", (), r"idle phones: ([\d.]+) KiB", 48, 32, is_most=True),
    Measurement("handshakes", "phones_reconnect", (), r"^reconnect: .* bare: ([\d.]+)", 0.40, 0.60),
)


def measured(module: str, arguments: Sequence[str]) -> str:
    """Run a program, pass on what it prints, and return it. Raises `SystemExit` when it fails."""
    print(f"\n== python -m bench.{module} {' '.join(arguments)}", flush=True)
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", f"bench.{module}", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if child.returncode:
        raise SystemExit(f"bench.{module} failed")
    return "".join(lines)


def row(one: Measurement, output: str) -> str:
    """One row of the table."""
    found = re.findall(one.pattern, output, re.MULTILINE)
    if not found:
        raise SystemExit(f"bench.{one.module} printed no result like {one.pattern!r}")
    value = float(found[-1])
    verdict = "goal" if _holds(one, value, one.goal) else "must" if _holds(one, value, one.must) else "MISSED"
    sign = "<=" if one.is_most else ">="
    return f"{one.name:24} {value:>8.2f}   {sign} {one.must:<6g} {sign} {one.goal:<6g} {verdict}"


def _holds(one: Measurement, value: float, bound: float) -> bool:
    return value <= bound if one.is_most else value >= bound


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="modules of bench, such as accept (default: all)")
    wanted = parser.parse_args().names
    known = {one.module for one in MEASUREMENTS}
    if unknown := set(wanted) - known:
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there is {', '.join(sorted(known))}")
    chosen = [one for one in MEASUREMENTS if not wanted or one.module in wanted]
    outputs: dict[str, str] = {}
    for one in chosen:
        if one.module not in outputs:
            outputs[one.module] = measured(one.module, one.arguments)
    print(f"\n{'measurement':24} {'result':>8}   {'must':9} {'goal':9}")
    for one in chosen:
        print(row(one, outputs[one.module]))


if __name__ == "__main__":
    main()
