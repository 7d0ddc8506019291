"""Presence: true at once in the database, told to customers only when it lasts."""

import json

import msgspec
import pytest

from device_protocol.frames import Status
from hub.devices import find_device, list_connections, list_devices, list_notices
from hub.devices.presence import (
    PING_SECONDS,
    ForgetNode,
    Goodbye,
    LookAfter,
    NoteSightings,
    forget_node,
    goodbye,
    look_after,
    note_sightings,
)
from hub.devices.standing import RenameDevice, RevokeDevice, rename_device, revoke_device
from hub.storage.devices import Sighting
from hub.storage.schema.devices import DeviceConnection
from hub.storage.schema.webhooks import WebhookEvent
from tests.integration.devices.handsets import OTHER_SECRET, Handset, connected, enrolled, sim
from tests.integration.messages.world import ACCOUNT, STRANGER, World

GRACE = 60.0
STALE = 172.0


def look(world: World) -> list[str]:
    """Let the hub look after phones; the presence events so far."""
    world.do(look_after, LookAfter(stale_seconds=STALE, grace_seconds=GRACE))
    rows = sorted(world.rows(WebhookEvent), key=lambda row: row["seq"])
    return [row["type"] for row in rows if row["type"].startswith(("device:", "system:"))]


def leave(handset: Handset, reason: str = "closed") -> bool:
    command = Goodbye(account_id=ACCOUNT, device_id=handset.device_id, session_no=handset.session_no, reason=reason)
    was_current: bool = handset.world.do(goodbye, command)
    return was_current


def seen(handset: Handset, at: int, status: Status | None = None, session_no: int | None = None) -> None:
    text = None if status is None else msgspec.json.encode(status).decode()
    number = handset.session_no if session_no is None else session_no
    handset.world.do(note_sightings, NoteSightings(sightings=(Sighting(handset.device_id, number, at, text),)))


def test_coming_online_is_told_once(world: World) -> None:
    handset = connected(world)
    assert look(world) == ["device:online"]
    leave(handset)
    handset.hello()
    assert look(world) == ["device:online"]


def test_a_short_absence_is_no_news_but_stands_in_the_history(world: World) -> None:
    handset = connected(world)
    leave(handset)
    assert handset.view().state == "offline"
    world.clock.advance(GRACE - 1)
    assert look(world) == ["device:online"]
    handset.hello()
    world.clock.advance(GRACE)
    assert look(world) == ["device:online"]
    with world.conn.begin():
        history = list_connections(world.conn, ACCOUNT, handset.device_id) or ()
    assert [(item.session_no, item.close_reason) for item in history] == [(2, None), (1, "closed")]


def test_a_lasting_absence_is_told_with_the_time_it_began(world: World) -> None:
    handset = connected(world)
    world.clock.advance(10)
    gone_at = world.clock.now()
    leave(handset, "silent")
    world.clock.advance(GRACE)
    assert look(world) == ["device:online", "device:offline"]
    told = max(world.rows(WebhookEvent), key=lambda row: row["seq"])
    assert told["occurred_at"] == gone_at
    assert json.loads(told["data"])["reason"] == "silent"
    world.clock.advance(GRACE)
    assert look(world) == ["device:online", "device:offline"]
    handset.hello()
    assert look(world)[-1] == "device:online"


def test_the_end_of_an_older_connection_takes_nobody_offline(world: World) -> None:
    handset = connected(world)
    old = handset.session_no
    handset.hello()
    new, handset.session_no = handset.session_no, old
    assert not leave(handset)
    handset.session_no = new
    assert handset.view().is_online


def test_a_removed_phone_is_told_as_offline(world: World) -> None:
    handset = connected(world)
    world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=handset.device_id))
    world.clock.advance(GRACE)
    assert look(world) == ["device:online", "device:offline"]


def test_an_online_phone_is_pinged_about_every_fifteen_minutes(world: World) -> None:
    handset = connected(world)
    for _ in range(2):
        world.clock.advance(PING_SECONDS)
        seen(handset, world.clock.now())
        look(world)
    assert look(world) == ["device:online", "system:ping", "system:ping"]


