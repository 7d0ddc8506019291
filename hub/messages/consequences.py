"""What a phone's failure means beyond its message: the line rests or is out, and other messages look for another way.

The state table says what the *message* may do; the action beside it (`hub.core.results.Action`) says what the *line* must.
"""

from typing import NamedTuple

from hub.core.effects import Effect, LiveHint
from hub.core.folding import Decision
from hub.core.results import Action
from hub.core.status import WAITING
from hub.messages.ledger import Entry, Ledger
from hub.messages.routes import move_on
from hub.storage.messages_lines import LineRow, lines_by_id, mark_absent, pause_lines

REST_SECONDS = {
    "os_rate_limit": 600.0,
    "radio_off": 30.0,
    "no_service": 30.0,
    "queue_full": 15.0,
    "paused": 15.0,
    "storage": 60.0,
}
"""How long a line offers nothing after one of these reasons, so that its other texts are not refused one by one."""


class _Fault(NamedTuple):
    entry: Entry
    device_id: str
    action: Action
    reason: str


class Consequences:
    """Collects the failures of a batch, and carries out what follows from them once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._faults: list[_Fault] = []

    def note(self, entry: Entry, device_id: str, decision: Decision) -> None:
        """A decision about this message that came from this phone's word."""
        if decision.is_applied and decision.action is not Action.NONE:
            self._faults.append(_Fault(entry, device_id, decision.action, decision.reason or ""))

    def carry_out(self) -> tuple[Effect, ...]:
        """Pause and mark lines, and give messages that wait now another line where there is one."""
        if not self._faults:
            return ()
        tx = self._ledger.tx
        accounts = {fault.entry.row.account_id for fault in self._faults}
        lines = lines_by_id(tx.conn, accounts, {fault.entry.row.line_id or "" for fault in self._faults})
        changed = self._rest(lines) | self._take_out(lines)
        move_on(self._ledger, [fault.entry for fault in self._faults if self._should_leave(fault)])
        return tuple(LiveHint(lines[line_id].account_id, "line", line_id) for line_id in sorted(changed))

    def _rest(self, lines: dict[str, LineRow]) -> set[str]:
        now = self._ledger.tx.now
        pauses = {}
        for fault in self._faults:
            line = _its_line(fault, lines)
            if line is not None and fault.reason in REST_SECONDS:
                until = now + round(REST_SECONDS[fault.reason] * 1000)
                if line.paused_until is None or line.paused_until < until:
                    pauses[line.id] = (line.account_id, line.id, until, fault.reason)
        pause_lines(self._ledger.tx.conn, list(pauses.values()))
        return set(pauses)

    def _take_out(self, lines: dict[str, LineRow]) -> set[str]:
        found = [_its_line(fault, lines) for fault in self._faults if fault.action is Action.DISABLE_LINE]
        gone = {line.id: line for line in found if line is not None and line.is_present}
        mark_absent(self._ledger.tx.conn, [(line.account_id, line.id) for line in gone.values()])
        return set(gone)

    def _should_leave(self, fault: _Fault) -> bool:
        """A fault of the phone or SIM: another line may do. Bad radio or a busy SIM passes where it is."""
        leaves = (Action.RETRY_OTHER, Action.DISABLE_LINE, Action.PAUSE_LINE)
        return fault.action in leaves and fault.entry.status in WAITING and not fault.entry.row.is_pinned


def _its_line(fault: _Fault, lines: dict[str, LineRow]) -> LineRow | None:
    """The line that failed: the message's, if its SIM is still in the phone that speaks."""
    line = lines.get(fault.entry.row.line_id or "")
    return line if line is not None and line.device_id == fault.device_id else None
