"""What accepting one text costs without HTTP: checking it before the queue, the use case, and the commit, by batch size.

    python -m bench.accept_path [--postgresql URL] [--recipients 1] [--peers 1] [--lines 1] [--profile]

Microseconds of this process's CPU per message; on PostgreSQL the server's own work is not in it. `--peers` is from how many
contacts the recipients are drawn: 1 keeps one thread busy, many make a new thread with each text.
"""

import argparse
import cProfile
import itertools
import secrets
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from hub.clock import SystemClock
from hub.core.commands import SendRequest
from hub.core.ids import IdSource
from hub.messages.accept import accept
from hub.messages.prepare import PreparedSend, SendLimits, prepare
from hub.storage.database import Database
from hub.storage.schema.accounts import Account
from hub.storage.schema.devices import Device, Line
from hub.storage.types import table_of

TEXT = "Hello, your verification code is 123456. Do not share it."
ACCOUNT = "a" * 24
SIZES = (1, 8, 16, 40, 128, 256)
MESSAGES = 4096
"""Messages per size and round."""


def main() -> None:
    """Print one line per batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgresql", default="", help="postgresql://… of an empty database (default: SQLite)")
    parser.add_argument("--recipients", type=int, default=1)
    parser.add_argument("--peers", type=int, default=1)
    parser.add_argument("--lines", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        clock = SystemClock()
        url = options.postgresql or f"sqlite:///{Path(directory) / 'hub.db'}"
        database = Database.open(url, clock=clock, ids=IdSource(0, secrets.token_bytes))
        database.migrate()
        make_account(database, options.lines)
        bench = Bench(database, clock, options.recipients, options.peers)
        if options.profile:
            bench.profile()
        else:
            print(f"{'batch':>6} {'prepare':>8} {'use case':>9} {'commit':>7} {'sum':>7}  µs CPU per message")
            for size in SIZES:
                bench.measure(size)
        database.close()


def make_account(database: Database, lines: int) -> None:
    """An account with one online phone and some lines."""
    with database.write_engine.begin() as conn:
        conn.execute(insert(table_of(Account)), {"id": ACCOUNT, "name": "bench", "created_at": 0})
        phone = {
            "id": "d" * 24,
            "account_id": ACCOUNT,
            "name": "phone",
            "created_at": 0,
            "enrolled_at": 0,
            "is_online": True,
        }
        conn.execute(insert(table_of(Device)), phone)
        for slot in range(lines):
            line = {"id": f"{slot:024d}", "account_id": ACCOUNT, "name": f"line {slot}", "device_id": "d" * 24}
            more = {"slot": slot, "subscription_id": slot, "number": "+4915112345678", "created_at": 0}
            conn.execute(insert(table_of(Line)), {**line, **more})


class Bench:
    """Measures batches of one size after the other on one connection."""

    def __init__(self, database: Database, clock: SystemClock, recipients: int, peers: int) -> None:
        self._database, self._clock, self._recipients = database, clock, recipients
        self._ids = IdSource(0, secrets.token_bytes)
        self._conn = database.write_engine.connect()
        self._peers = itertools.cycle([f"+4917{number:08d}" for number in range(max(peers, recipients))])

    def prepared(self) -> PreparedSend:
        """One request, checked."""
        request = SendRequest(account_id=ACCOUNT, door="v1", recipients=(), text=TEXT, trace_id="0" * 24)
        to = [next(self._peers) for _ in range(self._recipients)]
        return prepare(request, to, SendLimits(), now=self._clock.now(), new_id=self._new_id)

    def measure(self, size: int) -> None:
        """Print the cheapest of seven rounds: what it costs while nothing else runs on the machine."""
        prepare_us, use_case_us, commit_us = min(self._round(size) for _ in range(7))[1:]
        total = prepare_us + use_case_us + commit_us
        print(f"{size:>6} {prepare_us:>8.1f} {use_case_us:>9.1f} {commit_us:>7.1f} {total:>7.1f}", flush=True)

    def profile(self) -> None:
        """Where the time of batches of 40 goes."""
        with cProfile.Profile() as profiler:
            self._round(40)
        profiler.print_stats("tottime")

    def _round(self, size: int) -> tuple[float, float, float, float]:
        spent = [0.0, 0.0, 0.0]
        batches = (
            max(1, MESSAGES // (size * self._recipients * 4)) if size == 1 else MESSAGES // (size * self._recipients)
        )
        batches = max(batches, 4)
        for _ in range(batches):
            began = time.process_time()
            commands = [self.prepared() for _ in range(size)]
            checked = time.process_time()
            transaction = self._conn.begin()
            accept(self._database.transaction(self._conn), commands)
            applied = time.process_time()
            transaction.commit()
            spent[0] += checked - began
            spent[1] += applied - checked
            spent[2] += time.process_time() - applied
        each = [seconds / (batches * size * self._recipients) * 1e6 for seconds in spent]
        return sum(each), each[0], each[1], each[2]

    def _new_id(self) -> str:
        return self._ids.next(self._clock.now())


if __name__ == "__main__":
    main()
