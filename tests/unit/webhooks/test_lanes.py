"""A lane never has two of one key on their way, never overtakes within a key, and gets everything done.

The database is a list here, read the three ways of `hub.storage.webhooks_due`; what those statements really return is tested on both
databases in tests/integration/webhooks/test_due.py.
"""

from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ports import RenderedRequest
from hub.core.retry import schedule_of
from hub.storage.webhooks_due import Due, ReadBy
from hub.webhooks.answer import Answer
from hub.webhooks.breaker import Breaker
from hub.webhooks.health import Health
from hub.webhooks.lanes import Lane
from hub.webhooks.opened import OpenEndpoint
from hub.webhooks.pace import Rate, Window
from hub.webhooks.signing import Keys

PENDING, HELD, OK = 0, 1, 2


class NoSender:
    async def send(self, request: RenderedRequest, deadline_seconds: float) -> Answer:
        raise AssertionError("nothing is sent here")

    def close(self) -> None:
        pass


def endpoint(read_by: ReadBy = "due", most: int = 4) -> OpenEndpoint:
    return OpenEndpoint(
        id="e", account_id="a", version=1, kind="http", url="http://x/", format="standard", state="active", is_deleted=False, settings={},
        keys=Keys(()), own_headers=(), secret_names=frozenset(), timeout_seconds=30, max_inflight=most, rate_per_second=None,
        read_by=read_by, schedule=schedule_of("default"), success_prefix=None, gateway_id=None,
    )  # fmt: skip


def lane(read_by: ReadBy = "due", most: int = 4) -> Lane:
    return Lane(endpoint(read_by, most), 1, Health(), Breaker(), Window(most), NoSender())


@dataclass
class Row:
    id: int
    key: str
    due_at: int
    queue: int = 0
    state: int = PENDING


@dataclass
class Table:
    """The rows of one endpoint."""

    rows: list[Row] = field(default_factory=list)

    def due(self, row: Row, ahead: Row | None) -> Due:
        return Due(
            row.id, "a", "e", 1, "standard", None, None, 0, row.queue, row.key, row.due_at, 0, 0, None, row.id, "v", "sms:sent", 0,
            "{}", None, None, None, None, ahead.id if ahead else None, ahead.due_at if ahead else None,
            ahead.state if ahead else None,
        )  # fmt: skip

    def ahead(self, row: Row) -> Row | None:
        if not row.key:
            return None
        return next(
            (other for other in self.rows if other.key == row.key and other.state < OK and other.id < row.id), None
        )

    def read(self, read_by: ReadBy, now: int, busy: set[int], most: int, queue: int) -> list[Due]:
        if read_by == "number":
            found = []
            for row in self.rows:
                if row.state < OK and row.queue == queue:
                    if row.state != PENDING or row.due_at > now or len(found) == most:
                        break
                    found.append(self.due(row, None))
            return found
        ready = [
            row
            for row in self.rows
            if row.state == PENDING and row.due_at <= now and row.queue == queue and row.id not in busy
        ]
        if read_by == "key":
            return [self.due(row, None) for row in ready if self.ahead(row) is None][:most]
        ready.sort(key=lambda row: (row.due_at, row.id))
        return [self.due(row, self.ahead(row)) for row in ready[:most]]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["due", "key", "number"]), st.data())
def test_order_holds_and_everything_is_done(read_by: ReadBy, data: st.DataObject) -> None:
    table, here, now = Table(), lane(read_by), 1000
    keys = ["*"] if read_by == "number" else ["m1", "m2", "m3"] if read_by == "key" else ["", "m1", "m2"]
    replay_keys = [f"~{key}" if key else "" for key in keys]
    unwritten: list[tuple[Row, int | None]] = []
    patience = data.draw(st.integers(1, 60), label="steps of trouble")
    for step in range(600):
        action = data.draw(st.integers(0, 5)) if step < patience else step % 6
        now += 50
        if action == 0 and step < patience:
            queue = data.draw(st.integers(0, 1))
            key = data.draw(st.sampled_from(replay_keys if queue else keys))
            table.rows.append(Row(len(table.rows) + 1, key, now - data.draw(st.integers(0, 3)), queue))
        elif action in (0, 1):
            for queue in (0, 1):
                rows = table.read(read_by, now, set(here.known()), 6, queue)
                for parked in here.fetched(rows, now):
                    table.rows[parked.id - 1].due_at = parked.due_at
        elif action == 2:
            while here.wait_ms(now) == 0 and (due := here.take(now)) is not None:
                check_start(table, here, due, unwritten)
        elif action in (3, 4) and here.in_flight:
            due = next(iter(here.in_flight.values()))
            fails = step < patience and data.draw(st.booleans())
            again_at = now + 120 if fails else None
            here.answered(due, again_at, 5)
            unwritten.append((table.rows[due.id - 1], again_at))
        elif action == 5:
            for row, again_at in unwritten:
                row.state, row.due_at = (OK, row.due_at) if again_at is None else (PENDING, again_at)
            here.recorded([row.id for row, _ in unwritten])
            unwritten.clear()
    assert all(row.state == OK for row in table.rows)
    assert here.is_idle
    assert not here.behind


