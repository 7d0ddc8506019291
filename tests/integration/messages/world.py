"""A small customer for the tests of texts: an account, phones with SIMs, and short ways to do what others do to the hub."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import insert, select, update

from device_protocol.frames import Accepted as AcceptedFrame
from device_protocol.frames import Go, Job
from device_protocol.payloads import SmsDelivered, SmsFailed, SmsSent
from hub.core.commands import NORMAL, AnyLine, Sender, SendRequest
from hub.core.effects import Effect, ToPhone
from hub.core.errors import HubError
from hub.core.ids import IdSource
from hub.core.ports import AtHand
from hub.messages.accept import accept
from hub.messages.answers import PhoneAnswer, take_answers
from hub.messages.dispatch import OfferTo, offer
from hub.messages.idempotency import Accepted
from hub.messages.prepare import PreparedSend, SendLimits, prepare
from hub.messages.report import Applied, PhoneReport, apply_reports
from hub.storage.database import Database
from hub.storage.messages import COLUMNS, MESSAGE, MessageRow, hops_of
from hub.storage.schema.accounts import Account, HubFact
from hub.storage.schema.devices import Device, Line
from hub.storage.schema.messages import Conversation
from hub.storage.schema.webhooks import WebhookEvent
from hub.storage.transaction import Done, Refused, Tx, UseCase
from hub.storage.types import table_of
from tests.fakes import FakeClock

ACCOUNT = "a" * 24
STRANGER = "b" * 24
PEER = "+491701234567"
ANY = AnyLine()
GERMAN = SendLimits(default_region="DE")
C = TypeVar("C")
R = TypeVar("R")


class World:
    """What the tests do, in the words of the tests."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource) -> None:
        self.db, self.clock, self.ids = db, clock, ids
        self.effects: list[Effect] = []
        self.at_hand: dict[str, AtHand] = {}
        """Phones that are connected here, by their id."""
        self.conn = db.write_engine.connect()
        self.insert(Account, id=ACCOUNT, name="shop", created_at=0, settings="{}")
        self.insert(Account, id=STRANGER, name="other", created_at=0, settings="{}")

    # --- rows

    def new_id(self) -> str:
        return self.ids.next(self.clock.now())

    def insert(self, model: Any, **values: Any) -> None:
        with self.conn.begin():
            self.conn.execute(insert(table_of(model)), values)

    def change(self, model: Any, id_: str, **values: Any) -> None:
        table = table_of(model)
        with self.conn.begin():
            self.conn.execute(update(table).where(table.c.id == id_).values(values))

    def rows(self, model: Any) -> list[dict[str, Any]]:
        with self.conn.begin():
            return [dict(row) for row in self.conn.execute(select(table_of(model))).mappings()]

    def hold(self) -> None:
        self.insert(HubFact, name="hold", value="1")

    def phone(self, name: str = "Pixel", *, account_id: str = ACCOUNT, sims: int = 1, **values: Any) -> str:
        """A phone that is online, with its SIMs as lines; returns its id."""
        device_id = self.new_id()
        given = {
            "created_at": 0,
            "enrolled_at": 0,
            "session_no": 1,
            "is_online": True,
            "last_seen_at": self.clock.now(),
        }
        self.insert(Device, id=device_id, account_id=account_id, name=name, **{**given, **values})
        for slot in range(sims):
            self.line(device_id, slot=slot, account_id=account_id, name=f"{name} {slot}")
        return device_id

    def line(self, device_id: str | None, *, slot: int = 0, account_id: str = ACCOUNT, **values: Any) -> str:
        line_id = self.new_id()
        given: dict[str, Any] = {
            "name": "line",
            "number": f"+4915{int(line_id[:8], 36) % 10**8:08d}{slot}",
            "subscription_id": slot + 1,
            "slot": slot,
            "fingerprint": "carrier/1234",
            "created_at": 0,
        }
        self.insert(Line, id=line_id, account_id=account_id, device_id=device_id, **{**given, **values})
        return line_id

    def lines(self, device_id: str) -> list[str]:
        rows = [row for row in self.rows(Line) if row["device_id"] == device_id]
        return [row["id"] for row in sorted(rows, key=lambda row: (row["slot"], row["id"]))]

    # --- use cases

    def transaction(self) -> Tx:
        """What a use case is given, with the phones that are at hand."""
        return replace(self.db.transaction(self.conn), at_hand=self.at_hand.get)

    def run(self, use_case: UseCase[C, R], commands: Sequence[C]) -> list[Done[R] | Refused]:
        """One batch in one transaction; its effects are kept."""
        with self.conn.begin():
            outcomes = list(use_case(self.transaction(), commands))
        for outcome in outcomes:
            if isinstance(outcome, Done):
                self.effects.extend(outcome.effects)
        return outcomes

    def do(self, use_case: UseCase[C, R], command: C) -> R:
        """One command in a transaction of its own. Raises the error of a refusal."""
        (outcome,) = self.run(use_case, [command])
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome.value

    def refusal(self, use_case: UseCase[C, Any], command: C) -> HubError:
        (outcome,) = self.run(use_case, [command])
        assert isinstance(outcome, Refused)
        return outcome.error

    def prepare(
        self,
        *to: str,
        text: str = "hello",
        account_id: str = ACCOUNT,
        sender: Sender = ANY,
        limits: SendLimits = GERMAN,
        priority: int = NORMAL,
        **values: Any,
    ) -> PreparedSend:
        request = SendRequest(
            account_id=account_id, door="v1", recipients=(), text=text, sender=sender, priority=priority, **values
        )
        return prepare(request, to or (PEER,), limits, now=self.clock.now(), new_id=self.new_id)

    def send(self, *to: str, **values: Any) -> str:
        """Accept one text; its id."""
        accepted: Accepted = self.do(accept, self.prepare(*to, **values))
        message_id = accepted.results[0].message_id
        assert message_id is not None
        return message_id

    # --- looking

    def message(self, message_id: str) -> MessageRow:
        with self.conn.begin():
            row = self.conn.execute(select(*COLUMNS).where(MESSAGE.c.id == message_id)).one()
        return MessageRow(*row)

    def messages(self) -> list[MessageRow]:
        with self.conn.begin():
            return [MessageRow(*row) for row in self.conn.execute(select(*COLUMNS).order_by(MESSAGE.c.id))]

    def kinds(self, message_id: str) -> list[str]:
        """The kinds on a message's timeline; those not applied with a mark."""
        account_id = self.message(message_id).account_id
        with self.conn.begin():
            hops = hops_of(self.conn, account_id, message_id, 1000)
        return [hop.kind if hop.is_applied else f"-{hop.kind}" for hop in hops]

    def events(self, message_id: str | None = None) -> list[str]:
        rows = sorted(self.rows(WebhookEvent), key=lambda row: row["seq"])
        return [row["type"] for row in rows if message_id in (None, row["message_id"])]

    def conversations(self) -> list[dict[str, Any]]:
        return sorted(self.rows(Conversation), key=lambda row: row["peer"])

    def frames(self, kind: type | None = None) -> list[Any]:
        """Frames to phones so far, oldest first."""
        sent = [effect.frame for effect in self.effects if isinstance(effect, ToPhone)]
        return [frame for frame in sent if kind is None or isinstance(frame, kind)]


