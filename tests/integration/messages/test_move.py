"""Moving what waits for a phone to other lines."""

import pytest

from hub.core.commands import ByLine
from hub.core.errors import Code
from hub.messages.move import MoveQueue, move_queue
from hub.messages.routes import Reroute, reroute
from hub.storage.schema.devices import Device
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, Phones, World


def numbers(count: int) -> list[str]:
    return [f"+49170123{number:04d}" for number in range(count)]


def move(world: World, device_id: str, to_line_id: str | None = None) -> tuple[int, int, int]:
    done = world.do(move_queue, MoveQueue(account_id=ACCOUNT, device_id=device_id, to_line_id=to_line_id))
    return done.moved, done.waiting, done.on_phone


def test_what_waits_goes_to_a_line_that_is_ready(world: World) -> None:
    lost = world.phone("Lost")
    ids = [world.send(peer) for peer in numbers(3)]
    other = world.phone("Other")
    assert move(world, lost) == (3, 0, 0)
    assert {world.message(id_).line_id for id_ in ids} == set(world.lines(other))
    assert all("routed" in world.kinds(id_) for id_ in ids)
    assert {row["line_id"] for row in world.conversations() if row["last_message_id"] in ids} >= set(world.lines(other))


def test_without_another_line_everything_stays(world: World) -> None:
    lost = world.phone("Lost")
    world.send(PEER)
    world.phone("Paused", paused_at=1)
    assert move(world, lost) == (0, 1, 0)


def test_what_the_phone_holds_or_is_being_offered_stays(world: World, phones: Phones) -> None:
    lost = world.phone("Lost")
    held, offered, waiting = (world.send(peer) for peer in numbers(3))
    jobs = {job.id: job for job in phones.offers(lost, most_open=2)}
    phones.accept(lost, jobs[held])
    world.phone("Other")
    assert move(world, lost) == (1, 0, 2)
    own = set(world.lines(lost))
    assert [world.message(id_).line_id in own for id_ in (held, offered, waiting)] == [True, True, False]


def test_a_pinned_text_stays_unless_it_is_told_where_to_go(world: World) -> None:
    lost = world.phone("Lost")
    (own,) = world.lines(lost)
    pinned = world.send(PEER, sender=ByLine(own))
    (target,) = world.lines(world.phone("Other"))
    assert move(world, lost) == (0, 1, 0)
    assert move(world, lost, target) == (1, 0, 0)
    assert world.message(pinned).line_id == target


def test_a_text_goes_where_it_is_told_even_if_that_phone_is_away(world: World) -> None:
    lost = world.phone("Lost")
    message_id = world.send(PEER)
    away = world.phone("Away", is_online=False, last_seen_at=0)
    (target,) = world.lines(away)
    assert move(world, lost, target) == (1, 0, 0)
    assert world.message(message_id).line_why == "asked"


@pytest.mark.parametrize("whose", ["own", "foreign", "nobody"])
def test_a_line_that_cannot_be_the_target_is_refused(world: World, whose: str) -> None:
    lost = world.phone("Lost")
    targets = {
        "own": world.lines(lost)[0],
        "foreign": world.lines(world.phone("Theirs", account_id=STRANGER))[0],
        "nobody": "0" * 24,
    }
    error = world.refusal(move_queue, MoveQueue(account_id=ACCOUNT, device_id=lost, to_line_id=targets[whose]))
    assert error.code is Code.VALIDATION


def test_another_accounts_phone_is_not_there(world: World) -> None:
    theirs = world.phone("Theirs", account_id=STRANGER)
    error = world.refusal(move_queue, MoveQueue(account_id=ACCOUNT, device_id=theirs))
    assert error.code is Code.NOT_FOUND
    assert [row["id"] for row in world.rows(Device)] == [theirs]


def test_texts_never_move_between_a_sandbox_phone_and_a_real_one(world: World) -> None:
    sandbox = world.phone("Sandbox", is_sandbox=True)
    meant_for_nobody = world.send(PEER)
    assert world.message(meant_for_nobody).line_id == world.lines(sandbox)[0], "alone, it takes everything"
    world.change(Device, sandbox, is_online=False, last_seen_at=0)
    real = world.phone("Real")
    assert move(world, sandbox) == (0, 1, 0)
    world.do(reroute, Reroute(account_id=ACCOUNT, message_id=meant_for_nobody, away_seconds=0.0))
    assert world.message(meant_for_nobody).line_id == world.lines(sandbox)[0]
    (real_line,) = world.lines(real)
    for phone, target in ((sandbox, real_line), (real, world.lines(sandbox)[0])):
        error = world.refusal(move_queue, MoveQueue(account_id=ACCOUNT, device_id=phone, to_line_id=target))
        assert error.code is Code.VALIDATION
    world.change(Device, sandbox, is_online=True)
    assert world.message(world.send("+491701234599")).line_id == real_line
