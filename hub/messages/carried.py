"""Texts that a carrier posts to the hub, for numbers that may sit in no phone: taken in once, into the thread of their number.

1. A text is known by its key (the carrier's own id of it, or a hash of all it said) as long as texts are kept, a week at least:
   posted again, it makes nothing.
2. It belongs to the account's line with its number. Where there is none, one is made: a line without a phone, which takes in
   texts and sends none. When a SIM with that number turns up in a phone, the line and its threads are that SIM's from then on.
3. From there on it is a text like any other: its thread, its event, its webhooks, and what it says about being texted again.
4. With attachments it is an MMS. It stands in its thread at once; they are fetched after the carrier was answered, and its event
   waits for them a while (`hub.messages.carried_media`).
"""

from collections.abc import Sequence

import msgspec

from device_protocol.payloads import MediaRef, MmsReceived, SmsReceived
from hub.accounts.settings import AccountSettings
from hub.core.address import AddressKind, BadAddress, parse_recipient
from hub.core.clock import UtcMs, rfc3339
from hub.core.effects import Effect, LiveHint
from hub.core.encoding import measure
from hub.core.media import UNTOLD_TYPE, WAITING, name_of
from hub.core.text import sanitise
from hub.messages.lines import read_account_settings
from hub.messages.receive import Incoming, receive
from hub.storage import lines as stored
from hub.storage.carried import CarrierKey, Claim, claim
from hub.storage.lines import LineRecord
from hub.storage.media_pulls import PullRow, insert_pulls
from hub.storage.transaction import Done, Tx

MOST_WITHOUT_PHONE = 1000
"""Lines without a phone that an account is given by itself; a text for one number more is stored without a thread."""
LONGEST_NUMBER = 64
TELL_SECONDS = 60.0
"""How long the event of an MMS waits for what is attached to it."""


class CarriedMedium(msgspec.Struct, frozen=True):
    """One attachment, as a carrier names it."""

    url: str
    type: str | None = None


class CarrierText(msgspec.Struct, frozen=True, kw_only=True):
    """One text as a carrier posted it."""

    account_id: str
    door: str
    """The dialect it came by."""
    key: str
    """The same text posted again has the same key."""
    carrier: str
    """Who posted it, in words."""
    provider_id: str | None = None
    """The carrier's own id of it, if it has one."""
    sender: str
    number: str
    """Ours, as the carrier wrote it."""
    text: str
    at: UtcMs
    """When the carrier got it."""
    raw: str | None = None
    media: tuple[CarriedMedium, ...] = ()
    gateway_id: str = ""
    """Whose login opens the attachments, where they need one."""

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"carrier:{self.account_id}:{self.key}",)


class Taken(msgspec.Struct, frozen=True):
    """The message a text became; `is_new` is False when it was there already."""

    message_id: str
    is_new: bool


def take_carried(tx: Tx, commands: Sequence[CarrierText]) -> list[Done[Taken]]:
    """Store what carriers posted, each text once."""
    claims = [Claim(one.account_id, one.door, one.key, tx.new_id(), tx.now) for one in commands]
    owners = claim(tx, claims)
    is_new = [owners[CarrierKey(*one[:3])] == one.message_id for one in claims]
    fresh = [(command, one.message_id) for command, one, new in zip(commands, claims, is_new, strict=True) if new]
    effects = _store(tx, fresh) if fresh else ()
    outcomes: list[Done[Taken]] = []
    for one, new in zip(claims, is_new, strict=True):
        outcomes.append(Done(Taken(owners[CarrierKey(*one[:3])], new), effects))
        effects = ()
    return outcomes


def _store(tx: Tx, fresh: Sequence[tuple[CarrierText, str]]) -> tuple[Effect, ...]:
    settings = read_account_settings(tx.conn, {command.account_id for command, _ in fresh})
    numbers = [_number(command, settings) for command, _ in fresh]
    wanted = [(command.account_id, number) for (command, _), number in zip(fresh, numbers, strict=True)]
    lines, made = _lines_of(tx, wanted)
    incoming = [
        _incoming(command, message_id, lines.get((command.account_id, number)))
        for (command, message_id), number in zip(fresh, numbers, strict=True)
    ]
    received = receive(tx, incoming)
    insert_pulls(tx.conn, [_pull(tx, command, message_id) for command, message_id in fresh if command.media])
    return *(LiveHint(line.account_id, "line", line.id) for line in made), *received[0].effects


