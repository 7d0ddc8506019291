"""Taking texts in: one transaction stores messages, threads, batches, events and the answer, and only then the caller gets 2xx.

This is the busiest write of the hub, so a batch of requests is written with one statement per kind of row, and what can be
known without the database (addresses, segments, ids) was done before the queue (`hub.messages.prepare`). The acceptance
itself has no timeline row: the message's own row tells it, and the reader of a timeline puts it first.
"""

import copy
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from hub.accounts.credits import CreditBook
from hub.core.commands import AnyLine, ByDevice, ByLine, ByName, Sender
from hub.core.effects import Effect, LiveHint, WakeAt, WakeDispatch
from hub.core.errors import Code, HubError, invalid
from hub.core.events import EventType
from hub.core.routing import Choice
from hub.core.status import Status
from hub.core.timeline import Kind
from hub.failpoints import failpoint
from hub.log import get_logger
from hub.messages.announce import message_event
from hub.messages.at_once import OffersAtOnce
from hub.messages.idempotency import Accepted, KeyId, RecipientResult, answer_again, key_of, key_row, stored_answers
from hub.messages.lines import LineBook, Wish
from hub.messages.prepare import Given, PreparedSend, RecipientError
from hub.messages.sent_media import MMS, Outgoing
from hub.messages.threads import conversation_id, merged
from hub.storage.consent import ask_opted_out
from hub.storage.conversations import Touch, touch_conversations
from hub.storage.messages import Hop, MessageRow, insert_accepted, insert_hops
from hub.storage.messages_batches import BatchRow, claim_keys, find_keys, insert_batches
from hub.storage.transaction import Done, Refused, Tx
from hub.storage.writer import Writer
from hub.webhooks.outbox import NewEvent, publish

_JSON = msgspec.json.Encoder()
_QUEUED, _SCHEDULED = Status.QUEUED.value, Status.SCHEDULED.value

log = get_logger("messages")

_OPTED_OUT = RecipientError(
    Code.OPTED_OUT.value, "This number asked to hear no more. It can come back by sending START."
)


class _Plan(NamedTuple):
    """What one request will store."""

    command: PreparedSend
    rows: list[MessageRow]
    hops: list[Hop]
    accepted: Accepted


async def take_in(writer: Writer, prepared: PreparedSend) -> Accepted:
    """`accept` for one request: returns when it is on disk. Raises the `HubError` of a refusal."""
    accepted = await writer.submit_soon(accept, prepared, *prepared.keys())
    failpoint("accept.after_commit")
    log.info("texts were taken", texts=len(accepted.results), first=accepted.results[0].message_id)
    return accepted


def accept(tx: Tx, commands: Sequence[PreparedSend]) -> list[Done[Accepted] | Refused]:
    """Store what these requests ask for.

    Refused: `idempotency_conflict` (the key was another request's), `unknown_sender` (a line, phone or strict sender that
    is not the account's), `no_mms_line`, `validation` (an upload is gone), `opted_out` (nobody is left who did not ask to hear no more),
    `no_credit`.
    """
    answers = stored_answers(tx, commands)
    outcomes: list[Done[Accepted] | Refused | None] = [None] * len(commands)
    first_of: dict[KeyId, int] = {}
    plans: dict[int, _Plan] = {}
    fresh: list[int] = []
    for place, command in enumerate(commands):
        key = key_of(command)
        if key is not None and key in answers:
            outcomes[place] = answer_again(answers[key], command)
        elif key is None or first_of.setdefault(key, place) == place:
            fresh.append(place)
    attached = Outgoing(tx, [commands[place].request for place in fresh])
    book = LineBook(tx)
    credits_ = CreditBook(tx, {commands[place].request.account_id for place in fresh})
    planned_all = _plan(tx, book, credits_, attached, [commands[place] for place in fresh])
    for place, planned in zip(fresh, planned_all, strict=True):
        if isinstance(planned, Refused):
            outcomes[place] = planned
        else:
            plans[place] = planned
    for place, outcome in _store(tx, book, credits_, attached, plans).items():
        outcomes[place] = outcome
    _answer_repeats(tx, commands, outcomes)
    failpoint("accept.before_commit")
    return [outcome for outcome in outcomes if outcome is not None]


