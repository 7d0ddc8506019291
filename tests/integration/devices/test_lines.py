"""SIMs as lines: the same SIM is the same line, wherever Android or a person puts it."""

import pytest

from device_protocol.frames import Sim
from hub.core.errors import Code
from hub.devices import find_line, list_lines
from hub.devices.connect import say_hello
from hub.devices.line_settings import ConfirmLine, RemoveLine, UpdateLine, confirm_line, remove_line, update_line
from hub.devices.lines import ListSims, list_sims
from hub.devices.views import LineView
from hub.storage.schema.devices import DeviceNotice, Line
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.devices.handsets import OTHER_SECRET, Handset, connected, sim
from tests.integration.messages.world import ACCOUNT, PEER, STRANGER, World

EE = sim(number="+447700900001")
O2 = sim(1, carrier="O2", number="+447700900002")
NAMELESS = sim(carrier="EE")


def lines(world: World) -> list[LineView]:
    with world.conn.begin():
        return list(list_lines(world.conn, ACCOUNT, now=world.clock.now()))


def list_again(handset: Handset, *sims: Sim) -> None:
    command = ListSims(account_id=ACCOUNT, device_id=handset.device_id, session_no=handset.session_no, sims=sims)
    handset.world.do(list_sims, command)


def sim_events(world: World) -> int:
    return sum(1 for row in world.rows(WebhookEvent) if row["type"] == "sim:changed")


def test_two_sims_are_two_lines_with_marks_of_their_own(world: World) -> None:
    connected(world, sims=(EE, O2))
    first, second = lines(world)
    assert [(line.slot, line.number, line.carrier, line.mark) for line in (first, second)] == [
        (0, "+447700900001", "EE", 0),
        (1, "+447700900002", "O2", 1),
    ]
    assert first.is_online
    assert sim_events(world) == 1


def test_the_same_list_again_changes_nothing(world: World) -> None:
    handset = connected(world, sims=(EE, O2))
    handset.hello()
    list_again(handset, EE, O2)
    assert len(lines(world)) == 2
    assert sim_events(world) == 1


def test_a_national_number_is_read_in_the_sims_country(world: World) -> None:
    connected(world, sims=(sim(number="07700 900001", country="gb"),))
    assert [line.number for line in lines(world)] == ["+447700900001"]


def test_a_moved_sim_takes_its_line_and_threads_along(world: World) -> None:
    old = connected(world, sims=(EE,))
    (line,) = lines(world)
    old.tell(old.text(sender=PEER))
    new = connected(world, OTHER_SECRET, sims=(EE,))
    (moved,) = lines(world)
    assert (moved.id, moved.device_id, moved.is_present, moved.mark) == (line.id, new.device_id, True, 0)
    new.tell(new.text(sender=PEER))
    assert [row["line_id"] for row in world.conversations()] == [line.id]
    assert [row["kind"] for row in world.rows(DeviceNotice)] == ["line_moved"]
    assert old.view().lines == ()


def test_of_two_phones_in_one_batch_the_last_one_has_the_sim(world: World) -> None:
    first, second = connected(world, sims=(EE,)), connected(world, OTHER_SECRET)
    second.sims = (EE,)
    for handset in (first, second):
        handset.connect += 1
    world.run(say_hello, [second.hello_command(), first.hello_command()])
    assert [line.device_id for line in lines(world)] == [first.device_id]


def test_a_sim_that_is_gone_is_absent_until_it_is_back(world: World) -> None:
    handset = connected(world, sims=(EE, O2))
    list_again(handset, O2)
    assert [(line.slot, line.is_present) for line in lines(world)] == [(0, False), (1, True)]
    list_again(handset, EE, O2)
    assert [line.is_present for line in lines(world)] == [True, True]
    assert sim_events(world) == 3


def test_an_empty_list_from_a_phone_that_may_not_look_says_nothing(world: World) -> None:
    handset = connected(world, sims=(EE,))
    handset.hello(sims=(), permissions={"read_phone_state": False})
    assert [line.is_present for line in lines(world)] == [True]
    handset.hello(sims=(), permissions={"read_phone_state": True})
    assert [line.is_present for line in lines(world)] == [False]


