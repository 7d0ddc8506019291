"""How the hub follows a phone's numbered events: what is stored, what is missing, and when a store went back.

    number   1 2 3 4 5 6 7 8
    stored   x x x . . x . x      contiguous = 3, beyond = {6, 8}, given_out = 8
                                  -> ack 3, resend 4-5; then 7

Numbers only find holes. What an event *is*, and whether it came before, is decided by its uuid alone: storage keeps
(device, uuid) unique and stores every unknown uuid, whatever its number says. So nothing here can lose a text; at worst
a number is asked for again.
"""

from bisect import bisect_left
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from device_protocol.frames import Ack, Hello, Resend
from device_protocol.limits import BEYOND_MAX, RESEND_MAX, STREAMS_MAX


class StreamMemory(Struct, frozen=True):
    """What the hub knows of one stream of one device; a row beside the device, read and written under its lock.

    Every number up to `contiguous` is stored or a known gap; `uuid` is what is stored there (None for 0 and a gap).
    `beyond` are stored numbers above a hole, ascending, at most BEYOND_MAX. `given_out` is the highest number the phone
    is known to have used. `received` and `asked` are of the present connection: the highest number that came, and the
    end of the last `resend`.
    """

    stream: str
    contiguous: int = 0
    uuid: str | None = None
    beyond: tuple[tuple[int, str | None], ...] = ()
    given_out: int = 0
    received: int = 0
    asked: int = 0


class Gap(Struct, frozen=True):
    """Numbers (both ends included) no event will come for; stored, counted and shown, never silent."""

    stream: str
    first: int
    last: int
    reason: str


class Numbered(Struct, frozen=True):
    """What to write after events of one connection: the stream's row and gaps. Then send `ack`, then `resend`."""

    memory: StreamMemory
    gaps: tuple[Gap, ...] = ()
    resend: Resend | None = None

    @property
    def ack(self) -> Ack:
        """The acknowledgement to send after the commit."""
        return Ack(self.memory.stream, self.memory.contiguous, self.memory.uuid)


class StreamChoice(Struct, frozen=True):
    """What hello means for numbering: the streams to remember (the current one last), gaps, and what to ask.

    `new_stream` is set when the phone has to change to it; the current stream is then the new one.
    """

    streams: tuple[StreamMemory, ...]
    gaps: tuple[Gap, ...] = ()
    new_stream: str | None = None
    resend: Resend | None = None

    @property
    def current(self) -> StreamMemory:
        """The stream of this connection."""
        return self.streams[-1]


