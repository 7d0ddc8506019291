"""SIMs as lines: which SIM a phone lists is which line of the account.

A line is a sending identity with threads behind it, so the question "is this the same SIM?" is answered in this order, each SIM once:

1. A line with the same number, wherever it was: the SIM was moved, and the line moves with it.
2. A line of this phone with the same subscription id (Android's name for one card in one phone), unless number or carrier contradict.
3. A line of this phone with the same fingerprint, when only one has it (Android gave the card a new subscription id).
4. Otherwise it is a new line. When it has no number, and a line with the same carrier is missing elsewhere, it may be that one:
   it is stored, takes in texts, sends nothing, and the operator says which it is.

What a phone does not list is absent. A phone that may not see its SIMs (no READ_PHONE_STATE) lists none, which says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from device_protocol.frames import Permissions, Sim
from hub.accounts.settings import read_settings
from hub.core.address import AddressKind, BadAddress, is_region, parse_recipient
from hub.core.clock import rfc3339
from hub.core.effects import Effect, LiveHint, WakeDispatch
from hub.core.errors import Code, HubError
from hub.core.events import EventType, SimChangedData, SimData
from hub.core.ids import render
from hub.core.text import sanitise, sanitise_or_none
from hub.storage import lines as stored
from hub.storage.devices import DeviceRow, NoticeRow, insert_notices, lock_devices
from hub.storage.lines import LineRecord
from hub.storage.transaction import Done, Refused, Tx
from hub.webhooks.outbox import NewEvent, publish

PHONE_STATE = "read_phone_state"
"""The permission word without which a phone cannot list its SIMs."""


class SimFact(msgspec.Struct, frozen=True, kw_only=True):
    """A SIM as a phone listed it, with its number in E.164."""

    slot: int
    subscription_id: int
    fingerprint: str
    carrier: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class SimReport:
    """Everything a phone says is in it now; `device` is locked by the caller."""

    device: DeviceRow
    sims: Sequence[Sim]
    permissions: Permissions

    @property
    def is_telling(self) -> bool:
        """Whether the list means anything: an empty one does only from a phone that may look."""
        return bool(self.sims) or self.permissions.get(PHONE_STATE, False)


# --- the decision, pure ------------------------------------------------------------------------------------------------------


def match_sims(device_id: str, sims: Sequence[SimFact], lines: Sequence[LineRecord]) -> list[LineRecord | None]:
    """For each SIM of a phone the line it is, None for a new one; no line twice."""
    found: list[LineRecord | None] = [None] * len(sims)
    free = {line.id: line for line in lines}
    here = [line for line in lines if line.device_id == device_id]
    # The phone's own lines first, so that of two lines with one number the one that is here stays here.
    near_first = here + [line for line in lines if line.device_id != device_id]
    for is_same in (_has_number, _is_in_place, _has_fingerprint):
        for index, sim in enumerate(sims):
            if found[index] is None:
                candidates = near_first if is_same is _has_number else here
                matches = [line for line in candidates if line.id in free and is_same(line, sim)]
                if matches and (is_same is not _has_fingerprint or len(matches) == 1):
                    found[index] = free.pop(matches[0].id)
    return found


def _has_number(line: LineRecord, sim: SimFact) -> bool:
    return sim.number is not None and line.number == sim.number


def _is_in_place(line: LineRecord, sim: SimFact) -> bool:
    if line.subscription_id != sim.subscription_id:
        return False
    if line.fingerprint == sim.fingerprint:
        return True
    return not _contradict(line.number, sim.number) and not _contradict(_folded(line.carrier), _folded(sim.carrier))


def _has_fingerprint(line: LineRecord, sim: SimFact) -> bool:
    return line.fingerprint == sim.fingerprint and not _contradict(line.number, sim.number)


def _contradict(known: str | None, told: str | None) -> bool:
    return known is not None and told is not None and known != told


def _folded(carrier: str | None) -> str | None:
    return carrier.strip().casefold() or None if carrier else None


class PlacedLine(Protocol):
    """What of a line says whether it may be another one."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> str | None: ...
    @property
    def carrier(self) -> str | None: ...
    @property
    def device_id(self) -> str | None: ...
    @property
    def is_present(self) -> bool: ...
    @property
    def is_device_online(self) -> bool: ...
    @property
    def awaiting_confirmation(self) -> bool: ...


