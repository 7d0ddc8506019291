"""The reading statements against a plain model of what they should find, on both databases."""

import random

import pytest
from sqlalchemy import insert

from hub.storage.database import Database
from hub.storage.schema.accounts import Account
from hub.storage.schema.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent
from hub.storage.types import table_of
from hub.storage.webhooks_due import FAR, Want, due_lanes, read_due, read_heads, read_probes, read_row

NOW = 1000
ENDPOINTS = ["e1", "e2", "e3"]


class Filled:
    """Random deliveries in the database, and the same in a list."""

    def __init__(self, db: Database, seed: int, keys: list[str], count: int = 120) -> None:
        chance = random.Random(seed)
        self.rows = []
        for number in range(1, count + 1):
            queue = chance.choice([0, 0, 1])
            key = chance.choice(keys)
            self.rows.append(
                {
                    "id": number, "account_id": "a", "endpoint_id": chance.choice(ENDPOINTS), "endpoint_version": 1,
                    "format": "standard", "target_key": "", "event_seq": number, "run": 0, "queue": queue,
                    "order_key": f"~{key}" if queue and key else key, "state": chance.choice([0, 0, 0, 1, 2, 3]),
                    "due_at": chance.choice([1, 5, 5, 900, 1000, 1001, 5000]), "attempts": 0, "created_at": 0,
                }
            )  # fmt: skip
        with db.write_engine.begin() as conn:
            conn.execute(insert(table_of(Account)), {"id": "a", "name": "a", "created_at": 0, "settings": "{}"})
            conn.execute(
                insert(table_of(WebhookEndpoint)),
                [
                    {
                        "id": name,
                        "account_id": "a",
                        "url": "http://x/",
                        "secrets": b"",
                        "created_at": 0,
                        "updated_at": 0,
                    }
                    for name in ENDPOINTS
                ],
            )
            conn.execute(
                insert(table_of(WebhookEvent)),
                [
                    {
                        "seq": n,
                        "id": f"v{n}",
                        "account_id": "a",
                        "type": "sms:sent",
                        "occurred_at": 0,
                        "created_at": 0,
                        "data": "{}",
                    }
                    for n in range(1, count + 1)
                ],
            )
            conn.execute(insert(table_of(WebhookDelivery)), self.rows)

    def of(self, endpoint_id: str, queue: int) -> list[dict[str, object]]:
        return [row for row in self.rows if row["endpoint_id"] == endpoint_id and row["queue"] == queue]

    def ahead(self, row: dict[str, object]) -> dict[str, object] | None:
        """The first unfinished delivery of the same key."""
        if not row["order_key"]:
            return None
        same = ("endpoint_id", "order_key")
        for other in self.rows:
            if all(other[name] == row[name] for name in same) and other["state"] in (0, 1) and other["id"] < row["id"]:  # type: ignore[operator]
                return other
        return None


@pytest.fixture(params=[1, 2, 3])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_due_rows_are_the_first_of_each_lane_with_what_is_ahead(db: Database, seed: int) -> None:
    filled = Filled(db, seed, ["", "k1", "k2", "k3"])
    busy = [row["id"] for row in filled.rows[::7]]
    wants = [Want(name, queue, most) for name, most in zip(ENDPOINTS, (4, 9, 4), strict=True) for queue in (0, 1)]
    found = db.read_now(read_due, wants, busy, NOW)
    for want in wants:
        due = [
            row
            for row in filled.of(want.endpoint_id, want.queue)
            if row["state"] == 0 and row["due_at"] <= NOW and row["id"] not in busy
        ]  # type: ignore[operator]
        due.sort(key=lambda row: (row["due_at"], row["id"]))
        expected = []
        for row in due[: want.most]:
            ahead = filled.ahead(row)
            expected.append((row["id"], ahead and ahead["id"], ahead and ahead["due_at"], ahead and ahead["state"]))
        got = [
            (due.id, due.ahead_id, due.ahead_due_at, due.ahead_state)
            for due in found
            if (due.endpoint_id, due.queue) == (want.endpoint_id, want.queue)
        ]
        assert got == expected


def test_lanes_are_all_that_have_something_pending(db: Database, seed: int) -> None:
    filled = Filled(db, seed, ["", "k1"])
    expected = {}
    for row in filled.rows:
        if row["state"] == 0:
            key = (row["endpoint_id"], row["queue"])
            expected[key] = min(expected.get(key, FAR), row["due_at"])  # type: ignore[type-var]
    assert {(lane.endpoint_id, lane.queue): lane.due_at for lane in db.read_now(due_lanes)} == expected


def test_heads_are_the_first_of_each_key_and_keys_take_turns(db: Database, seed: int) -> None:
    filled = Filled(db, seed, [f"k{n:02d}" for n in range(12)])
    busy = {row["id"] for row in filled.rows[::9]}
    for queue in (0, 1):
        heads = sorted(
            (
                row
                for row in filled.of("e1", queue)
                if row["state"] == 0 and row["due_at"] <= NOW and row["id"] not in busy and filled.ahead(row) is None  # type: ignore[operator]
            ),
            key=lambda row: str(row["order_key"]),
        )
        seen, after = [], ""
        for _ in range(len(heads)):
            found, after = db.read_now(read_heads, Want("e1", queue, 1, after), sorted(busy), NOW)
            seen += [due.id for due in found]
        assert seen == [row["id"] for row in heads]
        all_at_once, _ = db.read_now(read_heads, Want("e1", queue, 99), sorted(busy), NOW)
        assert [due.id for due in all_at_once] == seen


def test_one_row_for_all_stops_at_the_first_that_may_not_go(db: Database, seed: int) -> None:
    filled = Filled(db, seed, ["*"])
    for queue in (0, 1):
        expected = []
        for row in filled.of("e2", queue):
            if row["state"] in (0, 1):
                if row["state"] == 1 or row["due_at"] > NOW:  # type: ignore[operator]
                    break
                expected.append(row["id"])
        assert [due.id for due in db.read_now(read_row, Want("e2", queue, 5), NOW)] == expected[:5]


def test_probes_are_old_and_new_ones_that_overtake_nobody(db: Database, seed: int) -> None:
    filled = Filled(db, seed, ["", "k1", "k2"])
    pending = sorted(
        (row for row in filled.of("e3", 0) if row["state"] == 0), key=lambda row: (row["due_at"], row["id"])
    )
    candidates = [*pending[:3], *pending[3:][-1:]]
    expected = [row["id"] for row in candidates if filled.ahead(row) is None]
    assert [due.id for due in db.read_now(read_probes, Want("e3", 0, 3), "due")] == expected


def test_what_is_read_brings_its_event(db: Database) -> None:
    Filled(db, 1, ["k1"], count=5)
    for due in db.read_now(read_due, [Want(name, 0, 9) for name in ENDPOINTS], [], FAR):
        assert (due.event_id, due.event_seq, due.data, due.endpoint_version) == (f"v{due.id}", due.id, "{}", 1)