def test_who_follows_an_unwritten_end_is_seen_only_after_the_commit() -> None:
    table, here = Table([Row(number, "m1", 0, 0) for number in (1, 2, 3)]), lane("due")
    here.fetched(table.read("due", 10, set(), 2, 0), 10)
    for again_at in (None, 900):
        due = here.take(20)
        assert due is not None
        here.answered(due, again_at, 5)
    assert here.fetched(table.read("due", 30, set(here.known()), 2, 0), 30) == []
    assert here.take(30) is None, "the third stood behind the first, which is over, but the second is to be tried again"
    assert here.looks_after_commit


def check_start(table: Table, here: Lane, due: Due, unwritten: list[tuple[Row, int | None]]) -> None:
    """What starts is alone in its key, and everything before it in the key is over."""
    if not due.order_key:
        return
    assert [other.order_key for other in here.in_flight.values()].count(due.order_key) == 1
    over = {row.id for row, again_at in unwritten if again_at is None}
    for row in table.rows:
        if row.key == due.order_key and row.id < due.id:
            assert row.state >= OK or row.id in over


def rows(*ids: int, queue: int = 0) -> list[Due]:
    table = Table([Row(number, "", 0, queue) for number in ids])
    return [table.due(row, None) for row in table.rows]


def started(here: Lane, now: int = 10) -> list[int]:
    taken = []
    while here.wait_ms(now) == 0 and (due := here.take(now)) is not None:
        taken.append(due.id)
    return taken


def test_live_goes_before_replays_and_one_place_stays_free_of_them() -> None:
    here = lane(most=4)
    here.fetched(rows(1, 2, 3, 4, 5, queue=1), 10)
    assert started(here) == [1, 2, 3]
    here.fetched(rows(6, 7), 10)
    assert started(here) == [6]


def test_a_window_of_one_still_replays() -> None:
    here = lane(most=1)
    here.fetched(rows(1, 2, queue=1), 10)
    assert started(here) == [1]


@pytest.mark.parametrize(
    ("field_name", "value"),
    [("paused_until", 11), ("is_stale", True), ("is_lost", True)],
)
def test_what_holds_a_lane_back(field_name: str, value: object) -> None:
    here = lane()
    here.fetched(rows(1), 10)
    setattr(here, field_name, value)
    assert started(here) == []


def test_open_breaker_holds_a_lane_back() -> None:
    here = lane()
    here.fetched(rows(1), 10)
    here.breaker.probe_failed(0, 0.5)
    assert started(here) == []


def test_a_watched_lane_sends_one_at_a_time() -> None:
    here = lane()
    here.careful_until = 100
    here.fetched(rows(1, 2, 3), 10)
    assert started(here) == [1]
    assert started(here, now=100) == [2, 3]


def test_rate_spreads_the_starts() -> None:
    here = lane(most=10)
    here.rate = Rate(2)
    here.fetched(rows(1, 2, 3, 4), 0)
    assert started(here, now=1000) == [1, 2]
    assert here.wait_ms(1000) == 500
    assert started(here, now=1500) == [3]


def test_what_is_known_is_not_taken_twice() -> None:
    here = lane()
    here.fetched(rows(1, 2), 10)
    here.fetched(rows(1, 2), 10)
    assert started(here) == [1, 2]
    here.fetched(rows(1, 2), 10)
    assert started(here) == []
    here.answered(next(iter(here.in_flight.values())), None, 5)
    here.fetched(rows(1, 2), 10)
    assert started(here) == []


def test_waiting_behind_a_held_one_is_looked_at_again_soon() -> None:
    here, table = lane(), Table([Row(1, "m", 0, state=HELD), Row(2, "m", 0)])
    (parked,) = here.fetched([table.due(table.rows[1], table.rows[0])], 10)
    assert parked.due_at == 1010


def test_slow_is_one_answer_in_ten_over_two_seconds() -> None:
    here = lane(most=50)
    here.fetched(rows(*range(1, 41)), 10)
    started(here)
    for number, due in enumerate(list(here.in_flight.values())):
        here.answered(due, None, 3000 if number % 5 == 0 else 10)
    assert here.is_slow
    assert not lane().is_slow


def test_memory_is_what_outlives_the_process() -> None:
    here = lane()
    here.paused_until = 77
    here.breaker.probe_failed(0, 0.5)
    memory = here.memory()
    assert (memory.paused_until, memory.endpoint_id) == (77, "e")
    assert '"openings":1' in cast(str, memory.breaker)
