"""Between the stored row of an event stream and the pure rules that number its events."""

from collections.abc import Iterable, Mapping

import msgspec

from device_protocol.numbering import Gap, StreamMemory
from hub.core.clock import UtcMs
from hub.storage.devices import GapRow
from hub.storage.devices_events import StreamRow
from hub.storage.transaction import Tx

_beyond_decoder = msgspec.json.Decoder(list[tuple[int, str | None, int | None]])
_encoder = msgspec.json.Encoder()


class Stream:
    """One stream of one phone while a batch is applied: the rules' memory, and the phone's times of the numbers above it."""

    __slots__ = ("_row", "_times", "clock_ahead_ms", "complete_up_to", "last_event_at", "memory")

    def __init__(self, row: StreamRow) -> None:
        self._row = row
        beyond = _beyond_decoder.decode(row.beyond) if row.beyond != "[]" else []
        self._times: dict[int, UtcMs] = {number: at for number, _, at in beyond if at is not None}
        self.memory = StreamMemory(
            stream=row.stream,
            contiguous=row.contiguous,
            uuid=row.contiguous_uuid,
            beyond=tuple((number, uuid) for number, uuid, _ in beyond),
            given_out=row.given_out,
            received=row.received,
            asked=row.asked,
        )
        self.last_event_at = row.last_event_at
        self.complete_up_to = row.complete_up_to
        self.clock_ahead_ms = row.clock_ahead_ms

    def heard(self, number: int, at: UtcMs, now: UtcMs) -> None:
        """Note the phone's time of an event, before the rules number it. One that is settled already says nothing new."""
        if number > self.memory.contiguous:
            self._times.setdefault(number, at)
        self.last_event_at = now
        self.clock_ahead_ms = at - now if at > now else None

    def advance(self, memory: StreamMemory) -> None:
        """Take the rules' new memory; `complete_up_to` follows the last event below the first hole.

        Afterwards a time is known of the numbers beyond that hole and of no other, as when the row is read back: where one batch ends
        and the next begins must not show.
        """
        if memory.contiguous > self.memory.contiguous:
            passed = [number for number in self._times if number <= memory.contiguous]
            if passed:
                self.complete_up_to = self._times[max(passed)]
            for number in passed:
                del self._times[number]
        if len(self._times) > len(memory.beyond):  # the rules forget the highest numbers at their cap
            tracked = {number for number, _ in memory.beyond}
            self._times = {number: at for number, at in self._times.items() if number in tracked}
        self.memory = memory

    def row(self) -> StreamRow:
        """What to write."""
        memory = self.memory
        return msgspec.structs.replace(
            self._row,
            contiguous=memory.contiguous,
            contiguous_uuid=memory.uuid,
            given_out=memory.given_out,
            received=memory.received,
            asked=memory.asked,
            beyond=_beyond_json(memory, self._times) if memory.beyond else "[]",
            last_event_at=self.last_event_at,
            complete_up_to=self.complete_up_to,
            clock_ahead_ms=self.clock_ahead_ms,
        )


def _beyond_json(memory: StreamMemory, times: Mapping[int, UtcMs]) -> str:
    return _encoder.encode([(number, uuid, times.get(number)) for number, uuid in memory.beyond]).decode()


def empty_row(device_id: str, account_id: str, stream: str, now: UtcMs) -> StreamRow:
    """The row of a stream the hub had not met."""
    return StreamRow(
        device_id=device_id,
        stream=stream,
        account_id=account_id,
        contiguous=0,
        contiguous_uuid=None,
        given_out=0,
        received=0,
        asked=0,
        beyond="[]",
        used_no=0,
        last_event_at=None,
        complete_up_to=None,
        clock_ahead_ms=None,
        created_at=now,
    )


def gap_rows(tx: Tx, account_id: str, device_id: str, gaps: Iterable[Gap]) -> list[GapRow]:
    """What is stored of numbers that no event will come for."""
    return [
        GapRow(tx.new_id(), account_id, device_id, gap.stream, gap.first, gap.last, gap.reason, tx.now) for gap in gaps
    ]
