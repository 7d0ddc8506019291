"""A phone comes in by a code: once, in time, and into the row it had before when it can prove it."""

import pytest

from device_protocol.enrolment import secret_hash
from device_protocol.errors import SUSPENDED, UNAUTHORIZED
from hub.core.effects import ClosePhone, CredentialsChanged
from hub.core.errors import Code, HubError
from hub.devices import find_enrolment, list_enrolments, revoke_enrolment
from hub.devices.enrol import LIFE_SECONDS, CreateEnrolment, Enrol, RevokeEnrolment, code_hash, create_enrolment, enrol
from hub.devices.event_log import store_told
from hub.devices.standing import ReinstateDevice, RevokeDevice, reinstate_device, revoke_device
from hub.storage.schema.devices import Device, DeviceNotice, Enrolment, Line
from tests.integration.devices.handsets import (
    EPOCH,
    OTHER_SECRET,
    PIXEL,
    SECRET,
    Handset,
    connected,
    enrolled,
    make_code,
    sim,
)
from tests.integration.messages.world import ACCOUNT, STRANGER, World


def refusal(world: World, handset: Handset, token: str) -> Code:
    command = Enrol(
        token_sha256=code_hash(token),
        secret_sha256=secret_hash(handset.secret),
        device=PIXEL,
        new_device_id=world.new_id(),
        hub_epoch=EPOCH,
    )
    return world.refusal(enrol, command).code


def test_only_the_hash_of_a_code_is_stored(world: World) -> None:
    token = make_code(world)
    (row,) = world.rows(Enrolment)
    assert row["token_sha256"] == code_hash(token)
    assert token not in str(row)
    assert row["expires_at"] - row["created_at"] == 600_000


def test_a_code_makes_a_phone_named_after_its_model(world: World) -> None:
    handset = enrolled(world, sims=(sim(number="+447700900001"),))
    view = handset.view()
    assert (view.name, view.state, view.account_id) == ("Google Pixel 9", "offline", ACCOUNT)
    assert [line.number for line in view.lines] == ["+447700900001"]


def test_a_lost_answer_is_given_again_and_nobody_else_gets_it(world: World) -> None:
    handset, thief = Handset(world), Handset(world, OTHER_SECRET)
    token = make_code(world)
    first = handset.enrol(token)
    assert handset.enrol(token).device_id == first.device_id
    assert refusal(world, thief, token) == Code.TOKEN_USED
    assert len(world.rows(Device)) == 1


def test_two_uses_of_one_code_in_one_batch_make_one_phone(world: World) -> None:
    token = make_code(world)
    commands = [
        Enrol(
            token_sha256=code_hash(token),
            secret_sha256=secret_hash(SECRET),
            device=PIXEL,
            new_device_id=world.new_id(),
            hub_epoch=EPOCH,
        )
        for _ in range(2)
    ]
    first, second = world.run(enrol, commands)
    assert first.value.device_id == second.value.device_id  # type: ignore[union-attr]


@pytest.mark.parametrize("late_by", [0, 1])
def test_a_code_ends_after_ten_minutes(world: World, late_by: int) -> None:
    token = make_code(world)
    world.clock.advance(LIFE_SECONDS - 1 + late_by)
    if late_by:
        assert refusal(world, Handset(world), token) == Code.TOKEN_EXPIRED
    else:
        Handset(world).enrol(token)


def test_even_its_own_phone_is_refused_after_the_code_ended(world: World) -> None:
    token = make_code(world)
    handset = Handset(world)
    handset.enrol(token)
    world.clock.advance(LIFE_SECONDS)
    assert refusal(world, handset, token) == Code.TOKEN_EXPIRED


def test_a_withdrawn_and_an_unknown_code_are_refused(world: World) -> None:
    token = make_code(world)
    (row,) = world.rows(Enrolment)
    assert (
        world.refusal(revoke_enrolment, RevokeEnrolment(account_id=STRANGER, enrolment_id=row["id"])).code
        == "not_found"
    )
    world.do(revoke_enrolment, RevokeEnrolment(account_id=ACCOUNT, enrolment_id=row["id"]))
    assert refusal(world, Handset(world), token) == Code.TOKEN_REVOKED
    assert refusal(world, Handset(world), "x" * 43) == Code.TOKEN_UNKNOWN


def test_enrolments_are_listed_to_their_account_alone(world: World) -> None:
    make_code(world, seed=1)
    make_code(world, seed=2)
    handset = Handset(world)
    handset.enrol(make_code(world, seed=3))
    now = world.clock.now()
    with world.conn.begin():
        mine = list_enrolments(world.conn, ACCOUNT, now=now)
        assert [view.state for view in mine] == ["used", "open", "open"]
        assert list_enrolments(world.conn, ACCOUNT, now=now, after=mine[0].id, limit=1) == mine[1:2]
        assert list_enrolments(world.conn, STRANGER, now=now) == ()
        assert find_enrolment(world.conn, STRANGER, mine[0].id, now=now) is None
        used = find_enrolment(world.conn, ACCOUNT, mine[0].id, now=now)
    assert used is not None
    assert used.device_id == handset.device_id


# --- enrolling again -----------------------------------------------------------------------------------------------------------


def test_proof_of_an_old_secret_keeps_row_lines_and_name(world: World) -> None:
    handset = connected(world, sims=(sim(number="+447700900001"),))
    (line,) = handset.view().lines
    again = Handset(world, OTHER_SECRET)
    again.sims = handset.sims
    result = again.enrol(previous_secret=SECRET)
    assert (result.device_id, result.is_new) == (handset.device_id, False)
    assert [row["id"] for row in world.rows(Line)] == [line.id]
    with pytest.raises(HubError, match="unauthenticated"):
        handset.exchange(None, "n" * 20)
    assert again.exchange(None, "n" * 20).identity.credential_no == 2


