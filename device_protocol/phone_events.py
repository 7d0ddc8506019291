"""The phone's event log: numbering, sending, acknowledgement, keeping, and noticing that the store went back.

    disk     5 6 7 8 | 9 10 11        acked = 8, next_number = 12, oldest_held = 5
             kept      to send         5-8 stay for 7 days: a hub restored from a backup asks for them again

Numbers on disk have no holes: events are appended at `next_number` and removed from the low end only. So a new stream
needs no rewriting: everything held counts as not acknowledged, under the same numbers.
"""

from collections.abc import Callable
from dataclasses import replace

from msgspec import Raw

from device_protocol.errors import DIVERGED, RENUMBERED
from device_protocol.frames import Ack, Event, Gone, Resend
from device_protocol.limits import ACKED_EVENTS_MAX, ACKED_EVENTS_SECONDS, EVENT_WINDOW, STRIKES_MAX
from device_protocol.payloads import Payload, encode_payload, event_type_of
from device_protocol.phone_step import Draft
from device_protocol.phone_store import StoredEvent
from device_protocol.states import SessionState
from device_protocol.wire_types import write_utc

_PRUNED_AT_ONCE = 500


class PhoneEventRules:
    """The rules, each a small method; they hold no state but the source of event ids."""

    def __init__(self, new_uuid: Callable[[], str]) -> None:
        self._new_uuid = new_uuid

    # --- writing and sending

    def _log(self, draft: Draft, payload: Payload) -> int:
        """Append an event; its number. It is sent in order, when its turn comes."""
        number = draft.facts.next_number
        at = draft.now + draft.session.offset
        octets = bytes(encode_payload(payload))
        draft.put_event(StoredEvent(number, self._new_uuid(), event_type_of(payload), at, octets))
        return number

    def _flush(self, draft: Draft) -> None:
        """Send what was not sent in this connection, in order, at most EVENT_WINDOW ahead of the ack."""
        if draft.session.state is not SessionState.LIVE:
            return
        sent = max(draft.session.sent, draft.facts.acked)
        room = max(0, draft.facts.acked + EVENT_WINDOW - sent)
        for event in draft.events(sent + 1, room):
            draft.say(self._as_frame(draft, event))
            sent = event.number
        draft.session = replace(draft.session, sent=sent)

    def _as_frame(self, draft: Draft, event: StoredEvent) -> Event | Gone:
        """The event; or, when the hub closed again and again over the next one due, that it cannot be told.

        A fault of this app must not stop every text behind it: the hub shows the gap, the event stays on disk.
        """
        is_due = event.number == draft.facts.acked + 1
        if is_due and draft.session.strikes >= STRIKES_MAX:
            return Gone(draft.facts.stream, event.number, event.number, "unreadable")
        return event_frame(draft.facts.stream, event)

    # --- acknowledgement

    def _take_ack(self, draft: Draft, ack: Ack) -> None:
        if ack.stream != draft.facts.stream:
            return
        if self._is_divergent(draft, ack.n, ack.uuid):
            self._diverge(draft)
        elif ack.n > draft.facts.acked:
            draft.facts = replace(draft.facts, acked=ack.n)
            draft.session = replace(draft.session, strikes=0)
            self._flush(draft)

    def _take_first_ack(self, draft: Draft, number: int) -> None:
        """The ack in `welcome` is the hub's whole truth: a restored hub may have less than it once acknowledged."""
        draft.facts = replace(draft.facts, acked=number)
        draft.session = replace(draft.session, sent=number)

    def _is_divergent(self, draft: Draft, number: int, uuid: str | None) -> bool:
        """The hub stored what this store never gave out: the phone was set back to an older image of its disk."""
        if number == 0:
            return False
        return number >= draft.facts.next_number or self._is_other_uuid(draft, number, uuid)

    def _is_other_uuid(self, draft: Draft, number: int, uuid: str | None) -> bool:
        mine = draft.events(number, 1)
        return bool(mine and uuid is not None and mine[0].number == number and mine[0].uuid != uuid)

    def _diverge(self, draft: Draft) -> None:
        """Delete nothing; the next hello says so and the hub gives a new stream."""
        draft.facts = replace(draft.facts, is_diverged=True)
        draft.hang_up(DIVERGED)

    def _take_new_stream(self, draft: Draft, stream: str) -> None:
        """Everything held comes again in the new stream, acknowledged or not; uuids tell the hub what it has."""
        settled = self._settled_in_new_stream(draft)
        draft.facts = replace(draft.facts, stream=stream, acked=settled, is_diverged=False)
        draft.hang_up(RENUMBERED)

    def _settled_in_new_stream(self, draft: Draft) -> int:
        return draft.oldest_held() - 1

    # --- holes

    def _take_resend(self, draft: Draft, resend: Resend) -> None:
        if resend.stream != draft.facts.stream:
            draft.say(Gone(resend.stream, resend.first, resend.last, "other_stream"))
        elif resend.last >= draft.facts.next_number:
            self._diverge(draft)
        else:
            self._answer_resend(draft, resend)

    def _answer_resend(self, draft: Draft, resend: Resend) -> None:
        """Events the phone has and `gone` for the runs between them, ascending."""
        missing = resend.first
        for event in draft.events(resend.first, resend.last - resend.first + 1):
            if event.number > resend.last:
                break
            if event.number > missing:
                draft.say(Gone(resend.stream, missing, event.number - 1, "aged"))
            draft.say(event_frame(resend.stream, event))
            missing = event.number + 1
        if missing <= resend.last:
            draft.say(Gone(resend.stream, missing, resend.last, "aged"))

    # --- keeping

    def _prune(self, draft: Draft) -> None:
        """Remove acknowledged events that are too old or too many."""
        if not self._may_delete(draft):
            return
        first = draft.facts.acked - ACKED_EVENTS_MAX + 1
        cutoff = draft.now + draft.session.offset - ACKED_EVENTS_SECONDS * 1000
        keep_from = 0
        for event in draft.events(0, _PRUNED_AT_ONCE):
            if event.number > draft.facts.acked or not (event.number < first or event.at < cutoff):
                break
            keep_from = event.number + 1
        if keep_from:
            draft.delete_events_below(keep_from)

    def _may_delete(self, draft: Draft) -> bool:
        """From hello until welcome nothing: hello said what is held, and the answer may ask for it."""
        return draft.session.state is not SessionState.GREETING


def event_frame(stream: str, event: StoredEvent) -> Event:
    """A stored event as the wire has it."""
    at = Raw(f'"{write_utc(event.at)}"'.encode())
    return Event(stream, event.number, event.uuid, event.event_type, at, Raw(event.payload))
