"""hello, recall and the end of a hold, on the hub's side."""

from dataclasses import replace

from device_protocol.frames import AckPoint, App, Bye, Go, HeldJob, Hello, JobRef, JobState, Recall, Recalled, Resend
from device_protocol.handover import Adopt, Bind, HubJob
from device_protocol.hub_side import DeviceMemory, HubMemory, HubRules, TurnedAway, Welcomed
from device_protocol.numbering import StreamMemory
from device_protocol.states import HubJobState
from device_protocol.wire_types import write_utc

RULES = HubRules()
NOW = 1_795_271_465_120
HUB = HubMemory("e1", is_held=False, now=NOW)
DEVICE = DeviceMemory("d1", 4, 11, (StreamMemory("s", 3, "u3"),), recalled_epoch="e1")


def hello(connect: int = 5, **fields: object) -> Hello:
    defaults: dict[str, object] = {"stream": "s", "oldest_held": 2, "next": 6}
    return Hello(connect, App("1"), **{**defaults, **fields})  # type: ignore[arg-type]


def greet(device: DeviceMemory, frame: Hello, *jobs: HubJob, hub: HubMemory = HUB) -> Welcomed:
    answer = RULES.hello(device, hub, frame, {job.id: job for job in jobs}, "fresh")
    assert isinstance(answer, Welcomed)
    return answer


def test_hello_raises_the_session_and_remembers_the_counter() -> None:
    answer = greet(DEVICE, hello())
    assert (answer.memory.session_no, answer.memory.connect) == (12, 5)
    welcome = answer.welcome
    assert (welcome.session_no, welcome.hub_epoch, welcome.hub_time) == (12, "e1", write_utc(NOW))
    assert welcome.acks == {"s": AckPoint(3, "u3")}
    assert answer.frames == (welcome,)
    assert not answer.is_renumbering


def test_only_the_newest_connection_may_write() -> None:
    memory = greet(DEVICE, hello()).memory
    assert RULES.is_current(memory, 12)
    assert not RULES.is_current(memory, 11)
    assert not RULES.is_current(memory, 13)


def test_a_hello_that_is_not_newer_is_turned_away_and_told_the_counter() -> None:
    for connect in (3, 4):
        answer = RULES.hello(DEVICE, HUB, hello(connect), {}, "fresh")
        assert answer == TurnedAway(Bye(4006, "stale_hello", connect=4))


def test_what_follows_welcome_comes_in_order() -> None:
    bound = HubJob("m", HubJobState.OFFERED, 7, "d1")
    lost = HubJob("n", HubJobState.OFFERED, 8, "d1")
    listed = (HeldJob("m", 7, JobState.ACCEPTED),)
    answer = greet(DEVICE, hello(jobs=listed, oldest_held=6), bound, lost)
    assert answer.verdicts == (Bind(JobRef("m", 7)),)
    assert answer.welcome.keep == (JobRef("m", 7),)
    assert answer.frames == (answer.welcome, Go("m", 7), Resend("s", 4, 5))
    assert answer.offer_again == (JobRef("n", 8),)


def test_with_a_new_stream_nothing_follows_welcome_but_what_hello_proves_is_written() -> None:
    bound = HubJob("m", HubJobState.OFFERED, 7, "d1")
    listed = (HeldJob("m", 7, JobState.ACCEPTED),)
    answer = greet(DEVICE, hello(jobs=listed, is_diverged=True), bound)
    assert answer.is_renumbering
    assert answer.frames == (answer.welcome,)
    assert answer.welcome.new_stream == "fresh"
    assert answer.welcome.acks == {"fresh": AckPoint(1, None)}
    assert answer.verdicts == (Bind(JobRef("m", 7)),)
    assert [stream.stream for stream in answer.memory.streams] == ["s", "fresh"]


RESTORED = HubMemory("e2", is_held=True, now=NOW)


def test_a_restored_hub_asks_every_phone_until_it_has_told_everything() -> None:
    answer = greet(DEVICE, hello(), hub=RESTORED)
    question = Recall(write_utc(NOW - 7 * 24 * 3600 * 1000))
    assert answer.frames == (answer.welcome, question)
    queued = HubJob("m", HubJobState.QUEUED, 2)
    page = Recalled((HeldJob("m", 7, JobState.SENT), HeldJob("unknown", 1, JobState.SENT)), cursor=2)
    step = RULES.recall_page(answer.memory, RESTORED, page, {"m": queued})
    assert step.decision.verdicts == (Adopt(JobRef("m", 7), JobState.SENT),)
    assert step.next_question == replace_cursor(question, 2)
    assert step.memory == answer.memory
    assert greet(step.memory, hello(6), hub=RESTORED).frames[-1] == question, "a cut in between asks anew"
    last = RULES.recall_page(step.memory, RESTORED, Recalled(), {})
    assert (last.next_question, last.memory.recalled_epoch) == (None, "e2")
    assert len(greet(last.memory, hello(6), hub=RESTORED).frames) == 1


def replace_cursor(question: Recall, cursor: int) -> Recall:
    return Recall(question.since, cursor)


def test_a_hold_ends_when_every_phone_has_told() -> None:
    told = replace(DEVICE, recalled_epoch="e2")
    assert not RULES.may_end_hold((told, DEVICE), RESTORED)
    assert RULES.may_end_hold((told, told), RESTORED)
    assert RULES.may_end_hold((), RESTORED)


def test_phone_of_knows_the_hold_and_who_has_news() -> None:
    phone = RULES.phone_of(DEVICE, RESTORED)
    assert (phone.device, phone.is_held, phone.has_news) == ("d1", True, True)
    phone = RULES.phone_of(DEVICE, HUB)
    assert (phone.is_held, phone.has_news) == (False, False)