def candidates_among(line: PlacedLine, lines: Sequence[PlacedLine]) -> list[str]:
    """Ids of the lines a SIM without a number may be: same carrier, missing from where they were, numbers not contradicting."""
    carrier = _folded(line.carrier)
    return [
        other.id
        for other in lines
        if other.id != line.id
        and not other.awaiting_confirmation
        and carrier is not None
        and _folded(other.carrier) == carrier
        and not (other.is_present and (other.is_device_online or other.device_id == line.device_id))
        and not _contradict(other.number, line.number)
    ]


# --- in a transaction --------------------------------------------------------------------------------------------------------


def apply_sims(tx: Tx, reports: Sequence[SimReport]) -> tuple[Effect, ...]:
    """Make the lines be what the phones say, in the caller's transaction; `sim:changed` for each phone where anything changed."""
    telling = [report for report in reports if report.is_telling]
    if not telling:
        return ()
    phones = {report.device.id for report in telling}
    known = stored.lines_in(tx.conn, phones)
    effects: tuple[Effect, ...] = ()
    events = []
    # Accounts are locked in one order everywhere; phones of one account keep theirs, so that the last word counts.
    for report in sorted(telling, key=lambda report: report.device.account_id):
        facts = sim_facts(report.sims, None)
        if _is_as_known(facts, known.get(report.device.id, [])):
            continue
        changed = _Placing(tx, report).run()
        if changed is not None:
            events.append(changed.event)
            known = stored.lines_in(tx.conn, phones)  # it may have taken a line from the next phone
            effects += (
                LiveHint(report.device.account_id, "device", report.device.id),
                WakeDispatch(report.device.account_id, changed.line_ids),
            )
    return effects + publish(tx, events)


class ListSims(msgspec.Struct, frozen=True, kw_only=True):
    """A connected phone lists its SIMs outside of hello and events."""

    account_id: str
    device_id: str
    session_no: int
    sims: tuple[Sim, ...]

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"device:{self.device_id}",)


def list_sims(tx: Tx, commands: Sequence[ListSims]) -> list[Done[None] | Refused]:
    """Make the lines be what the phones list. `superseded` when a newer connection counts."""
    devices = lock_devices(tx.conn, {command.device_id for command in commands})
    outcomes: list[Done[None] | Refused] = []
    for command in commands:
        device = devices.get(command.device_id)
        if device is None or (device.account_id, device.session_no) != (command.account_id, command.session_no):
            outcomes.append(Refused(HubError(Code.SUPERSEDED)))
        else:
            outcomes.append(Done(None, apply_sims(tx, [SimReport(device, command.sims, {})])))
    return outcomes


def sim_facts(sims: Sequence[Sim], default_region: str | None) -> list[SimFact]:
    """SIMs in slot order; a number that is no E.164 number in the SIM's country, or the account's, counts as unknown."""
    return [
        SimFact(
            slot=sim.slot,
            subscription_id=sim.subscription_id,
            fingerprint=sanitise(sim.fingerprint),
            carrier=sanitise_or_none(sim.carrier) or None,
            number=_e164(sim, default_region),
        )
        for sim in sorted(sims, key=lambda sim: sim.slot)
    ]


def _e164(sim: Sim, default_region: str | None) -> str | None:
    country = (sim.country or "").upper()
    try:
        address = parse_recipient(sim.number or "", country if is_region(country) else default_region)
    except BadAddress:
        return None
    return address.value if address.kind is AddressKind.MSISDN else None


def _is_as_known(facts: Sequence[SimFact], lines: Sequence[LineRecord]) -> bool:
    """Whether nothing is to be written: the usual case, decided without a lock."""
    present = {line.subscription_id: line for line in lines if line.is_present}
    if len(facts) != len(present):
        return False
    return all(
        (line := present.get(fact.subscription_id)) is not None
        and line.fingerprint == fact.fingerprint
        and line.slot == fact.slot
        and line.carrier == fact.carrier
        and (fact.number is None or line.number is not None)
        for fact in facts
    )


@dataclass(frozen=True, slots=True)
class _Changed:
    event: NewEvent
    line_ids: tuple[str, ...]
    """What is in the phone now."""


