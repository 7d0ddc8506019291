"""Phones with the sms-gate.app app at a real hub: nothing lost, nothing doubled at the radio, one event for each true one."""

import asyncio
from pathlib import Path

import pytest

from android_emulator.clock import PhoneClock
from android_emulator.smsgate import AppPhone, Habits
from tests.acceptance.app_world import SHOP, AppWorld, app_world
from tests.acceptance.processes import eventually
from tests.acceptance.test_faults_failover import senders

pytestmark = pytest.mark.anyio

PEER = "+14155550001"
DAY_MS = 86_400_000


async def a_day(here: AppWorld, phone: AppPhone, many: int = 5) -> None:
    """Texts both ways, and the books."""
    for _ in range(many):
        number = len(here.sent)
        await here.send(f"+1415555{number:04d}", f"out {number}")
        await text_in(here, phone, f"in {len(here.inbound)}")
    await here.settled("delivered")
    await phone.until(lambda: not phone.memory.posts, "everything is posted")
    await here.inbound_arrived()
    await here.webhooks_arrived("sms:received", len(here.inbound))
    await here.webhooks_arrived("sms:delivered", len(here.sent))
    here.assert_air()
    await here.timelines_explain()


async def text_in(here: AppWorld, phone: AppPhone, text: str) -> None:
    here.inbound.append((PEER, text))
    await phone.receive_text(PEER, text)


