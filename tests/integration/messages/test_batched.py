"""A batch of commands leaves what the same commands leave one by one, on both databases.

Hypothesis makes up histories: texts are accepted, offered, answered, reported, cancelled, timed out, received. One world
applies each step's commands in one transaction, a twin applies them one transaction each, at the same clock. Afterwards every
row is the same but for ids that each world made for itself.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from device_protocol.frames import Accepted, TooLate
from device_protocol.frames import Refused as RefusedFrame
from device_protocol.payloads import (
    SmsCancelled,
    SmsDelivered,
    SmsExpired,
    SmsFailed,
    SmsReceived,
    SmsSent,
    SmsUncertain,
)
from device_protocol.wire_types import write_utc
from hub.core.address import Address, AddressKind
from hub.core.commands import AnyLine, ByLine, Recipient, SendRequest
from hub.core.ids import IdSource
from hub.core.ports import AtHand
from hub.messages.accept import accept
from hub.messages.answers import PhoneAnswer, take_answers
from hub.messages.batches import ChangeBatch, change_batch
from hub.messages.cancel import Cancel, cancel
from hub.messages.dispatch import OfferTo, Retract, offer, retract
from hub.messages.expire import TimeUp, time_up
from hub.messages.prepare import Given, PreparedSend
from hub.messages.receive import Incoming, receive
from hub.messages.report import PhoneReport, apply_reports
from hub.messages.routes import Reroute, reroute
from hub.storage.database import Database
from hub.storage.schema import METADATA
from hub.storage.schema.messages import Message
from hub.storage.transaction import Done, Tx
from tests.fakes import START_MS, FakeClock, seeded_bytes
from tests.integration.messages.world import ACCOUNT, World

MESSAGES = 4
PEERS = ("+491701111111", "+491702222222")
TABLES = ("message", "timeline", "conversation", "line", "line_usage", "wh_event", "idempotency", "batch")
OWN_IDS = {"timeline": ("id",), "wh_event": ("seq", "id", "txid")}
"""What each world makes up for itself, and no step speaks of."""

n_message = st.integers(0, MESSAGES - 1)
n_phone = st.integers(0, 1)
submission = st.integers(1, 3)
segment = st.integers(0, 1)
code = st.sampled_from([1, 2, 5, 6, 16, 17, 120])


def one(kind: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(kind), *parts)


COMMANDS = {
    "accept": one("accept", n_message, st.sampled_from(["any", "pinned"]), st.sampled_from([None, None, "k"])),
    "offer": one("offer", n_phone),
    "answer": one(
        "answer", st.sampled_from(["accepted", "full", "no_such_sim", "too_late"]), n_phone, n_message, submission
    ),
    "report": st.one_of(
        one("sent", n_phone, n_message, submission, segment),
        one("delivered", n_phone, n_message, submission, segment, st.sampled_from([0, 0x30, 0x46])),
        one("failed", n_phone, n_message, submission, segment, code),
        one("uncertain", n_phone, n_message, submission),
        one("cancelled", n_phone, n_message, submission),
        one("expired", n_phone, n_message, submission),
    ),
    "cancel": one("cancel", n_message),
    "retract": one("retract", n_message, st.booleans()),
    "reroute": one("reroute", n_message),
    "time": one("time", n_message, st.sampled_from(["release", "time_over", "overdue", "outcome_unknown"])),
    "batch": one("batch", st.sampled_from(["pause", "resume", "cancel"])),
    "receive": one("receive", n_phone, st.sampled_from(PEERS)),
}


def step(name: str) -> st.SearchStrategy[tuple[str, list[tuple[Any, ...]], int]]:
    """Some commands of one use case, and how long nothing happens after them."""
    return st.tuples(
        st.just(name), st.lists(COMMANDS[name], min_size=1, max_size=5), st.sampled_from([0, 1, 20, 70, 4000])
    )


FIRST = ("accept", [("accept", 0, "any", None, 2), ("accept", 1, "any", None)], 0)
HISTORIES = st.lists(st.sampled_from(sorted(COMMANDS)).flatmap(step), min_size=4, max_size=14)


class Twin:
    """A world whose texts and phones have the same ids as another's."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        with database.write_engine.begin() as conn:
            for table in reversed(METADATA.sorted_tables):
                conn.execute(delete(table))
        self.world = World(database, clock, IdSource(clock.now(), seeded_bytes(7).randbytes))
        self.phones = [self.world.phone("one", sims=2), self.world.phone("two")]
        self.pinned = self.world.lines(self.phones[1])[0]
        self.world.at_hand[self.phones[1]] = AtHand(1, 3)
        self.ids: list[str] = []
        self.batch_id = self.world.new_id()

    def apply(self, name: str, commands: Sequence[tuple[Any, ...]], *, together: bool) -> list[Any]:
        """What the commands answered, errors by their code."""
        use_case, made = USE_CASES[name], [self._command(command) for command in commands]
        batches = [made] if together else [[command] for command in made]
        answers: list[Any] = []
        for batch in batches:
            with self.world.conn.begin():
                answers += use_case(self.world.transaction(), batch)
        return [_comparable(answer) for answer in answers]

    def _command(self, command: tuple[Any, ...]) -> Any:
        kind, *parts = command
        made: Any = getattr(self, f"_{kind}")(*parts) if hasattr(self, f"_{kind}") else self._report(kind, *parts)
        return made

    def _id(self, number: int) -> str:
        """A text of this history, counted from the newest; before the first one, none."""
        return self.ids[-1 - number % len(self.ids)] if self.ids else "0" * 24

    def _accept(self, number: int, sender: str, key: str | None, count: int = 1) -> Any:
        """One text, or a batch of some."""
        ids = [self.world.new_id() for _ in range(count)]
        self.ids += ids
        addresses = [Address(AddressKind.MSISDN, PEERS[(number + place) % 2]) for place in range(count)]
        request = SendRequest(
            account_id=ACCOUNT,
            door="v1",
            recipients=tuple(map(Recipient, ids, addresses)),
            batch_id=self.batch_id if count > 1 else None,
            text="x",
            sender=ByLine(self.pinned) if sender == "pinned" else AnyLine(),
            priority=number % 3,
            idempotency_key=key,
            request_sha256=f"{number}{sender}",
        )
        return PreparedSend(
            request=request,
            given=tuple(Given("x", address, id_) for address, id_ in zip(addresses, ids, strict=True)),
            encoding="gsm7",
            segments=1 + number % 2,
            ttl_seconds=3000,
            max_tries=2,
        )

    def _offer(self, phone: int) -> Any:
        return OfferTo(account_id=ACCOUNT, device_id=self.phones[phone], session_no=1, most_open=3)

    def _answer(self, kind: str, phone: int, number: int, sub: int) -> Any:
        id_ = self._id(number)
        frame: Any = RefusedFrame(id_, sub, kind)
        if kind == "accepted":
            frame = Accepted(id_, sub)
        elif kind == "too_late":
            frame = TooLate(id_, sub)
        return PhoneAnswer(account_id=ACCOUNT, device_id=self.phones[phone], session_no=1, frame=frame)

    def _report(self, kind: str, phone: int, number: int, sub: int, *more: int) -> Any:
        id_ = self._id(number)
        segments = 1 + sub % 2
        place = min(more[0], segments - 1) if more else 0
        payload: Any
        match kind:
            case "sent":
                payload = SmsSent(id_, sub, place, segments)
            case "delivered":
                payload = SmsDelivered(id_, sub, place, segments, more[1])
            case "failed":
                payload = SmsFailed(id_, sub, place, segments, more[1])
            case "uncertain":
                payload = SmsUncertain(id_, sub, "restarted")
            case "cancelled":
                payload = SmsCancelled(id_, sub)
            case _:
                payload = SmsExpired(id_, sub)
        at = self.world.clock.now()
        return PhoneReport(
            account_id=ACCOUNT, device_id=self.phones[phone], event_uuid="u", at=at, payload=payload, raw="{}"
        )

    def _cancel(self, number: int) -> Any:
        return Cancel(account_id=ACCOUNT, message_id=self._id(number))

    def _retract(self, number: int, is_deaf: bool) -> Any:
        before = self.world.clock.now() - 15_000
        return Retract(account_id=ACCOUNT, message_id=self._id(number), offered_before=before, is_deaf=is_deaf)

    def _reroute(self, number: int) -> Any:
        return Reroute(account_id=ACCOUNT, message_id=self._id(number))

    def _time(self, number: int, timer: Any) -> Any:
        return TimeUp(account_id=ACCOUNT, message_id=self._id(number), timer=timer, uncertain_seconds=3600)

    def _batch(self, action: Any) -> Any:
        return ChangeBatch(account_id=ACCOUNT, batch_id=self.batch_id, action=action)

    def _receive(self, phone: int, peer: str) -> Any:
        at = write_utc(self.world.clock.now())
        payload = SmsReceived(sender=peer, received_at=at, subscription_id=1, text="yes")
        return Incoming(
            account_id=ACCOUNT, device_id=self.phones[phone], event_uuid="u", at=self.world.clock.now(), payload=payload
        )

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is stored, without what each world made up for itself."""
        found = {name: self._rows_of(name) for name in TABLES}
        inbound = sorted(row["id"] for row in self.world.rows(Message) if row["direction"] == "mo")
        named = {id_: f"inbound {place}" for place, id_ in enumerate(inbound)}
        return {
            name: sorted((tuple(named.get(value, value) for value in row) for row in rows), key=repr)
            if name == "message"
            else [tuple(_named(value, named) for value in row) for row in rows]
            for name, rows in found.items()
        }

    def _rows_of(self, name: str) -> list[Any]:
        table = METADATA.tables[name]
        own = OWN_IDS.get(name, ())
        order = [table.c.message_id, table.c[own[0]]] if own else list(table.primary_key)
        with self.world.conn.begin():
            columns = [column for column in table.c if column.name not in own]
            return list(self.world.conn.execute(select(*columns).order_by(*order)).all())


def _named(value: Any, named: dict[str, str]) -> Any:
    """Ids of inbound texts by their place, also inside the JSON of an event."""
    if isinstance(value, str):
        for id_, name in named.items():
            value = value.replace(id_, name)
    return value


def differences(together: dict[str, list[Any]], apart: dict[str, list[Any]]) -> list[Any]:
    """Table, row and the two values, of what is not the same."""
    found: list[Any] = []
    for name in TABLES:
        if len(together[name]) != len(apart[name]):
            found.append((name, "rows", len(together[name]), len(apart[name])))
        columns = [column.name for column in METADATA.tables[name].c if column.name not in OWN_IDS.get(name, ())]
        for one, other in zip(together[name], apart[name], strict=False):
            found += [
                (name, one[:2], *facts) for facts in zip(columns, one, other, strict=True) if facts[1] != facts[2]
            ]
    return found


def _reports(tx: Tx, given: Sequence[Any]) -> list[Any]:
    return apply_reports(tx, given)


USE_CASES: dict[str, Any] = {
    "accept": accept,
    "offer": offer,
    "answer": take_answers,
    "report": _reports,
    "cancel": cancel,
    "retract": retract,
    "reroute": reroute,
    "time": time_up,
    "batch": change_batch,
    "receive": receive,
}


def _comparable(answer: Any) -> Any:
    if isinstance(answer, Done):
        return answer.value
    if hasattr(answer, "is_applied"):
        return (answer.is_applied, answer.why, answer.message_id)
    return getattr(getattr(answer, "error", None), "code", type(answer).__name__)


@pytest.fixture
def twins(database_url: str, request: pytest.FixtureRequest) -> Any:
    """Two databases of the same kind."""
    fixture = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    second = request.getfixturevalue(f"second_{fixture}_url")
    clocks = FakeClock(), FakeClock()
    databases = [
        Database.open(url, clock=clock, ids=IdSource(0, seeded_bytes(1).randbytes))
        for url, clock in zip((database_url, second), clocks, strict=True)
    ]
    yield databases, clocks
    for database in databases:
        database.close()


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],  # a history is hundreds of transactions: shrinking one takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=HISTORIES)
def test_batched_is_the_same_as_one_by_one(twins: Any, history: list[tuple[str, list[tuple[Any, ...]], int]]) -> None:
    databases, clocks = twins
    for clock in clocks:
        clock.now_ms = START_MS
    batched, single = (Twin(database, clock) for database, clock in zip(databases, clocks, strict=True))
    try:
        for name, commands, pause in [FIRST, *history]:
            answers = batched.apply(name, commands, together=True)
            assert answers == single.apply(name, commands, together=False), (name, commands)
            for clock in clocks:
                clock.advance(pause)
        assert differences(batched.rows(), single.rows()) == []
    finally:
        for twin in (batched, single):
            twin.world.conn.close()