def test_enrolling_again_ends_the_old_connection_in_the_same_commit(world: World) -> None:
    handset = connected(world)
    again = Handset(world, OTHER_SECRET)
    again.enrol(previous_secret=SECRET)
    assert ClosePhone(handset.device_id, UNAUTHORIZED.word, "the phone was enrolled anew") in world.effects
    assert CredentialsChanged(ACCOUNT, "device", handset.device_id) in world.effects
    assert world.refusal(store_told, handset.told(handset.text())).code == Code.SUPERSEDED
    assert handset.view().is_online is False


def test_a_wrong_proof_makes_a_phone_of_its_own(world: World) -> None:
    handset = enrolled(world)
    again = Handset(world, OTHER_SECRET)
    assert again.enrol(previous_secret="w" * 43).device_id != handset.device_id


def test_the_proof_of_another_account_keeps_nothing(world: World) -> None:
    handset = enrolled(world)
    guest = Handset(world, OTHER_SECRET)
    guest.account_id = STRANGER
    result = guest.enrol(previous_secret=SECRET)
    assert result.is_new
    assert handset.view().account_id == ACCOUNT
    assert guest.view().account_id == STRANGER
    handset.exchange(None, "n" * 20)  # the old secret is still good where it belongs


def test_the_same_secret_with_a_second_code_is_the_same_phone(world: World) -> None:
    handset = enrolled(world)
    world.clock.advance(LIFE_SECONDS * 2)
    assert handset.enrol().is_new is False


def test_a_code_for_one_phone_lets_it_in_without_proof(world: World) -> None:
    handset = connected(world)
    fresh = Handset(world, OTHER_SECRET)
    assert fresh.enrol(make_code(world, device_id=handset.device_id)).device_id == handset.device_id


def test_a_code_for_a_foreign_phone_is_not_made(world: World) -> None:
    handset = enrolled(world, account_id=STRANGER)
    command = CreateEnrolment(
        account_id=ACCOUNT, enrolment_id=world.new_id(), token_sha256="0" * 64, device_id=handset.device_id
    )
    assert world.refusal(create_enrolment, command).code == Code.NOT_FOUND


def test_a_removed_phone_comes_back_by_a_new_code(world: World) -> None:
    handset = enrolled(world)
    world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=handset.device_id))
    with pytest.raises(HubError, match="device_revoked"):
        handset.exchange(None, "n" * 20)
    handset.enrol()
    assert handset.view().state == "offline"
    assert handset.exchange(None, "n" * 20).identity.credential_no == 3


# --- the nonce chain -----------------------------------------------------------------------------------------------------------


def test_a_wrong_secret_and_an_unknown_phone_are_answered_alike(world: World) -> None:
    handset = enrolled(world)
    with pytest.raises(HubError) as wrong:
        handset.exchange(None, "n" * 20, secret=OTHER_SECRET)
    handset.device_id = "0" * 24
    with pytest.raises(HubError) as unknown:
        handset.exchange(None, "n" * 20)
    assert str(wrong.value) == str(unknown.value)
    assert wrong.value.code == Code.UNAUTHENTICATED


def test_a_lost_answer_does_not_suspend(world: World) -> None:
    handset = enrolled(world)
    handset.exchange(None, "nonce-1")
    handset.exchange("nonce-1", "nonce-2")
    handset.exchange("nonce-1", "nonce-3")  # the answer with nonce-2 was lost
    handset.exchange("nonce-1", "nonce-4")  # and the next one too
    handset.exchange("nonce-4", "nonce-5")
    assert handset.view().suspended_at is None


def test_a_copied_phone_suspends_the_device_and_tells_the_operator(world: World) -> None:
    handset = connected(world)
    handset.exchange(None, "nonce-1")
    handset.exchange("nonce-1", "nonce-2")
    handset.exchange("nonce-2", "nonce-3")
    assert handset.exchange("nonce-1", "nonce-4").is_clone
    view = handset.view()
    assert (view.state, view.is_online) == ("suspended", False)
    assert [risk.code for risk in view.risks][:1] == ["suspended"]
    (notice,) = world.rows(DeviceNotice)
    assert notice["kind"] == "cloned"
    assert any(isinstance(effect, ClosePhone) and effect.code == SUSPENDED.word for effect in world.effects)
    with pytest.raises(HubError, match="device_suspended"):
        handset.exchange("nonce-3", "nonce-5")


def test_after_reinstatement_whoever_comes_first_is_the_phone(world: World) -> None:
    handset = enrolled(world)
    for nonce, fresh in ((None, "nonce-1"), ("nonce-1", "nonce-2"), ("nonce-2", "nonce-3"), ("nonce-1", "nonce-4")):
        handset.exchange(nonce, fresh)
    world.do(reinstate_device, ReinstateDevice(account_id=ACCOUNT, device_id=handset.device_id))
    assert not handset.exchange("nonce-3", "nonce-6").is_clone
    assert not handset.exchange("nonce-6", "nonce-7").is_clone
    assert handset.exchange("nonce-1", "nonce-8").is_clone


def test_a_restored_hub_takes_one_nonce_it_does_not_know(world: World) -> None:
    handset = enrolled(world)
    handset.exchange(None, "nonce-1")
    assert not handset.exchange("nonce-of-the-future", "nonce-2", epoch="epoch2").is_clone
    assert not handset.exchange("nonce-2", "nonce-3", epoch="epoch2").is_clone
    assert handset.exchange("nonce-1", "nonce-4", epoch="epoch2").is_clone