def test_a_new_subscription_id_of_the_same_card_is_the_same_line(world: World) -> None:
    handset = connected(world, sims=(EE,))
    (line,) = lines(world)
    list_again(handset, sim(0, 42, number="+447700900001"))
    (same,) = lines(world)
    assert (same.id, same.subscription_id) == (line.id, 42)


def test_swapped_slots_keep_their_lines(world: World) -> None:
    handset = connected(world, sims=(EE, O2))
    first, second = lines(world)
    list_again(handset, sim(0, 2, carrier="O2", number="+447700900002"), sim(1, 1, number="+447700900001"))
    assert [(line.id, line.slot) for line in lines(world)] == [(first.id, 1), (second.id, 0)]


def test_another_card_in_the_same_slot_is_another_line(world: World) -> None:
    handset = connected(world, sims=(EE,))
    list_again(handset, sim(0, 1, carrier="Three", number="+447700900003"))
    assert [(line.number, line.is_present) for line in lines(world)] == [
        ("+447700900001", False),
        ("+447700900003", True),
    ]


def test_a_number_that_becomes_known_is_learned(world: World) -> None:
    handset = connected(world, sims=(NAMELESS,))
    list_again(handset, EE)
    assert [(line.number, line.fingerprint) for line in lines(world)] == [("+447700900001", "ee/0001")]


def test_the_operators_number_stands_while_the_card_is_the_same(world: World) -> None:
    handset = connected(world, sims=(EE,))
    (line,) = lines(world)
    world.do(update_line, UpdateLine(account_id=ACCOUNT, line_id=line.id, number="+447700900009"))
    handset.hello()
    list_again(handset, sim(1, 1, number="+447700900001"))  # the same card in the other slot
    assert [(line.number, line.slot) for line in lines(world)] == [("+447700900009", 1)]


def test_another_accounts_line_with_the_number_stays_where_it_is(world: World) -> None:
    connected(world, sims=(EE,))
    connected(world, OTHER_SECRET, account_id=STRANGER, sims=(EE,))
    (mine,) = lines(world)
    assert mine.is_present
    with world.conn.begin():
        (theirs,) = list_lines(world.conn, STRANGER, now=world.clock.now())
        assert find_line(world.conn, STRANGER, mine.id, now=world.clock.now()) is None
    assert theirs.id != mine.id


# --- a SIM without a number ----------------------------------------------------------------------------------------------------


def moved_without_number(world: World) -> tuple[LineView, LineView, Handset]:
    old = connected(world, sims=(NAMELESS,))
    list_again(old)  # says nothing: an empty list without the permission
    old.hello(sims=())
    new = connected(world, OTHER_SECRET, sims=(NAMELESS,))
    known, provisional = lines(world)
    return known, provisional, new


def test_a_sim_without_a_number_waits_for_the_operator(world: World) -> None:
    known, provisional, new = moved_without_number(world)
    assert provisional.awaiting_confirmation
    assert provisional.candidates == (known.id,)
    assert "sim_unconfirmed" in [risk.code for risk in new.view().risks]
    assert [row["kind"] for row in world.rows(DeviceNotice)] == ["line_unconfirmed"]


def test_it_sends_nothing_before_that(world: World) -> None:
    _, provisional, _ = moved_without_number(world)
    message_id = world.send()
    assert world.message(message_id).line_id != provisional.id


def test_the_operator_says_that_it_is_the_known_line(world: World) -> None:
    known, provisional, new = moved_without_number(world)
    command = ConfirmLine(account_id=ACCOUNT, line_id=provisional.id, is_same_as=known.id)
    answer = world.do(confirm_line, command)
    assert (answer.id, answer.device_id, answer.is_present) == (known.id, new.device_id, True)
    assert [line.id for line in lines(world)] == [known.id]
    new.hello()
    assert [line.id for line in lines(world)] == [known.id]


def test_the_operator_says_that_it_is_a_new_one(world: World) -> None:
    known, provisional, _ = moved_without_number(world)
    world.do(confirm_line, ConfirmLine(account_id=ACCOUNT, line_id=provisional.id))
    assert [(line.id, line.awaiting_confirmation) for line in lines(world)] == [
        (known.id, False),
        (provisional.id, False),
    ]
    again = ConfirmLine(account_id=ACCOUNT, line_id=provisional.id)
    assert world.refusal(confirm_line, again).code == Code.CONFLICT