def _answer_repeats(tx: Tx, commands: Sequence[PreparedSend], outcomes: list[Done[Accepted] | Refused | None]) -> None:
    """Requests whose key another request of this batch used first: as if they had come after its commit."""
    repeats = [place for place, outcome in enumerate(outcomes) if outcome is None]
    if repeats:
        for place, outcome in zip(repeats, accept(tx, [commands[place] for place in repeats]), strict=True):
            outcomes[place] = outcome


# --- planning ------------------------------------------------------------------------------------------------------------


def _plan(
    tx: Tx, book: LineBook, credits_: CreditBook, attached: Outgoing, commands: Sequence[PreparedSend]
) -> list[_Plan | Refused]:
    """Lines, threads and rows of each request; nothing is written yet."""
    wishes: list[list[Wish]] = []
    every: list[Wish] = []
    for command in commands:
        request = command.request
        wished: list[Wish] = []
        for one in request.recipients:
            wished.append(Wish(request.account_id, request.sender, one.address.value, bool(request.media)))
        wishes.append(wished)
        every += wished
    asked = ask_opted_out(tx.conn, {wish.account_id for wish in every}, {wish.peer for wish in every})
    book.read_for(every)
    out = asked()
    return [
        Refused(HubError(Code.OPTED_OUT))
        if out and _must_refuse(command, wished, out)
        else _affordable(book, credits_, _plan_one(tx, book, attached, command, wished, out))
        for command, wished in zip(commands, wishes, strict=True)
    ]


def _affordable(book: LineBook, credits_: CreditBook, planned: _Plan | Refused) -> _Plan | Refused:
    """The plan, if the account can pay for it."""
    if isinstance(planned, Refused) or not credits_.has_price(planned.command.request.account_id):
        return planned
    refusal = credits_.refusal(planned.command.request.account_id, len(_charged(book, planned)))
    return planned if refusal is None else Refused(refusal)


def _charged(book: LineBook, plan: _Plan) -> list[tuple[str, str]]:
    """(account, message) of the texts that cost something: what goes to a sandbox phone reaches nobody."""
    lines = [(row, book.line(row.account_id, row.line_id)) for row in plan.rows]
    return [(row.account_id, row.id) for row, line in lines if line is None or not line.is_sandbox]


def _must_refuse(command: PreparedSend, wishes: Sequence[Wish], out: Collection[tuple[str, str]]) -> bool:
    """Whether nobody is left to text, or one that must not be texted refuses the whole request."""
    is_out = [(wish.account_id, wish.peer) in out for wish in wishes]
    return all(is_out) or (command.request.all_or_nothing and any(is_out))


def _plan_one(
    tx: Tx,
    book: LineBook,
    attached: Outgoing,
    command: PreparedSend,
    wishes: Sequence[Wish],
    out: Collection[tuple[str, str]],
) -> _Plan | Refused:
    request = command.request
    if request.media and attached.is_gone(request):
        return Refused(invalid("media", "gone", "An upload is kept for a day: upload it again, and send that one."))
    template = _template(tx, command)
    rows: list[MessageRow] = []
    hops: list[Hop] = []
    for recipient, wish in zip(request.recipients, wishes, strict=True):
        if out and (wish.account_id, wish.peer) in out:
            continue
        routed = book.choose_to_wait(wish, command.segments, strict_sender=request.strict_sender)
        if not isinstance(routed, Choice) and routed.is_permanent:
            code = Code.NO_MMS_LINE if routed.reason == "no_mms_line" else Code.UNKNOWN_SENDER
            return Refused(HubError(code, routed.sentence))
        row = template if len(wishes) == 1 else copy.copy(template)
        row.id, row.peer = recipient.message_id, wish.peer
        if isinstance(routed, Choice):
            _place(row, routed, request.sender)
            hops += _notes(tx, row, routed, request.sender)
            if row.state == _QUEUED:
                book.join(wish, routed.line_id, row.segments)
        if request.media:
            attached.attach(tx, row, request)
        rows.append(row)
    return _Plan(command, rows, hops, _answer(command, rows))


