"""A restored hub asks its phones what they did, sends nothing until they have told, and then decides from what is known."""

from device_protocol.errors import HOLD_ENDED
from device_protocol.frames import Go, HeldJob, JobState, Recall, Recalled
from device_protocol.payloads import SmsFailed, SmsSent
from hub.core.effects import ClosePhone
from hub.core.errors import Code
from hub.devices.hold import EndHold, end_hold
from hub.devices.recall import TakeRecalled, take_recalled
from hub.storage.facts import find_fact
from hub.storage.schema.devices import Device, DeviceEvent
from tests.integration.devices.handsets import EPOCH, OTHER_SECRET, Handset, connected, sim
from tests.integration.messages.world import ACCOUNT, STRANGER, World
from tests.integration.messages.world import Phones as Texts

MINE = sim(number="+447700900001")


def restored(world: World, *handsets: Handset) -> None:
    """The hub is one restored from a backup: a new epoch, and a hold."""
    for handset in handsets:
        world.change(Device, handset.device_id, recalled_epoch="epoch0")
    world.hold()


def recall(handset: Handset, *jobs: HeldJob, cursor: int | None = None) -> None:
    command = TakeRecalled(
        account_id=handset.account_id,
        device_id=handset.device_id,
        session_no=handset.session_no,
        page=Recalled(jobs, cursor),
        hub_epoch=EPOCH,
    )
    handset.world.do(take_recalled, command)


def is_held(world: World) -> bool:
    with world.conn.begin():
        return find_fact(world.conn, "hold") is not None


def test_the_hold_ends_when_the_last_phone_has_told(world: World) -> None:
    first, second = connected(world), connected(world, OTHER_SECRET)
    restored(world, first, second)
    for handset in (first, second):
        assert isinstance(handset.hello().frames[-1], Recall)
    recall(first)
    assert is_held(world)
    recall(second)
    assert not is_held(world)
    closed = {
        effect.device_id
        for effect in world.effects
        if isinstance(effect, ClosePhone) and effect.code == HOLD_ENDED.word
    }
    assert closed == {first.device_id, second.device_id}


def test_pages_are_asked_for_until_the_last(world: World) -> None:
    handset = connected(world)
    restored(world, handset)
    handset.hello()
    recall(handset, cursor=400)
    (question,) = world.frames(Recall)
    assert question.cursor == 400
    assert is_held(world)


def test_a_recalled_job_that_was_sent_is_sent(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    restored(world, handset)
    handset.hello()
    recall(handset, HeldJob(message_id, 7, JobState.SENT))
    assert world.message(message_id).state == "sent"


def test_a_foreign_message_is_not_moved_by_a_recall(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    stranger = connected(world, OTHER_SECRET, account_id=STRANGER)
    message_id = world.send()
    restored(world, handset, stranger)
    stranger.hello()
    recall(stranger, HeldJob(message_id, 1, JobState.SENT))
    assert world.message(message_id).state == "queued"


def test_nothing_is_bound_and_nobody_told_to_send_while_held(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(handset.device_id, message_id)
    restored(world, handset)
    greeted = handset.hello(jobs=(HeldJob(message_id, job.submission, JobState.ACCEPTED),))
    assert not [frame for frame in greeted.frames if isinstance(frame, Go)]
    recall(handset)
    greeted = handset.hello(jobs=(HeldJob(message_id, job.submission, JobState.ACCEPTED),))
    assert [frame for frame in greeted.frames if isinstance(frame, Go)] == [Go(message_id, job.submission)]


def test_a_failure_told_while_held_is_judged_when_the_hold_ends(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(handset.device_id, message_id)
    restored(world, handset)
    handset.hello(jobs=(HeldJob(message_id, job.submission, JobState.FAILED),))
    handset.tell(handset.event(SmsFailed(message_id, job.submission, 0, 1, 3)))
    assert [row["outcome"] for row in world.rows(DeviceEvent)] == ["deferred"]
    assert world.message(message_id).state == "dispatched"
    recall(handset)
    assert [row["outcome"] for row in world.rows(DeviceEvent)] == ["applied"]
    assert world.message(message_id).state == "failed"


def test_a_deferred_failure_of_a_message_that_was_sent_since_stays_unapplied(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(handset.device_id, message_id)
    restored(world, handset)
    held = (HeldJob(message_id, job.submission, JobState.SENT),)
    handset.hello(jobs=held)
    handset.tell(
        handset.event(SmsFailed(message_id, job.submission, 0, 1, 3)),
        handset.event(SmsSent(message_id, job.submission + 1, 0, 1)),
    )
    assert world.message(message_id).state == "sent"
    recall(handset)
    assert world.message(message_id).state == "sent"


def test_an_operator_may_take_the_risk(world: World) -> None:
    handset = connected(world)
    restored(world, handset)
    assert world.refusal(end_hold, EndHold(hub_epoch=EPOCH)).code == Code.HELD
    assert world.do(end_hold, EndHold(hub_epoch=EPOCH, is_risk_accepted=True)) is True
    assert world.do(end_hold, EndHold(hub_epoch=EPOCH)) is False
    assert ClosePhone(handset.device_id, HOLD_ENDED.word, "the hub sends again") in world.effects


def test_phones_that_may_not_connect_hold_nobody_up(world: World) -> None:
    handset, barred = connected(world), connected(world, OTHER_SECRET)
    restored(world, handset, barred)
    world.change(Device, barred.device_id, suspended_at=world.clock.now())
    handset.hello()
    recall(handset)
    assert not is_held(world)


def test_a_page_of_an_older_connection_changes_nothing(world: World) -> None:
    handset = connected(world)
    restored(world, handset)
    handset.hello()
    handset.session_no -= 1
    command = TakeRecalled(
        account_id=ACCOUNT,
        device_id=handset.device_id,
        session_no=handset.session_no,
        page=Recalled(),
        hub_epoch=EPOCH,
    )
    assert world.refusal(take_recalled, command).code == Code.SUPERSEDED
    assert is_held(world)
