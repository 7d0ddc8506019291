"""What an operator does to a line: names, limits, on and off, and which line a SIM without a number is."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hub.accounts.settings import read_settings
from hub.core.address import AddressKind, BadAddress, parse_recipient, parse_sender
from hub.core.effects import Effect, LiveHint, WakeDispatch
from hub.core.errors import Code, HubError, invalid
from hub.devices.enrol import checked_name
from hub.devices.lines import candidates_among
from hub.devices.reading import find_line
from hub.devices.views import LineView
from hub.storage import lines as stored
from hub.storage.lines import LineRecord
from hub.storage.transaction import Done, Refused, Tx

LIMIT_MAX = 1_000_000
POOL_MAX = 64


class _OfLine(msgspec.Struct, frozen=True, kw_only=True):
    """A command about one line of an account."""

    account_id: str
    line_id: str

    def keys(self) -> tuple[str, ...]:
        """Serial keys of the writer."""
        return (f"lines:{self.account_id}",)


class UpdateLine(_OfLine, frozen=True, kw_only=True):
    """New settings; an absent field stays as it is, None clears it."""

    name: str | UnsetType = UNSET
    alias: str | UnsetType | None = UNSET
    pool: str | UnsetType | None = UNSET
    number: str | UnsetType | None = UNSET
    is_enabled: bool | UnsetType = UNSET
    is_paused: bool | UnsetType = UNSET
    """False ends a pause the hub has put on the line."""
    per_minute: int | UnsetType = UNSET
    per_hour: int | UnsetType | None = UNSET
    per_day: int | UnsetType | None = UNSET
    per_month: int | UnsetType | None = UNSET


class ConfirmLine(_OfLine, frozen=True, kw_only=True):
    """Which line a SIM that waits for confirmation is: a known one, or None for a new one."""

    is_same_as: str | None = None


class RemoveLine(_OfLine, frozen=True, kw_only=True):
    """Forget a line whose SIM is gone; its threads stay readable."""


class _LineCommand(Protocol):
    @property
    def account_id(self) -> str: ...
    @property
    def line_id(self) -> str: ...


CommandT = TypeVar("CommandT", bound=_LineCommand)
Change = Callable[[Tx, "_Account", LineRecord, CommandT], LineRecord]


class _Account:
    """The lines of one account, locked; what a command changes is written when all commands were applied."""

    def __init__(self, tx: Tx, account_id: str) -> None:
        self.region = read_settings(stored.lock_account(tx.conn, account_id) or "{}").default_region
        self.lines = {line.id: line for line in stored.lock_lines(tx.conn, account_id)}
        self.changed: dict[str, LineRecord] = {}

    def refuse_twin(self, line: LineRecord, field: str, value: str) -> None:
        """Two lines of an account never share a number or an alias: a sender would name both."""
        for other in self.lines.values():
            if other.id != line.id and (getattr(other, field) or "").casefold() == value.casefold():
                raise invalid(field, "taken", f"Line {other.name} has this {field} already.")


def _each_line(tx: Tx, commands: Sequence[CommandT], change: Change[CommandT]) -> list[Done[LineView] | Refused]:
    accounts = {command.account_id: _Account(tx, command.account_id) for command in sorted(commands, key=_account_of)}
    outcomes: list[Done[str] | Refused] = []
    for command in commands:
        account = accounts[command.account_id]
        line = account.lines.get(command.line_id)
        if line is None:
            outcomes.append(Refused(HubError(Code.NOT_FOUND)))
            continue
        try:
            outcomes.append(Done(change(tx, account, line, command).id, _effects(command)))
        except HubError as error:
            outcomes.append(Refused(error))
    changed = [line for account in accounts.values() for line in account.changed.values()]
    stored.write_settings(tx.conn, changed)
    stored.write_placing(tx.conn, changed)
    return [_answer(tx, command, outcome) for command, outcome in zip(commands, outcomes, strict=True)]


def _account_of(command: _LineCommand) -> str:
    return command.account_id


def _effects(command: _LineCommand) -> tuple[Effect, ...]:
    return (LiveHint(command.account_id, "line", command.line_id), WakeDispatch(command.account_id, (command.line_id,)))


def _answer(tx: Tx, command: _LineCommand, outcome: Done[str] | Refused) -> Done[LineView] | Refused:
    if isinstance(outcome, Refused):
        return outcome
    view = find_line(tx.conn, command.account_id, outcome.value, now=tx.now)
    if view is None:
        raise LookupError(outcome.value)
    return Done(view, outcome.effects)


# --- settings ----------------------------------------------------------------------------------------------------------------


def update_line(tx: Tx, commands: Sequence[UpdateLine]) -> list[Done[LineView] | Refused]:
    """`validation` names the field that cannot be."""
    return _each_line(tx, commands, _update)


def _update(_tx: Tx, account: _Account, line: LineRecord, command: UpdateLine) -> LineRecord:
    changed = msgspec.structs.replace(line, **_checked(account, line, command))
    if command.is_paused is False:
        changed.paused_until = changed.paused_reason = None
    account.lines[line.id] = account.changed[line.id] = changed
    return changed


def _checked(account: _Account, line: LineRecord, command: UpdateLine) -> dict[str, object]:
    values: dict[str, object] = {}
    if isinstance(command.name, str):
        values["name"] = checked_name(command.name)
    if not isinstance(command.alias, UnsetType):
        values["alias"] = _alias(account, line, command.alias)
    if not isinstance(command.pool, UnsetType):
        values["pool"] = _pool(command.pool)
    if not isinstance(command.number, UnsetType):
        values["number"] = _number(account, line, command.number)
    if isinstance(command.is_enabled, bool):
        values["is_enabled"] = command.is_enabled
    for field in ("per_minute", "per_hour", "per_day", "per_month"):
        limit = getattr(command, field)
        if not isinstance(limit, UnsetType):
            values[field] = _limit(field, limit)
    return values


def _alias(account: _Account, line: LineRecord, alias: str | None) -> str | None:
    if alias is None or not alias.strip():
        return None
    try:
        address = parse_sender(alias, account.region)
    except BadAddress as error:
        raise invalid("alias", "bad_sender", str(error)) from error
    if address.kind is not AddressKind.ALPHANUMERIC:
        raise invalid(
            "alias", "bad_sender", "An alias is a name of 1 to 11 letters, digits and spaces with a letter in it."
        )
    account.refuse_twin(line, "alias", address.value)
    return address.value


def _pool(pool: str | None) -> str | None:
    return checked_name(pool)[:POOL_MAX] if pool is not None and pool.strip() else None


def _number(account: _Account, line: LineRecord, number: str | None) -> str | None:
    if number is None or not number.strip():
        return None
    try:
        address = parse_recipient(number, account.region)
    except BadAddress as error:
        raise invalid("number", error.fault.value, str(error)) from error
    if address.kind is not AddressKind.MSISDN:
        raise invalid("number", "not_a_number", "A line's number is a whole phone number, like +491701234567.")
    account.refuse_twin(line, "number", address.value)
    return address.value


def _limit(field: str, limit: int | None) -> int | None:
    if limit is None and field != "per_minute":
        return None
    if limit is None or not 1 <= limit <= LIMIT_MAX:
        raise invalid(field, "range", f"A limit is 1 to {LIMIT_MAX} segments.")
    return limit


# --- which line a SIM is -----------------------------------------------------------------------------------------------------


def confirm_line(tx: Tx, commands: Sequence[ConfirmLine]) -> list[Done[LineView] | Refused]:
    """Answers with the line the SIM is from now on. `conflict` when it waits for no confirmation, or cannot be that line."""
    return _each_line(tx, commands, _confirm)


def _confirm(tx: Tx, account: _Account, line: LineRecord, command: ConfirmLine) -> LineRecord:
    if not line.awaiting_confirmation:
        raise HubError(Code.CONFLICT, "This line waits for no confirmation.")
    if command.is_same_as is None:
        line.awaiting_confirmation = False
        account.changed[line.id] = line
        return line
    known = account.lines.get(command.is_same_as)
    if known is None:
        raise HubError(Code.NOT_FOUND)
    if known.id not in candidates_among(line, list(account.lines.values())):
        raise HubError(
            Code.CONFLICT, f"This SIM cannot be line {known.name}: that one is elsewhere, or of another carrier."
        )
    known.device_id, known.subscription_id, known.slot = line.device_id, line.subscription_id, line.slot
    known.carrier, known.fingerprint, known.is_present = line.carrier, line.fingerprint, line.is_present
    line.device_id, line.is_present, line.removed_at = None, False, tx.now
    account.changed |= {known.id: known, line.id: line}
    del account.lines[line.id]
    return known


def remove_line(tx: Tx, commands: Sequence[RemoveLine]) -> list[Done[LineView] | Refused]:
    """`conflict` while its SIM is in a phone: it would come back with the next hello."""
    return _each_line(tx, commands, _remove)


def _remove(tx: Tx, account: _Account, line: LineRecord, _command: RemoveLine) -> LineRecord:
    if line.is_present:
        raise HubError(Code.CONFLICT, "Its SIM is in a phone: take it out, or switch the line off.")
    line.removed_at = tx.now
    account.changed[line.id] = line
    del account.lines[line.id]
    return line
