"""What a phone's failure means beyond its message: the line rests or is out, and other messages look for another way.

The state table says what the *message* may do; the action beside it (`hub.core.results.Action`) says what the *line* must.
"""

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


_LEAVE = frozenset({Action.RETRY_OTHER, Action.DISABLE_LINE, Action.PAUSE_LINE})
"""A fault of the phone or SIM: another line may do. Bad radio or a busy SIM passes where it is."""


class Consequences:
    """Carries out what follows from the failures of a batch, each before the next word is folded.

    Failures are rare, so what the batch came to is written before one is acted on: queues and budgets are read back true.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.effects: list[Effect] = []
        """What must happen after the commit."""

    def follow(self, entry: Entry, device_id: str, decision: Decision) -> None:
        """Act on a decision about this message that came from this phone's word."""
        if not decision.is_applied or decision.action is Action.NONE:
            return
        self._ledger.flush()
        line = self._line_of(entry, device_id)
        if line is not None:
            self._rest(line, decision.reason or "")
            self._take_out(line, decision.action)
        if decision.action in _LEAVE and entry.status in WAITING and not entry.row.is_pinned:
            self.effects += move_on(self._ledger, [entry])

    def _line_of(self, entry: Entry, device_id: str) -> LineRow | None:
        """The line that failed: the message's, if its SIM is still in the phone that speaks."""
        row = entry.row
        line = lines_by_id(self._ledger.tx.conn, {row.account_id}, {row.line_id or ""}).get(row.line_id or "")
        return line if line is not None and line.device_id == device_id else None

    def _rest(self, line: LineRow, reason: str) -> None:
        """No offers on the line for a while; a longer pause stands."""
        if reason not in REST_SECONDS:
            return
        until = self._ledger.tx.now + round(REST_SECONDS[reason] * 1000)
        if line.paused_until is None or line.paused_until < until:
            pause_lines(self._ledger.tx.conn, [(line.account_id, line.id, until, reason)])
            self.effects.append(LiveHint(line.account_id, "line", line.id))

    def _take_out(self, line: LineRow, action: Action) -> None:
        """The SIM is gone or locked, or the app may not send: no routes to it until the phone lists it again."""
        if action is Action.DISABLE_LINE and line.is_present:
            mark_absent(self._ledger.tx.conn, [(line.account_id, line.id)])
            self.effects.append(LiveHint(line.account_id, "line", line.id))