class _Placing:
    """One phone's SIMs put into the account's lines, with the account locked."""

    def __init__(self, tx: Tx, report: SimReport) -> None:
        self._tx = tx
        self._device = report.device
        settings = read_settings(stored.lock_account(tx.conn, report.device.account_id) or "{}")
        self._facts = sim_facts(report.sims, settings.default_region)
        numbers = {fact.number for fact in self._facts if fact.number is not None}
        self._lines = stored.lock_lines_near(tx.conn, report.device.account_id, report.device.id, numbers)
        self._before = {line.id: msgspec.structs.replace(line) for line in self._lines}
        self._notices: list[NoticeRow] = []

    def run(self) -> "_Changed | None":
        """Write what changed; None when nothing did."""
        found = match_sims(self._device.id, self._facts, self._lines)
        self._forget_absent({line.id for line in found if line is not None})
        for fact, line in zip(self._facts, found, strict=True):
            if line is not None:
                self._place(line, fact)
        created = [self._create(fact) for fact, line in zip(self._facts, found, strict=True) if line is None]
        changed = [line for line in self._lines if line.id in self._before and line != self._before[line.id]]
        if not changed and not created:
            return None
        stored.write_placing(self._tx.conn, changed)
        stored.insert_lines(self._tx.conn, created)
        insert_notices(self._tx.conn, self._notices)
        here = [line for line in self._lines if line.device_id == self._device.id and line.is_present]
        return _Changed(sim_changed(self._tx, self._device, here), tuple(line.id for line in here))

    def _forget_absent(self, listed: set[str]) -> None:
        for line in self._lines:
            if line.device_id == self._device.id and line.id not in listed:
                line.is_present = False
                if line.awaiting_confirmation:
                    line.removed_at = self._tx.now  # nobody ever said what it was

    def _place(self, line: LineRecord, fact: SimFact) -> None:
        if line.device_id != self._device.id and line.device_id is not None:
            self._notice("line_moved", f"The SIM of line {line.name} is now in this phone; its threads came along.")
        # The operator's number stands until the phone tells of another card.
        if fact.number is not None and (line.number is None or line.fingerprint != fact.fingerprint):
            line.number = fact.number
        line.device_id, line.subscription_id, line.slot = self._device.id, fact.subscription_id, fact.slot
        line.carrier, line.fingerprint, line.is_present = fact.carrier, fact.fingerprint, True

    def _create(self, fact: SimFact) -> LineRecord:
        line = LineRecord(
            id=self._tx.new_id(),
            account_id=self._device.account_id,
            name=f"{self._device.name} · {fact.carrier or f'SIM {fact.slot + 1}'}"[:100],
            number=fact.number,
            mark=stored.next_mark(self._tx.conn, self._device.account_id) + self._created,
            device_id=self._device.id,
            subscription_id=fact.subscription_id,
            slot=fact.slot,
            carrier=fact.carrier,
            fingerprint=fact.fingerprint,
            created_at=self._tx.now,
        )
        if fact.number is None and fact.carrier is not None and self._may_be_known(line, fact.carrier):
            line.awaiting_confirmation = True
            text = f"A SIM of {fact.carrier} without a known number turned up: say whether it is one of your lines."
            self._notice("line_unconfirmed", text)
        self._lines.append(line)
        return line

    def _may_be_known(self, line: LineRecord, carrier: str) -> bool:
        here = {known.id for known in self._lines}
        elsewhere = stored.missing_lines(self._tx.conn, self._device.account_id, {carrier})
        return bool(candidates_among(line, [*self._lines, *(one for one in elsewhere if one.id not in here)]))

    @property
    def _created(self) -> int:
        return sum(1 for line in self._lines if line.id not in self._before)

    def _notice(self, kind: str, text: str) -> None:
        self._notices.append(
            NoticeRow(self._tx.new_id(), self._device.account_id, self._device.id, kind, text, self._tx.now)
        )


def sim_changed(tx: Tx, device: DeviceRow, lines: Sequence[LineRecord]) -> NewEvent:
    """The customer event about the lines that are in a phone now."""
    sims = tuple(
        SimData(slot=line.slot or 0, line_id=render("line", line.id), number=line.number, carrier=line.carrier)
        for line in sorted(lines, key=lambda line: line.slot or 0)
    )
    return NewEvent(
        id=tx.new_id(),
        account_id=device.account_id,
        type=EventType.SIM_CHANGED,
        occurred_at=tx.now,
        data=SimChangedData(device_id=render("device", device.id), sims=sims, changed_at=rfc3339(tx.now)),
        device_id=device.id,
    )