def _number(command: CarrierText, settings: dict[str, AccountSettings]) -> str:
    """Our number in E.164, or a short code; what is neither stands as it was written."""
    region = settings[command.account_id].default_region if command.account_id in settings else None
    # Carriers leave out the + of a whole number, too.
    for spelled in (command.number, f"+{command.number.strip()}"):
        try:
            address = parse_recipient(spelled, region)
        except BadAddress:
            continue
        if address.kind in (AddressKind.MSISDN, AddressKind.SHORT_CODE):
            return address.value
    return sanitise(command.number).strip()[:LONGEST_NUMBER]


def _lines_of(tx: Tx, wanted: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], str], list[LineRecord]]:
    """By account and number the line, and those of them that were made for it."""
    accounts, numbers = {one[0] for one in wanted}, {one[1] for one in wanted}
    lines = stored.lines_numbered(tx.conn, accounts, numbers)
    missing = {one for one in wanted if one not in lines}
    if not missing:
        return lines, []
    # Whoever makes a line locks its account first; then the number may have one after all.
    for account_id in sorted({one[0] for one in missing}):
        stored.lock_account(tx.conn, account_id)
    lines = stored.lines_numbered(tx.conn, accounts, numbers)
    made = [line for account_id in sorted(accounts) for line in _new_lines(tx, account_id, wanted, lines)]
    stored.insert_lines(tx.conn, made)
    return lines | {(line.account_id, line.number or ""): line.id for line in made}, made


def _new_lines(
    tx: Tx, account_id: str, wanted: Sequence[tuple[str, str]], lines: dict[tuple[str, str], str]
) -> list[LineRecord]:
    numbers = list(
        dict.fromkeys(number for owner, number in wanted if owner == account_id and (owner, number) not in lines)
    )
    if not numbers:
        return []
    room = MOST_WITHOUT_PHONE - stored.count_without_phone(tx.conn, account_id)
    mark = stored.next_mark(tx.conn, account_id)
    return [
        LineRecord(
            id=tx.new_id(),
            account_id=account_id,
            name=number,
            number=number,
            mark=mark + place,
            is_present=False,
            created_at=tx.now,
        )
        for place, number in enumerate(numbers[: max(room, 0)])
    ]


def _pull(tx: Tx, command: CarrierText, message_id: str) -> PullRow:
    urls = msgspec.json.encode([one.url for one in command.media]).decode()
    tell_at = tx.now + round(TELL_SECONDS * 1000)
    return PullRow(message_id, command.account_id, command.gateway_id, command.number, urls, 0, tx.now, tell_at)


def _incoming(command: CarrierText, message_id: str, line_id: str | None) -> Incoming:
    return Incoming(
        account_id=command.account_id,
        device_id=None,
        event_uuid=None,
        at=command.at,
        payload=_mms(command) if command.media else _sms(command),
        raw=None if command.raw is None else sanitise(command.raw),
        line_id=line_id,
        number=command.number,
        message_id=message_id,
        door=command.door,
        carrier=command.carrier,
        provider_id=command.provider_id,
        is_told_later=bool(command.media),
    )


def _sms(command: CarrierText) -> SmsReceived:
    text = sanitise(command.text)
    return SmsReceived(
        sender=sanitise(command.sender),
        received_at=rfc3339(command.at),
        subscription_id=0,
        text=text,
        segments=measure(text).segments,
    )


def _mms(command: CarrierText) -> MmsReceived:
    return MmsReceived(
        sender=sanitise(command.sender),
        received_at=rfc3339(command.at),
        subscription_id=0,
        text=sanitise(command.text),
        media=tuple(
            MediaRef(content_type=sanitise(one.type or UNTOLD_TYPE), name=name_of(one.url), why=WAITING)
            for one in command.media
        ),
    )