def test_it_cannot_be_a_line_that_is_elsewhere_or_foreign(world: World) -> None:
    _, provisional, _ = moved_without_number(world)
    busy = connected(world, "u" * 43, sims=(sim(number="+447700900005"),))
    stranger = connected(world, "v" * 43, account_id=STRANGER, sims=(NAMELESS,))
    for other, code in ((busy, Code.CONFLICT), (stranger, Code.NOT_FOUND)):
        (line,) = other.view().lines
        command = ConfirmLine(account_id=ACCOUNT, line_id=provisional.id, is_same_as=line.id)
        assert world.refusal(confirm_line, command).code == code


def test_a_first_sim_without_a_number_needs_nobody(world: World) -> None:
    connected(world, sims=(NAMELESS,))
    assert [line.awaiting_confirmation for line in lines(world)] == [False]


def test_a_provisional_line_whose_sim_left_is_forgotten(world: World) -> None:
    known, _, new = moved_without_number(world)
    new.hello(sims=())
    assert [line.id for line in lines(world)] == [known.id]


# --- settings ------------------------------------------------------------------------------------------------------------------


def line_of(world: World) -> str:
    connected(world, sims=(EE,))
    return lines(world)[0].id


def test_settings_are_changed_one_by_one(world: World) -> None:
    line_id = line_of(world)
    changed = world.do(
        update_line,
        UpdateLine(account_id=ACCOUNT, line_id=line_id, name=" Front \n desk ", alias="Shop", pool="uk", per_day=200),
    )
    assert (changed.name, changed.alias, changed.pool, changed.per_day) == ("Front desk", "Shop", "uk", 200)
    cleared = world.do(update_line, UpdateLine(account_id=ACCOUNT, line_id=line_id, alias=None, per_day=None))
    assert (cleared.name, cleared.alias, cleared.pool, cleared.per_day) == ("Front desk", None, "uk", None)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"alias": "much too long a name"},
        {"alias": "12345"},
        {"number": "nonsense"},
        {"number": "12345"},
        {"per_minute": 0},
        {"per_hour": 10**9},
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(world: World, change: dict[str, object]) -> None:
    command = UpdateLine(account_id=ACCOUNT, line_id=line_of(world), **change)  # type: ignore[arg-type]
    error = world.refusal(update_line, command)
    assert error.code == Code.VALIDATION
    assert [field.field for field in error.fields] == list(change)


def test_two_lines_share_neither_number_nor_alias(world: World) -> None:
    connected(world, sims=(EE, O2))
    first, second = lines(world)
    world.do(update_line, UpdateLine(account_id=ACCOUNT, line_id=first.id, alias="Shop"))
    for change in (
        UpdateLine(account_id=ACCOUNT, line_id=second.id, alias="SHOP"),
        UpdateLine(account_id=ACCOUNT, line_id=second.id, number="+447700900001"),
    ):
        assert world.refusal(update_line, change).code == Code.VALIDATION


def test_a_foreign_line_is_not_found(world: World) -> None:
    line_id = line_of(world)
    assert world.refusal(update_line, UpdateLine(account_id=STRANGER, line_id=line_id, name="x")).code == Code.NOT_FOUND
    assert world.refusal(remove_line, RemoveLine(account_id=STRANGER, line_id=line_id)).code == Code.NOT_FOUND


def test_a_line_is_removed_once_its_sim_is_out_and_a_new_one_takes_another_mark(world: World) -> None:
    handset = connected(world, sims=(EE,))
    (line,) = lines(world)
    assert world.refusal(remove_line, RemoveLine(account_id=ACCOUNT, line_id=line.id)).code == Code.CONFLICT
    handset.hello(sims=())
    removed = world.do(remove_line, RemoveLine(account_id=ACCOUNT, line_id=line.id))
    assert removed.removed_at == world.clock.now()
    handset.hello()
    (fresh,) = lines(world)
    assert (fresh.id != line.id, fresh.mark) == (True, 1)


def test_a_pause_the_hub_made_can_be_ended(world: World) -> None:
    line_id = line_of(world)
    world.change(Line, line_id, paused_until=world.clock.now() + 10**6, paused_reason="os_rate_limit")
    changed = world.do(update_line, UpdateLine(account_id=ACCOUNT, line_id=line_id, is_paused=False))
    assert (changed.paused_until, changed.paused_reason) == (None, None)