def _template(tx: Tx, command: PreparedSend) -> MessageRow:
    """The row that all messages of a request share; id, peer and line differ.

    In the order of its fields and without their names: with them it takes 2.8 µs instead of 0.2, because CPython makes a dictionary of more
    than fifteen names and takes it apart again.
    """
    request = command.request
    starts_at = request.scheduled_at or tx.now
    return MessageRow(
        "",  # id
        request.account_id,
        "mt",  # direction
        MMS if request.media else "sms" if request.data_port is None else "data",  # kind
        _SCHEDULED if request.scheduled_at else _QUEUED,  # state
        "",  # peer
        request.text,
        command.encoding,
        command.segments,
        request.priority,
        tx.now,  # created_at
        starts_at,  # due_at
        request.scheduled_at,
        starts_at + command.ttl_seconds * 1000,  # expires_at
        command.ttl_seconds,
        request.door,
        request.trace_id,
        request.batch_id,
        None,  # conversation_id
        request.retry_of,
        _JSON.encode(request.metadata).decode() if request.metadata else None,
        _JSON.encode(request.callback).decode() if request.callback else None,
        request.want_dlr,
        None if isinstance(request.sender, AnyLine) else _JSON.encode(request.sender).decode(),
        max_tries=command.max_tries,
        data_port=request.data_port,
    )


def _place(row: MessageRow, choice: Choice, sender: Sender) -> None:
    row.line_id = choice.line_id
    row.line_why = choice.why
    row.conversation_id = conversation_id(row.account_id, choice.line_id, row.peer)
    row.is_pinned = _is_pinned(sender, choice)


def _is_pinned(sender: Sender, choice: Choice) -> bool:
    """Whether the request left no choice: it names a line, a phone's slot, or a name that only one line has."""
    match sender:
        case ByLine():
            return True
        case ByDevice(_, slot):
            return slot is not None or choice.why == "asked"
        case ByName():
            return choice.why == "asked"
        case AnyLine():
            return False


def _notes(tx: Tx, row: MessageRow, choice: Choice, sender: Sender) -> list[Hop]:
    """What the timeline must say beside the acceptance: it was not the sender that was asked for."""
    if choice.has_unknown_sender and isinstance(sender, ByName):
        return [_hop(tx, row, Kind.SENDER_UNKNOWN, {"sender": sender.name, "line_id": choice.line_id})]
    return []


def _hop(tx: Tx, row: MessageRow, kind: Kind, facts: dict[str, str]) -> Hop:
    return Hop(row.account_id, row.id, tx.now, "hub", kind.value, None, None, True, _JSON.encode(facts).decode(), None)


def _answer(command: PreparedSend, rows: Sequence[MessageRow]) -> Accepted:
    if len(command.given) == 1:
        results: tuple[RecipientResult, ...] = (_result(command.given[0], rows[0]),)
    else:
        by_id = {row.id: row for row in rows}
        results = tuple([_result(one, by_id.get(one.message_id or "")) for one in command.given])
    return Accepted(
        results=results,
        batch_id=command.request.batch_id,
        encoding=command.encoding,
        segments=command.segments,
        created_at=rows[0].created_at,
        due_at=rows[0].due_at,
        expires_at=rows[0].expires_at or 0,
    )


def _result(given: Given, row: MessageRow | None) -> RecipientResult:
    if row is None:
        return RecipientResult(to=given.text, error=given.error or _OPTED_OUT)
    return RecipientResult(
        to=given.text,
        peer=row.peer,
        message_id=row.id,
        state=row.state,
        line_id=row.line_id,
        line_why=row.line_why,
        conversation_id=row.conversation_id,
    )


# --- storing -------------------------------------------------------------------------------------------------------------


