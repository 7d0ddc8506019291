"""Hello: the newest connection counts, late ones are turned away, and what the phone holds is settled in the same transaction."""

from device_protocol.errors import STALE_HELLO
from device_protocol.frames import Bye, Cancel, Config, Go, HeldJob, Job, JobState, Recall, Welcome
from hub.core.effects import WakeDispatch
from hub.core.errors import Code
from hub.devices.connect import say_hello
from hub.devices.event_log import store_told
from hub.devices.standing import (
    PauseDevice,
    ResumeDevice,
    RevokeDevice,
    RotateCredentials,
    SuspendDevice,
    pause_device,
    resume_device,
    revoke_device,
    rotate_credentials,
    suspend_device,
)
from hub.storage.schema.devices import Device, DeviceConnection, DeviceGap, DeviceNotice, Line
from hub.storage.schema.messages import Message
from hub.storage.transaction import Done
from tests.integration.devices.handsets import EPOCH, OTHER_SECRET, Handset, connected, enrolled, error_of, sim
from tests.integration.messages.world import ACCOUNT, STRANGER, World
from tests.integration.messages.world import Phones as Texts

MINE = sim(number="+447700900001")


def test_hello_is_welcomed_with_a_number_and_where_its_events_stand(world: World) -> None:
    handset = enrolled(world)
    greeted = handset.hello()
    (welcome,) = greeted.frames
    assert isinstance(welcome, Welcome)
    assert (welcome.session_no, welcome.hub_epoch) == (1, EPOCH)
    assert welcome.acks["stream-a"].n == 0
    view = handset.view()
    assert (view.is_online, view.state, view.online_since) == (True, "online", world.clock.now())


def test_each_hello_raises_the_number_and_ends_the_older_connection(world: World) -> None:
    handset = connected(world)
    handset.hello()
    assert handset.session_no == 2
    first, second = sorted(world.rows(DeviceConnection), key=lambda row: row["session_no"])
    assert (first["close_reason"], second["closed_at"]) == ("superseded", None)
    assert world.refusal(store_told, handset.told(handset.text(), session_no=1)).code == Code.SUPERSEDED
    assert handset.tell(handset.text())


def test_a_late_hello_of_an_older_connection_is_turned_away(world: World) -> None:
    handset = connected(world)
    handset.hello()
    handset.connect -= 1
    late = world.do(say_hello, handset.hello_command())
    (bye,) = late.frames
    assert not late.is_welcome
    assert isinstance(bye, Bye)
    assert (bye.code, bye.reason) == (STALE_HELLO.code, STALE_HELLO.word)
    assert handset.view().is_online
    assert handset.tell(handset.text())


def test_two_hellos_of_one_phone_in_one_batch_are_taken_in_order(world: World) -> None:
    handset = enrolled(world)
    handset.connect = 1
    first = handset.hello_command()
    handset.connect = 2
    second = handset.hello_command()
    outcomes = world.run(say_hello, [first, second])
    assert [outcome.value.session_no for outcome in outcomes if isinstance(outcome, Done)] == [1, 2]
    turned = world.run(say_hello, [second, first])
    assert [outcome.value.is_welcome for outcome in turned if isinstance(outcome, Done)] == [False, False]


def test_the_second_hello_of_a_batch_sees_what_the_first_one_left(world: World) -> None:
    handset = connected(world)
    commands = []
    for is_diverged in (True, False):
        handset.connect += 1
        commands.append(handset.hello_command(is_diverged=is_diverged))
    first, second = world.run(say_hello, commands)
    streams = [outcome.value.frames[0].new_stream for outcome in (first, second) if isinstance(outcome, Done)]
    assert streams == ["fresh-2", "fresh-3"]  # the old stream was left by the first, so the second may not count in it


def test_texts_that_wait_for_its_lines_are_looked_at_when_a_phone_is_back(world: World) -> None:
    handset = connected(world, sims=(MINE, sim(1, carrier="O2", number="+447700900002")))
    busy, idle = handset.view().lines
    world.change(Line, idle.id, is_enabled=False)
    world.effects.clear()
    handset.hello()
    assert not [effect for effect in world.effects if isinstance(effect, WakeDispatch)]
    world.send()
    world.effects.clear()
    handset.hello()
    assert [effect for effect in world.effects if isinstance(effect, WakeDispatch)] == [
        WakeDispatch(ACCOUNT, (busy.id,))
    ]


def test_who_may_not_connect_is_refused_and_its_neighbours_are_not(world: World) -> None:
    good, gone, barred, void, foreign = (enrolled(world, letter * 43) for letter in "abcde")
    world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=gone.device_id))
    world.do(suspend_device, SuspendDevice(account_id=ACCOUNT, device_id=barred.device_id))
    world.do(rotate_credentials, RotateCredentials(account_id=ACCOUNT, device_id=void.device_id))
    foreign.account_id = STRANGER
    for handset in (good, gone, barred, void, foreign):
        handset.connect = 1
    commands = [handset.hello_command() for handset in (gone, barred, good, void, foreign)]
    outcomes = world.run(say_hello, commands)
    assert [error.code if (error := error_of(outcome)) else None for outcome in outcomes] == [
        Code.DEVICE_REVOKED,
        Code.DEVICE_SUSPENDED,
        None,
        Code.UNAUTHENTICATED,
        Code.UNAUTHENTICATED,
    ]


def test_an_operator_who_cuts_a_phone_off_fences_it_in_the_same_commit(world: World) -> None:
    handset = connected(world)
    event = handset.text()
    world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=handset.device_id))
    assert world.refusal(store_told, handset.told(event)).code == Code.SUPERSEDED
    (row,) = world.rows(DeviceConnection)
    assert row["close_reason"] == "removed"
    assert handset.view().is_online is False


