"""`hub.core.events`: the closed list, and which applied move makes which."""

import json
from typing import Any

import msgspec
import pytest

from hub.core import events
from hub.core.clock import rfc3339
from hub.core.events import DATA_OF, EVENT_OF, EventType, MessageData, ReceivedData
from hub.core.status import MOVES, Status, Transition

CLOSED_LIST = (
    "sms:received sms:queued sms:sent sms:delivered sms:undelivered sms:failed sms:expired sms:cancelled "
    "sms:uncertain sms:dead_letter mms:received call:missed sim:changed device:online device:offline "
    "endpoint:failing endpoint:disabled endpoint:recovered system:ping"
)
AT = rfc3339(1_790_000_000_000)


def test_the_list_is_closed() -> None:
    assert [event.value for event in EventType] == CLOSED_LIST.split()
    assert set(DATA_OF) == set(EventType)


@pytest.mark.parametrize("status", Status)
def test_each_status_announces_itself_or_nothing(status: Status) -> None:
    silent = {Status.SCHEDULED, Status.DISPATCHED, Status.RETRIED}
    expected = None if status in silent else f"sms:{status}"
    assert (EVENT_OF[status].value if status in EVENT_OF else None) == expected


def test_one_move_makes_one_event_at_most() -> None:
    for before, afters in MOVES.items():
        for after in afters:
            told = events.events_of([Transition(before, after)])
            assert told == ((EVENT_OF[after],) if after in EVENT_OF else ())


def test_what_is_passed_through_is_not_told() -> None:
    adopted = [
        Transition(Status.SCHEDULED, Status.QUEUED),
        Transition(Status.QUEUED, Status.DISPATCHED),
        Transition(Status.DISPATCHED, Status.SENT),
    ]
    assert events.events_of(adopted) == (EventType.SMS_SENT,)
    assert events.events_of(adopted[:1]) == (EventType.SMS_QUEUED,)
    gave_up = [Transition(Status.DISPATCHED, Status.RETRIED), Transition(Status.RETRIED, Status.DEAD_LETTER)]
    assert events.events_of(gave_up) == (EventType.SMS_DEAD_LETTER,)
    assert events.events_of([]) == ()


SAMPLES: dict[type[events.Data], events.Data] = {
    MessageData: MessageData(
        id="msg_1",
        status="sent",
        to="+49",
        from_="+1",
        text="é",
        encoding="gsm7",
        segments=1,
        created_at=AT,
        changed_at=AT,
    ),
    ReceivedData: ReceivedData(id="msg_1", from_="+49", text="\u2028", received_at=AT),
    events.MmsData: events.MmsData(id="msg_1", from_="+49", received_at=AT),
    events.MissedCallData: events.MissedCallData(id="msg_1", from_="+49", called_at=AT),
    events.SimChangedData: events.SimChangedData(device_id="dev_1", sims=(events.SimData(slot=0),), changed_at=AT),
    events.DeviceData: events.DeviceData(device_id="dev_1", name="Workshop"),
    events.EndpointData: events.EndpointData(endpoint_id="whk_1", url="https://a.example/", state="disabled"),
}


@pytest.mark.parametrize("event", EventType)
def test_data_comes_back_as_it_was_stored(event: EventType) -> None:
    data = SAMPLES[DATA_OF[event]]
    assert events.decode(event, events.encode(data)) == data


@pytest.mark.parametrize("shape", SAMPLES.values(), ids=lambda data: type(data).__name__)
def test_every_key_is_always_there_and_says_from_not_from_(shape: events.Data) -> None:
    stored: dict[str, Any] = json.loads(events.encode(shape))
    assert set(stored) == {field.encode_name for field in msgspec.structs.fields(shape)}
    assert "from_" not in stored


def test_data_of_another_event_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        events.decode(EventType.SMS_RECEIVED, events.encode(SAMPLES[events.DeviceData]))