@pytest.mark.parametrize(
    ("way", "has_streams"),
    [
        ("address", True),
        ("token", False),
        *(
            pytest.param(way, has_streams, marks=pytest.mark.slow)
            for way, has_streams in (
                ("code", True),
                ("login", True),
                ("token", True),
                ("address", False),
                ("code", False),
                ("login", False),
            )
        ),
    ],
)
async def test_phone_comes_in_four_ways_and_has_a_good_day(way: str, has_streams: bool, tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        told = await here.word(name="Workshop")
        habits = Habits(has_streams=has_streams)
        if way == "address":
            phone = here.app(told["short_url"], "token-of-another-server", habits=habits)
            await phone.switch_on()
        elif way == "token":
            phone = here.app(told["api_url"] + "/", told["private_token"].upper(), habits=habits)
            await phone.switch_on()
        elif way == "code":
            phone = here.app(told["api_url"], habits=habits)
            await phone.switch_on(code=told["code"])
        else:
            made = (await here.hub.api.post("/v1/logins", json={})).json()
            phone = here.app(told["api_url"].replace("/mobile", "/api/mobile"), habits=habits)
            await phone.switch_on(login=(made["info"]["username"], made["password"]))
        await here.set_up(phone)
        await a_day(here, phone)
        (device,) = (await here.hub.api.get("/v1/devices")).json()["items"]
        assert (device["transport"], device["is_online"]) == ("smsgate", True)
        assert {caveat["code"] for caveat in device["caveats"]} >= {"no_gap_proof", "no_acceptance"}


@pytest.mark.parametrize(
    "place",
    [
        "list.committed=2",
        pytest.param("batch.after_commit=20", marks=pytest.mark.slow),
        pytest.param("batch.before_commit=20", marks=pytest.mark.slow),
    ],
)
async def test_hub_killed_in_the_middle_of_a_list_loses_and_doubles_nothing(place: str, tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app()
        await a_day(here, phone, 1)
        here.hub.stop()
        here.hub.start(place)
        sends = [asyncio.create_task(here.send(f"+1415556{number:04d}", f"killed {number}")) for number in range(8)]
        await here.hub.died(place)
        await here.hub.started()
        await asyncio.gather(*sends)
        await text_in(here, phone, "after")
        await a_day(here, phone, 2)


async def test_phone_whose_token_was_made_void_returns_and_goes_on(tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app()
        await a_day(here, phone, 2)
        (device,) = (await here.hub.api.get("/v1/devices")).json()["items"]
        before = phone.memory.token
        answer = await here.hub.api.post(f"/v1/devices/{device['id']}/rotate")
        assert answer.status_code == 201, answer.text
        assert answer.json()["type_in"] is not None
        await here.send("+14155570000", "while it is out")
        await phone.until(lambda: any("401" in line for line in phone.failures), "it is refused")
        # A 401 on anything but the registration only makes the app try again; the owner taps Offline, Online.
        await phone.crash()
        await phone.switch_on()
        await phone.until(lambda: phone.memory.token != before, "it registered again")
        await a_day(here, phone, 2)
        (after,) = (await here.hub.api.get("/v1/devices")).json()["items"]
        assert after["id"] == device["id"]


async def test_posts_wait_for_a_hub_that_is_down_and_doubled_ones_are_one_event(tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app(habits=Habits(doubles_posts=1.0, zone_minutes=-300, writes_west_wrongly=True))
        await a_day(here, phone, 2)
        here.hub.stop()
        for number in range(10):
            await text_in(here, phone, f"nobody listens {number}")
        await text_in(here, phone, "the same again")
        await phone.until(lambda: all(post.tries >= 4 for post in phone.memory.posts[:1]), "it has tried some times")
        await here.hub.started()
        await a_day(here, phone, 1)
        assert phone.memory.dropped_posts == 0


@pytest.mark.parametrize(
    ("offset_ms", "zone"),
    [
        (5 * DAY_MS, -330),
        pytest.param(-2 * DAY_MS, 345, marks=pytest.mark.slow),
        pytest.param(90_000, -330, marks=pytest.mark.slow),
    ],
)
async def test_wrong_clocks_and_odd_zones_lose_nothing(offset_ms: int, zone: int, tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        habits = Habits(zone_minutes=zone, writes_west_wrongly=True)
        phone = await here.add_app(clock=PhoneClock(offset_ms), habits=habits)
        await a_day(here, phone, 3)


@pytest.mark.slow
async def test_half_open_and_leaked_streams_delay_and_break_nothing(tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app()
        for _ in range(3):
            await phone.restart_registration()
        await a_day(here, phone, 2)
        phone.go_deaf()
        await a_day(here, phone, 2)
        phone.hear_again()
        await a_day(here, phone, 2)


@pytest.mark.slow
async def test_app_killed_again_and_again_sends_each_text_once(tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app()
        for number in range(6):
            await here.send(f"+1415558{number:04d}", f"through crashes {number}")
            await text_in(here, phone, f"heard through crashes {number}")
            await phone.crash()
            await phone.switch_on()
        await a_day(here, phone, 2)


async def test_a_thousand_texts_go_out_once_and_wake_the_phone_a_few_times(tmp_path: Path) -> None:
    async with app_world(tmp_path) as here:
        phone = await here.add_app(habits=Habits(leaks_streams=False))
        woken = phone.wake_ups
        recipients = [f"+1212{number:07d}" for number in range(5_000_000, 5_001_000)]
        answer = await here.hub.api.post("/v1/messages", json={"to": recipients, "text": "to all"})
        assert answer.status_code == 202, answer.text
        here.sent += [(to, "to all") for to in recipients]

        async def all_out() -> bool:
            return len(here.air.sends()) == 1000

        await eventually("all are on the air", all_out, seconds=120)
        await here.webhooks_arrived("sms:delivered", 1000)
        here.assert_air()
        assert phone.wake_ups - woken < 40
        assert not [line for line in phone.failures if "texts:" in line]


async def test_native_and_app_phone_share_a_queue_an_inbox_and_take_over_from_each_other(tmp_path: Path) -> None:
    async with app_world(tmp_path, HUB_FAILOVER_SECONDS="1") as here:
        app = await here.add_app()
        native = await here.add_phone("+12025550111", name="Native")
        for number in range(10):
            await here.send(f"+1415559{number:04d}", f"shared {number}")
        await here.settled("delivered")
        by = {sender for texts in senders(here).values() for sender in texts}
        assert by == {SHOP, "+12025550111"}
        await app.crash()
        await gone(here, "smsgate")
        for number in range(4):
            await here.send(f"+1415560{number:04d}", f"native alone {number}")
        await here.settled("delivered")
        assert {senders(here)[f"native alone {number}"][0] for number in range(4)} == {"+12025550111"}
        await app.switch_on()
        await native.crash()
        await gone(here, "native")
        for number in range(4):
            await here.send(f"+1415561{number:04d}", f"app alone {number}")
        await here.settled("delivered")
        assert {senders(here)[f"app alone {number}"][0] for number in range(4)} == {SHOP}
        await native.switch_on()
        await native.wait_online()
        await text_in(here, app, "to the app")
        await here.customer_texts(PEER, "to the native", native)
        await here.inbound_arrived()
        here.assert_air()
        await here.timelines_explain()


async def gone(here: AppWorld, transport: str) -> None:
    async def is_gone() -> bool:
        devices = (await here.hub.api.get("/v1/devices")).json()["items"]
        return not any(device["is_online"] for device in devices if device["transport"] == transport)

    await eventually(f"the {transport} phone is gone", is_gone)