class NumberingRules:
    """The rules, each a small method. They hold no state."""

    # --- events of a connection

    def take_events(self, memory: StreamMemory, events: Iterable[tuple[int, str]]) -> Numbered:
        """Fold (number, uuid) pairs of this stream, in arrival order, into its memory; one ack for all of them."""
        resend = None
        for number, uuid in events:
            numbered = self.take_event(memory, number, uuid)
            memory, resend = numbered.memory, numbered.resend or resend
        return Numbered(memory, resend=resend)

    def take_event(self, memory: StreamMemory, number: int, uuid: str) -> Numbered:
        """One stored event. A number already settled changes nothing: the first uuid stays the one acknowledged."""
        given_out, received = max(memory.given_out, number), max(memory.received, number)
        if number == memory.contiguous + 1 and not memory.beyond:
            heard = StreamMemory(memory.stream, number, uuid, (), given_out, received, memory.asked)
        else:
            heard = replace(memory, given_out=given_out, received=received)
            if number > memory.contiguous:
                heard = self._absorb(replace(heard, beyond=self._tracked(heard.beyond, number, uuid)))
        return self._ask(heard)

    def take_gone(self, memory: StreamMemory, first: int, last: int, reason: str) -> Numbered:
        """The phone has nothing for these numbers: those not stored become a gap and no longer hold up the ack.

        Above a hole nothing is recorded: the numbers are asked for again when the hole is closed. Of numbers the phone
        has yet to give out nothing is believed: they cannot be gone.
        """
        last = min(last, memory.given_out)
        if first > memory.contiguous + 1 or last <= memory.contiguous:
            return self._ask(memory)
        gaps = tuple(
            Gap(memory.stream, start, end, reason)
            for start, end in _missing(memory.beyond, memory.contiguous + 1, last)
        )
        if not gaps:
            return self._ask(memory)
        below = replace(memory, contiguous=last, uuid=_uuid_at(memory.beyond, last))
        return replace(self._ask(self._absorb(below)), gaps=gaps)

    # --- hello

    def choose_stream(self, streams: tuple[StreamMemory, ...], hello: Hello, fresh_stream: str) -> StreamChoice:
        """The stream this connection counts in; `fresh_stream` is a random id, used only when a new one is needed.

        A phone whose store went back would give numbers the hub already has to new events. It is told a new stream,
        in which everything it holds comes again (uuids tell what is new) and numbers go on from `oldest_held`.
        """
        memory = self._stream_of(streams, hello)
        if self._is_store_older(streams, memory, hello):
            return self._change_stream(streams, memory, hello, fresh_stream)
        numbered = self._greet(memory, hello)
        return StreamChoice(self._remember(streams, numbered.memory), resend=numbered.resend)

    def _is_store_older(self, streams: tuple[StreamMemory, ...], memory: StreamMemory, hello: Hello) -> bool:
        return (
            self._is_number_reused(memory, hello)
            or self._is_told_diverged(hello)
            or self._is_stream_left(streams, hello)
        )

    def _is_number_reused(self, memory: StreamMemory, hello: Hello) -> bool:
        """The phone's next new event would carry a number that is already acknowledged."""
        return hello.next <= memory.contiguous

    def _is_told_diverged(self, hello: Hello) -> bool:
        """The phone itself saw another uuid, or a number it never gave out, in what the hub said."""
        return hello.is_diverged

    def _is_stream_left(self, streams: tuple[StreamMemory, ...], hello: Hello) -> bool:
        """The phone counts in a stream it had already left."""
        return any(known.stream == hello.stream for known in streams[:-1])

    def _change_stream(
        self, streams: tuple[StreamMemory, ...], old: StreamMemory, hello: Hello, fresh_stream: str
    ) -> StreamChoice:
        gaps = self._close_old(old, hello)
        closed = replace(old, contiguous=max(old.contiguous, hello.oldest_held - 1), uuid=None, beyond=())
        new = self._begin(fresh_stream, hello)
        kept = self._remember(self._remember(streams, closed), new)
        return StreamChoice(kept, gaps=gaps, new_stream=fresh_stream)

    def _close_old(self, old: StreamMemory, hello: Hello) -> tuple[Gap, ...]:
        """Numbers of the old stream that were never stored and that the phone no longer holds."""
        missing = _missing(old.beyond, old.contiguous + 1, hello.oldest_held - 1)
        return tuple(Gap(old.stream, first, last, "store_went_back") for first, last in missing)

    def _begin(self, stream: str, hello: Hello) -> StreamMemory:
        """The new stream counts on from `oldest_held`; lower numbers count as settled."""
        settled = hello.oldest_held - 1
        return StreamMemory(stream, contiguous=settled, given_out=settled, received=settled)

    def _greet(self, memory: StreamMemory, hello: Hello) -> Numbered:
        """A new connection: the phone sends what it holds above the ack by itself; what is below must be asked for."""
        given_out = max(memory.given_out, hello.next - 1)
        fresh = replace(memory, given_out=given_out, received=memory.contiguous, asked=0)
        return self._ask_below(fresh, hello.oldest_held)

    def _ask_below(self, memory: StreamMemory, oldest_held: int) -> Numbered:
        return self._ask(replace(memory, received=max(memory.received, oldest_held - 1)))

    def _stream_of(self, streams: tuple[StreamMemory, ...], hello: Hello) -> StreamMemory:
        for memory in streams:
            if memory.stream == hello.stream:
                return memory
        return StreamMemory(hello.stream)

    def _remember(self, streams: tuple[StreamMemory, ...], memory: StreamMemory) -> tuple[StreamMemory, ...]:
        others = tuple(known for known in streams if known.stream != memory.stream)
        return (*others, memory)[-STREAMS_MAX:]

    # --- shared

    def _tracked(
        self, beyond: tuple[tuple[int, str | None], ...], number: int, uuid: str
    ) -> tuple[tuple[int, str | None], ...]:
        place = bisect_left(beyond, number, key=lambda entry: entry[0])
        if place < len(beyond) and beyond[place][0] == number:
            return beyond
        return (*beyond[:place], (number, uuid), *beyond[place:])

    def _absorb(self, memory: StreamMemory) -> StreamMemory:
        """Move `contiguous` up through numbers that were waiting for it."""
        contiguous, uuid, used = memory.contiguous, memory.uuid, 0
        for number, stored in memory.beyond:
            if number > contiguous + 1:
                break
            used += 1
            if number == contiguous + 1:
                contiguous, uuid = number, stored
        # At the cap the highest numbers are forgotten, not refused: their events are stored all the same.
        beyond = memory.beyond[used : used + BEYOND_MAX]
        return replace(memory, contiguous=contiguous, uuid=uuid, beyond=beyond)

    def _ask(self, memory: StreamMemory) -> Numbered:
        """Ask for the lowest hole, one request at a time: the next one when the last is answered."""
        if memory.contiguous >= memory.received or memory.contiguous < memory.asked:
            return Numbered(memory)
        first = memory.contiguous + 1
        last = memory.beyond[0][0] - 1 if memory.beyond else memory.received
        last = min(last, memory.received, memory.contiguous + RESEND_MAX)
        return Numbered(replace(memory, asked=last), resend=Resend(memory.stream, first, last))


def _missing(beyond: tuple[tuple[int, str | None], ...], first: int, last: int) -> list[tuple[int, int]]:
    """Ranges of [first, last] that are not in `beyond`."""
    ranges = []
    for number, _ in beyond:
        if number > last:
            break
        if number >= first:
            if number > first:
                ranges.append((first, number - 1))
            first = number + 1
    if first <= last:
        ranges.append((first, last))
    return ranges


def _uuid_at(beyond: tuple[tuple[int, str | None], ...], number: int) -> str | None:
    return next((uuid for known, uuid in beyond if known == number), None)