def _store(
    tx: Tx, book: LineBook, credits_: CreditBook, attached: Outgoing, plans: dict[int, _Plan]
) -> dict[int, Done[Accepted] | Refused]:
    """Write all plans; the outcome of each, by its place in the batch."""
    lost = _claim_keys(tx, plans)
    kept = {place: plan for place, plan in plans.items() if place not in lost}
    rows = [row for plan in kept.values() for row in plan.rows]
    insert_batches(tx.conn, [batch for plan in kept.values() if (batch := _batch_row(plan)) is not None])
    announced = _queued_events(tx, book, attached, rows)
    offered, jobs = OffersAtOnce(tx, book).offer(rows)
    insert_accepted(tx.conn, rows)
    attached.store(tx, rows)
    paying = [plan for plan in kept.values() if credits_.has_price(plan.command.request.account_id)]
    credits_.charge(text for plan in paying for text in _charged(book, plan))
    touch_conversations(tx, merged([touch for row in rows if (touch := _touch(row)) is not None]))
    insert_hops(tx.conn, [*(hop for plan in kept.values() for hop in plan.hops), *offered])
    shared: list[Effect] = [*publish(tx, announced), *jobs, *_wake(rows)]
    outcomes: dict[int, Done[Accepted] | Refused] = dict(lost)
    for place, plan in kept.items():
        outcomes[place] = Done(plan.accepted, (*shared, _hint(plan)))
        shared = []
    return outcomes


def _claim_keys(tx: Tx, plans: dict[int, _Plan]) -> dict[int, Done[Accepted] | Refused]:
    """Store the answers under their keys first: another hub process may have taken one of them a moment ago."""
    rows = {
        place: key_row(plan.command, plan.accepted, tx.now) for place, plan in plans.items() if key_of(plan.command)
    }
    if claim_keys(tx, list(rows.values())):
        return {}
    stored = find_keys(tx.conn, {row.account_id for row in rows.values()}, {row.key for row in rows.values()})
    theirs = {place: stored[row.account_id, row.door, row.key] for place, row in rows.items()}
    return {
        place: answer_again(row, plans[place].command) for place, row in theirs.items() if row.body != rows[place].body
    }


def _batch_row(plan: _Plan) -> BatchRow | None:
    request = plan.command.request
    if request.batch_id is None or request.is_batch_made:
        return None
    return BatchRow(
        id=request.batch_id,
        account_id=request.account_id,
        name=request.batch_name,
        total=len(plan.rows),
        refused=request.refused + len(request.recipients) - len(plan.rows),
        created_at=plan.accepted.created_at,
    )


def _touch(row: MessageRow) -> Touch | None:
    if row.line_id is None or row.conversation_id is None:
        return None
    return Touch(row.conversation_id, row.account_id, row.line_id, row.peer, row.created_at, row.id, "mt", 0)


def _queued_events(tx: Tx, book: LineBook, attached: Outgoing, rows: Sequence[MessageRow]) -> list[NewEvent]:
    """Of the rows as they were accepted: that some are offered at once is a later step."""
    return [
        message_event(
            tx.new_id(),
            EventType.SMS_QUEUED,
            row,
            book.line(row.account_id, row.line_id),
            tx.now,
            media=attached.told(row.id) if row.kind == MMS else (),
        )
        for row in rows
        if row.state == _QUEUED
    ]


def _wake(rows: Sequence[MessageRow]) -> list[Effect]:
    """Dispatch has work on these lines now, and at these times; what was offered at once is none."""
    lines: dict[str, set[str]] = {}
    for row in rows:
        if row.state == _QUEUED and row.offered_at is None:
            lines.setdefault(row.account_id, set()).add(row.line_id or "")
    effects: list[Effect] = [
        WakeDispatch(account_id, () if "" in ids else tuple(sorted(ids))) for account_id, ids in lines.items()
    ]
    scheduled = [row.scheduled_at for row in rows if row.scheduled_at is not None]
    return [*effects, WakeAt(min(scheduled))] if scheduled else effects


def _hint(plan: _Plan) -> LiveHint:
    request = plan.command.request
    if request.batch_id is not None:
        return LiveHint(request.account_id, "batch", request.batch_id)
    return LiveHint(request.account_id, "message", plan.rows[0].id)