def test_a_phone_whose_process_died_is_gone_since_it_was_last_heard(world: World) -> None:
    handset = connected(world)
    world.clock.advance(20)
    last = world.clock.now()
    seen(handset, last)
    world.clock.advance(STALE + 1)
    look(world)
    view = handset.view()
    assert (view.is_online, view.offline_since) == (False, last)
    (row,) = world.rows(DeviceConnection)
    assert (row["close_reason"], row["closed_at"]) == ("silent", last)


def test_a_phone_wrongly_taken_for_gone_is_back_when_it_is_heard_again(world: World) -> None:
    handset = connected(world)
    world.clock.advance(STALE + GRACE)
    assert look(world) == ["device:online", "device:offline"]
    world.clock.advance(5)
    seen(handset, world.clock.now())
    view = handset.view()
    assert (view.is_online, view.online_since) == (True, world.clock.now())
    assert look(world) == ["device:online", "device:offline", "device:online"]
    assert look(world)[2:] == ["device:online"]


def test_a_note_that_comes_after_the_goodbye_brings_nobody_back(world: World) -> None:
    handset = connected(world)
    last = world.clock.now()
    world.clock.advance(1)
    leave(handset)
    seen(handset, last)
    assert not handset.view().is_online


@pytest.mark.parametrize(("node", "count"), [("here", 1), ("elsewhere", 0), (None, 1)])
def test_a_process_that_starts_forgets_what_it_left_open(world: World, node: str | None, count: int) -> None:
    handset = connected(world)
    assert world.do(forget_node, ForgetNode(node=node)) == count
    assert handset.view().is_online is (count == 0)


def test_sightings_count_for_the_session_they_name(world: World) -> None:
    handset = connected(world)
    at = world.clock.now()
    seen(handset, at + 5000, Status(battery_percent=4, is_charging=False, signal_percent=(0,)))
    view = handset.view()
    assert (view.last_seen_at, view.battery_percent, view.status_at) == (at + 5000, 4, at + 5000)
    assert view.permissions["send_sms"] is True
    seen(handset, at + 9000, Status(battery_percent=90), session_no=99)
    assert handset.view().battery_percent == 4
    assert "battery_low" in [risk.code for risk in handset.view().risks]


def test_devices_come_in_pages_of_their_own_account(world: World) -> None:
    handsets = [enrolled(world, letter * 43, sims=(sim(number=f"+44770090000{n}"),)) for n, letter in enumerate("abc")]
    enrolled(world, OTHER_SECRET, account_id=STRANGER)
    now = world.clock.now()
    with world.conn.begin():
        page = list_devices(world.conn, ACCOUNT, now=now, limit=2)
        rest = list_devices(world.conn, ACCOUNT, now=now, after=page.next, limit=2)
        assert [view.id for view in (*page.items, *rest.items)] == [handset.device_id for handset in handsets]
        assert rest.next is None
        assert [line.number for line in page.items[1].lines] == ["+447700900001"]
        assert find_device(world.conn, STRANGER, handsets[0].device_id, now=now) is None
        assert list_connections(world.conn, STRANGER, handsets[0].device_id) is None
        assert list_notices(world.conn, STRANGER, device_id=handsets[0].device_id) is None


def test_removed_phones_are_listed_on_demand(world: World) -> None:
    handset = enrolled(world)
    world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=handset.device_id))
    now = world.clock.now()
    with world.conn.begin():
        assert list_devices(world.conn, ACCOUNT, now=now).items == ()
        (view,) = list_devices(world.conn, ACCOUNT, now=now, include_revoked=True).items
    assert (view.state, view.risks) == ("revoked", ())


def test_a_phone_is_renamed_by_its_account_alone(world: World) -> None:
    handset = enrolled(world)
    renamed = world.do(rename_device, RenameDevice(account_id=ACCOUNT, device_id=handset.device_id, name=" Till 1 "))
    assert renamed.name == "Till 1"
    foreign = RenameDevice(account_id=STRANGER, device_id=handset.device_id, name="mine")
    assert world.refusal(rename_device, foreign).code == "not_found"
    empty = RenameDevice(account_id=ACCOUNT, device_id=handset.device_id, name=" \n ")
    assert world.refusal(rename_device, empty).code == "validation"