def test_a_pause_is_told_at_once_again_at_hello_and_so_is_its_end(world: World) -> None:
    handset = connected(world)
    world.do(pause_device, PauseDevice(account_id=ACCOUNT, device_id=handset.device_id))
    assert world.frames(Config) == [Config(is_paused=True)]
    assert handset.hello().frames[-1] == Config(is_paused=True)
    world.do(resume_device, ResumeDevice(account_id=ACCOUNT, device_id=handset.device_id))
    assert handset.hello().frames[-1] == Config(is_paused=False)
    assert isinstance(handset.hello().frames[-1], Welcome)


# --- jobs ----------------------------------------------------------------------------------------------------------------------


def test_an_offer_that_hello_lists_as_accepted_is_bound_and_permitted(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    (job,) = Texts(world).offers(handset.device_id)
    greeted = handset.hello(jobs=(HeldJob(message_id, job.submission, JobState.ACCEPTED),))
    welcome, go = greeted.frames
    assert isinstance(welcome, Welcome)
    assert [ref.id for ref in welcome.keep] == [message_id]
    assert go == Go(message_id, job.submission)
    assert world.message(message_id).state == "dispatched"


def test_a_kept_job_gets_a_fresh_go_or_the_cancel_that_is_open(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(handset.device_id, message_id)
    held = HeldJob(message_id, job.submission, JobState.ACCEPTED)
    assert handset.hello(jobs=(held,)).frames[1:] == (Go(message_id, job.submission),)
    world.change(Message, message_id, cancel_requested_at=world.clock.now())
    assert handset.hello(jobs=(held,)).frames[1:] == (Cancel(message_id, job.submission),)


def test_a_bound_job_that_hello_does_not_list_becomes_uncertain(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    message_id = world.send()
    Texts(world).bound(handset.device_id, message_id)
    handset.hello()
    assert world.message(message_id).state == "uncertain"


def test_an_offer_that_hello_does_not_list_is_made_again_on_the_new_connection(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    world.send()
    (job,) = Texts(world).offers(handset.device_id)
    handset.hello()
    (again,) = [
        effect for effect in world.effects if getattr(effect, "session_no", None) == 2 and isinstance(effect.frame, Job)
    ]
    assert (again.frame.id, again.frame.submission) == (job.id, job.submission)


def test_a_job_that_is_not_this_phones_is_dropped(world: World) -> None:
    handset = connected(world, sims=(MINE,))
    (welcome,) = handset.hello(jobs=(HeldJob("f" * 24, 3, JobState.ACCEPTED),)).frames
    assert isinstance(welcome, Welcome)
    assert [(ref.id, ref.submission) for ref in welcome.drop] == [("f" * 24, 3)]


def test_a_foreign_accounts_message_cannot_be_claimed_by_listing_it(world: World) -> None:
    stranger = connected(world, OTHER_SECRET, account_id=STRANGER)
    mine = connected(world, sims=(MINE,))
    message_id = world.send()
    job = Texts(world).bound(mine.device_id, message_id)
    stranger.hello(jobs=(HeldJob(message_id, job.submission, JobState.SENT),))
    assert world.message(message_id).state == "dispatched"


# --- event streams -------------------------------------------------------------------------------------------------------------


def test_a_store_that_went_back_gets_a_new_stream_and_the_operator_a_notice(world: World) -> None:
    handset = connected(world)
    handset.tell(*(handset.text() for _ in range(5)))
    handset.next = 3  # a backup of the phone was put onto it
    (welcome,) = handset.hello().frames
    assert isinstance(welcome, Welcome)
    assert welcome.new_stream is not None
    assert list(welcome.acks) == [welcome.new_stream]
    assert [row["kind"] for row in world.rows(DeviceNotice)] == ["store_went_back"]
    assert handset.stream_row(welcome.new_stream)["used_no"] == 2
    (row,) = world.rows(Device)
    assert row["stream"] == welcome.new_stream


def test_numbers_that_fell_out_of_the_phone_are_a_gap(world: World) -> None:
    handset = connected(world)
    handset.tell(handset.text())
    handset.next, handset.oldest_held = 9, 6
    handset.hello(is_diverged=True)
    (gap,) = world.rows(DeviceGap)
    assert (gap["first_n"], gap["last_n"], gap["reason"]) == (2, 5, "store_went_back")
    assert handset.view().open_gaps == 1


def test_an_acknowledgement_in_welcome_names_the_event_it_stands_at(world: World) -> None:
    handset = connected(world)
    handset.tell(handset.text(), handset.text())
    (welcome,) = handset.hello().frames
    assert isinstance(welcome, Welcome)
    point = welcome.acks["stream-a"]
    assert (point.n, point.uuid) == (2, "uuid-stream-a-2")


def test_a_phone_of_a_former_life_of_the_hub_is_asked_to_recall(world: World) -> None:
    handset = connected(world)
    world.change(Device, handset.device_id, recalled_epoch="epoch0")
    *_, question = handset.hello().frames
    assert isinstance(question, Recall)
    assert question.cursor is None


def test_what_the_phone_says_of_itself_is_kept(world: World) -> None:
    handset: Handset = enrolled(world)
    handset.hello(permissions={"send_sms": False})
    view = handset.view()
    assert (view.app_version, view.os_version, view.permissions) == ("1.0", "16", {"send_sms": False})
    assert "no_send_permission" in [risk.code for risk in view.risks]
