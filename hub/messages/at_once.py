"""Offers made in the transaction that accepts a text, where its phone is connected here and has nothing before it.

Most texts of a busy shop meet an idle phone: storing them, and then loading them again to offer them, would cost a transaction more.
The rules are those of an offer (`hub.messages.dispatch`); whatever needs a second look (a queue on the line, a batch that may be paused,
attachments, a line whose pace is used up) is left to the dispatcher. So the order of a line's queue stays what it is.
"""

from collections.abc import Sequence

from hub.core import moves
from hub.core.address import is_sealed
from hub.core.effects import ToPhone
from hub.core.pacing import Sent, Usage, allowance
from hub.core.ports import AtHand
from hub.core.status import Status
from hub.messages.jobs import job_frame
from hub.messages.ledger import HUB, Ledger
from hub.messages.lines import DECRYPTING_TRANSPORTS, LineBook, limits_of, line_usage, may_send, utc_offsets
from hub.messages.sent_media import MMS
from hub.storage.messages import Hop, MessageRow
from hub.storage.messages_lines import LineRow
from hub.storage.messages_phones import fence_phones
from hub.storage.messages_queue import lines_with_waiting, open_offers
from hub.storage.transaction import Tx


class OffersAtOnce:
    """The offers of one batch of accepted texts. The rows are changed before they are stored."""

    def __init__(self, tx: Tx, book: LineBook) -> None:
        self._tx, self._book = tx, book
        self._lines: dict[str, LineRow] = {}
        self._at_hand: dict[str, AtHand] = {}
        self._open: dict[str, int] = {}
        self._out: dict[str, int] = {}
        self._zones: dict[str, int] = {}
        self._usage: dict[str, Usage] = {}

    def offer(self, rows: Sequence[MessageRow]) -> tuple[list[Hop], list[ToPhone]]:
        """Offer, in this order, each of the rows that may go now; what to add to their timelines, and the jobs."""
        for row in rows:
            self._look_at(row)
        if not self._lines:
            return [], []
        ledger = Ledger(self._tx, ())
        if ledger.is_held:
            return [], []
        self._read()
        jobs = [job for row in rows if (job := self._job(ledger, row)) is not None]
        return ledger.take_told(), jobs

    def _look_at(self, row: MessageRow) -> None:
        """Note the row's line if the phone it sits in is connected here, on the connection the database knows."""
        line = self._book.line(row.account_id, row.line_id)
        if line is None or line.id in self._lines or line.device_id is None or not may_send(line, self._tx.now):
            return
        at_hand = self._at_hand.get(line.device_id) or self._tx.at_hand(line.device_id)
        if at_hand is not None and at_hand.session_no == line.session_no:
            self._at_hand[line.device_id] = at_hand
            self._lines[line.id] = line

    def _read(self) -> None:
        conn, now = self._tx.conn, self._tx.now
        phones = fence_phones(conn, self._at_hand)
        for line in list(self._lines.values()):
            phone = phones.get(line.device_id or "")
            if phone is None or phone.session_no != line.session_no:
                del self._lines[
                    line.id
                ]  # it has come back on another connection meanwhile, maybe to another hub process
        for device_id, line_id, segments in open_offers(conn, self._at_hand):
            self._open[device_id] = self._open.get(device_id, 0) + 1
            self._out[line_id] = self._out.get(line_id, 0) + segments
        for line_id in lines_with_waiting(self._tx, self._lines):
            del self._lines[line_id]
        lines = list(self._lines.values())
        self._zones = utc_offsets([line for line in lines if line.per_day or line.per_month], now)
        self._usage = line_usage(conn, now, lines, self._zones)

    def _job(self, ledger: Ledger, row: MessageRow) -> ToPhone | None:
        """The row's offer; None leaves it, and all behind it on its line, to the dispatcher."""
        line = self._lines.get(row.line_id or "")
        if line is None or line.device_id is None or row.state != Status.QUEUED.value:
            return None
        at_hand = self._at_hand[line.device_id]
        if row.batch_id is not None or row.kind == MMS or not self._may_go(line, row, at_hand):
            del self._lines[line.id]
            return None
        offer = moves.Offer(
            message_id=row.id, at=self._tx.now, device_id=line.device_id, submission=row.submission + 1, line_id=line.id
        )
        ledger.apply(ledger.add(row), offer, HUB)
        self._open[line.device_id] = self._open.get(line.device_id, 0) + 1
        self._out[line.id] = self._out.get(line.id, 0) + row.segments
        return ToPhone(line.device_id, at_hand.session_no, job_frame(row, line, self._tx.now))

    def _may_go(self, line: LineRow, row: MessageRow, at_hand: AtHand) -> bool:
        if self._open.get(line.device_id or "", 0) >= at_hand.most_open:
            return False
        if is_sealed(row.peer) and line.transport not in DECRYPTING_TRANSPORTS:
            return False
        usage, out = self._usage[line.id], self._out.get(line.id, 0)
        counted = Usage(
            recent=(*usage.recent, Sent(self._tx.now, out)) if out else usage.recent,
            today=usage.today + out,
            this_month=usage.this_month + out,
        )
        offset = self._zones.get(line.account_id, 0)
        room = allowance(counted, limits_of(line), self._tx.now, want=row.segments, utc_offset_seconds=offset)
        return room.next_at is not None and room.next_at <= self._tx.now