class Phones:
    """Short ways to be a phone, over a `World`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def offers(self, device_id: str, *, session_no: int = 1, **values: Any) -> list[Job]:
        """Let the hub offer; the jobs the phone is sent."""
        before = len(self.world.frames(Job))
        command = OfferTo(account_id=ACCOUNT, device_id=device_id, session_no=session_no, **values)
        self.world.do(offer, command)
        return self.world.frames(Job)[before:]

    def answer(self, device_id: str, frame: Any, *, session_no: int = 1, account_id: str = ACCOUNT) -> list[Any]:
        """Answer a job; the frames that come back."""
        before = len(self.world.frames())
        command = PhoneAnswer(account_id=account_id, device_id=device_id, session_no=session_no, frame=frame)
        self.world.do(take_answers, command)
        return self.world.frames()[before:]

    def accept(self, device_id: str, job: Job, **values: Any) -> list[Any]:
        return self.answer(device_id, AcceptedFrame(job.id, job.submission), **values)

    def bound(self, device_id: str, message_id: str) -> Job:
        """Bind one message, offering what waits before; its job."""
        self.offers(device_id)
        job: Job = [job for job in self.world.frames(Job) if job.id == message_id][-1]
        assert self.accept(device_id, job) == [Go(job.id, job.submission)]
        return job

    def report(self, device_id: str, payload: Any, *, account_id: str = ACCOUNT) -> Applied:
        """Report, as the phone's event stream would hand it on."""
        world = self.world
        given = PhoneReport(
            account_id=account_id,
            device_id=device_id,
            event_uuid=world.new_id(),
            at=world.clock.now(),
            payload=payload,
            raw="{}",
        )
        with world.conn.begin():
            (applied,) = apply_reports(world.db.transaction(world.conn), [given])
        world.effects.extend(applied.effects)
        return applied

    def sent(self, device_id: str, job: Job, segment: int = 0, segments: int = 1) -> Applied:
        return self.report(device_id, SmsSent(job.id, job.submission, segment, segments))

    def delivered(self, device_id: str, job: Job, segment: int = 0, segments: int = 1, tp_status: int = 0) -> Applied:
        return self.report(device_id, SmsDelivered(job.id, job.submission, segment, segments, tp_status))

    def failed(self, device_id: str, job: Job, code: int, segment: int = 0, segments: int = 1, **more: Any) -> Applied:
        return self.report(device_id, SmsFailed(job.id, job.submission, segment, segments, code, **more))
