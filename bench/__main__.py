"""All measurements one after another, and one table: `make bench`, or `python -m bench [NAME …]` for some of them.

Each is a program of its own (`python -m bench.accept`), so that none measures what another left in memory. A whole run also writes
`bench/out/latest.json`: by measurement `ours`, `base`, `ratio` and `unit`. Where a ratio was taken by rate and by CPU, the lower counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from bench.outcome import LATEST, told, write
from bench.processes import LOAD_CORE, ROOT
from tests.databases import server_binaries, throw_away_cluster

DURABLE = {"shared_buffers": "512MB", "max_connections": "60", "listen_addresses": "", "log_min_messages": "fatal"}
"""Settings of the server that is measured: unlike the one of the tests, it syncs."""


class Measurement(NamedTuple):
    """One program, and the bounds of what it finds."""

    key: str
    module: str
    must: float
    goal: float
    is_most: bool = False
    """The number is to be at most this, instead of at least."""
    needs_postgresql: bool = False


MEASUREMENTS = (
    Measurement("accept_sqlite", "accept", 0.35, 0.50),
    Measurement("accept_postgresql", "accept", 0.35, 0.55, needs_postgresql=True),
    Measurement("full_loop", "full_loop", 0.50, 0.70),
    Measurement("full_loop_postgresql", "full_loop", 0.50, 0.70, needs_postgresql=True),
    Measurement("door_twilio", "doors", 0.60, 0.80),
    Measurement("webhook_dispatch", "webhook_dispatch", 0.45, 0.60),
    Measurement("beside_a_black_hole", "webhook_dispatch", 0.90, 0.95),
    Measurement("phone_kib", "phones_idle", 48, 32, is_most=True),
    Measurement("handshakes", "phones_reconnect", 0.40, 0.60),
    Measurement("claim_growth", "storage_size", 1.30, 1.20, is_most=True),
    Measurement("accept_growth", "storage_size", 0.80, 0.90),
)


def measured(module: str, arguments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Run a program, pass on what it prints, and return what it found: nothing when it fails, so that the others still run."""
    print(f"\n== python -m bench.{module} {' '.join(arguments)}", flush=True)
    started = time.monotonic()
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", f"bench.{module}", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    print(f"== {module}: {time.monotonic() - started:.0f} s{', failed' if child.returncode else ''}", flush=True)
    return {} if child.returncode else told("".join(lines))


def row(one: Measurement, found: dict[str, Any]) -> str:
    """One row of the table."""
    value = _value(one, found)
    verdict = "goal" if _holds(one, value, one.goal) else "must" if _holds(one, value, one.must) else "MISSED"
    sign = "<=" if one.is_most else ">="
    ratios = "  ".join(f"{name.removeprefix('by_')} {ratio:.2f}" for name, ratio in found.items() if name[:3] == "by_")
    return f"{one.key:22} {value:>7.2f}   {sign} {one.must:<6g} {sign} {one.goal:<6g} {verdict:7} {ratios}"


def summary(chosen: Sequence[Measurement], outcomes: Mapping[str, dict[str, Any]]) -> str:
    """One sentence: which musts are missed, and what was not measured."""
    missed = [
        one.key for one in chosen if one.key in outcomes and not _holds(one, _value(one, outcomes[one.key]), one.must)
    ]
    absent = [one.key for one in chosen if one.key not in outcomes]
    held = len(chosen) - len(missed) - len(absent)
    sentence = f"{held} of {len(chosen)} musts are held"
    sentence += f"; missed: {', '.join(missed)}" if missed else ""
    return sentence + (f"; not measured: {', '.join(absent)}" if absent else "")


def _value(one: Measurement, found: Mapping[str, Any]) -> float:
    return float(found["ours"] if one.key == "phone_kib" else found["ratio"])


def _holds(one: Measurement, value: float, bound: float) -> bool:
    return value <= bound if one.is_most else value >= bound


@contextmanager
def postgresql(url: str) -> Iterator[str | None]:
    """The URL of a server to make databases on: the one given, else one of our own beside the load; None without either."""
    binaries = server_binaries()
    if url or binaries is None:
        yield url or None
        return
    os.sched_setaffinity(0, {int(LOAD_CORE)})  # the server inherits it, and leaves the other core to the hub
    with throw_away_cluster(binaries, DURABLE) as own:
        yield own


def new_database(server: str, name: str) -> str:
    """An empty database on the server; its URL."""
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="modules of bench, such as accept (default: all)")
    parser.add_argument(
        "--postgresql", default="", help="a server where databases may be made (default: one of its own)"
    )
    parser.add_argument("--many", default="10000000", help="stored texts for claim_growth and accept_growth")
    options = parser.parse_args()
    known = {one.module for one in MEASUREMENTS}
    if unknown := set(options.names) - known:
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there is {', '.join(sorted(known))}")
    chosen = [one for one in MEASUREMENTS if not options.names or one.module in options.names]
    outcomes: dict[str, dict[str, Any]] = {}
    tried: set[tuple[str, bool]] = set()
    with postgresql(options.postgresql) as server:
        for one in chosen:
            program = (one.module, one.needs_postgresql)
            if program not in tried and (server or not one.needs_postgresql):
                tried.add(program)
                outcomes |= measured(one.module, _arguments(one, server, options.many))
                if not options.names:
                    write(outcomes)  # a run that is stopped keeps what it found
    print(f"\n{'measurement':22} {'result':>7}   {'must':9} {'goal':9}")
    for one in chosen:
        print(row(one, outcomes[one.key]) if one.key in outcomes else f"{one.key:22} not measured")
    print(f"\n{summary(chosen, outcomes)}")
    if not options.names:
        print(f"written to {LATEST.relative_to(ROOT)}")
    if any(one.key not in outcomes and (server or not one.needs_postgresql) for one in chosen):
        raise SystemExit("a measurement failed")


def _arguments(one: Measurement, server: str | None, many: str) -> list[str]:
    if one.module == "storage_size":
        return ["--many", many]
    return ["--database", new_database(server, f"bench_{one.module}")] if server and one.needs_postgresql else []


if __name__ == "__main__":
    main()
