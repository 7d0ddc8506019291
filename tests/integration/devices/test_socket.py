"""The websocket of phones, over real sockets: who gets in, who is told goodbye and how, and that nobody can hold up the hub."""

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from device_protocol import errors
from device_protocol.frames import Go
from hub.core.effects import ToPhone
from hub.devices import find_device
from hub.devices.standing import RevokeDevice, revoke_device
from hub.phones.native import socket as socket_module
from hub.storage.schema.devices import Device, DeviceConnection, DeviceEvent
from tests.integration.devices.native_hub import NativeHub, until
from tests.integration.messages.world import ACCOUNT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_breaks_inside")]


async def test_a_phone_enrols_connects_and_its_text_is_stored_before_the_acknowledgement(
    hub_anywhere: NativeHub,
) -> None:
    phone = await hub_anywhere.phone()
    async with phone.online() as wire:
        await wire.send(phone.text("hello"))
        ack = await wire.frame("ack")
        (message,) = hub_anywhere.world.messages()
        assert (ack["n"], ack["uuid"], message.text) == (1, "uuid-1", "hello")
        assert hub_anywhere.sessions.is_online(phone.device_id)
    await until(lambda: not hub_anywhere.sessions.is_online(phone.device_id))
    await until(lambda: hub_anywhere.world.rows(DeviceConnection)[0]["closed_at"] is not None)
    assert hub_anywhere.world.rows(DeviceConnection)[0]["close_reason"] == "closed"


async def test_a_hundred_events_at_once_end_in_one_number(hub_anywhere: NativeHub) -> None:
    phone = await hub_anywhere.phone()
    async with phone.online() as wire:
        await wire.send(*(phone.text(str(n)) for n in range(100)))
        await wire.ack(100)
    assert len(hub_anywhere.world.messages()) == 100


async def test_many_phones_that_lose_their_connections_lose_and_double_no_text(hub_anywhere: NativeHub) -> None:
    async def one(number: int) -> None:
        phone = await hub_anywhere.phone(f"{number:043d}")
        events = [phone.text(f"{number}.{n}") for n in range(20)]
        async with phone.socket() as wire:
            await wire.send(phone.hello(), *events[:12])
            await wire.frame("welcome")
        async with phone.online() as wire:  # sends again what it does not know to be stored
            await wire.send(*events)
            await wire.ack(20)

    await asyncio.gather(*(one(number) for number in range(12)))
    texts = sorted(message.text for message in hub_anywhere.world.messages())
    assert texts == sorted(f"{number}.{n}" for number in range(12) for n in range(20))


async def test_what_a_phone_tells_is_seen_at_once_by_whoever_looks(hub: NativeHub) -> None:
    """While pairing, each permission given on the phone shows on the page: it does not wait for the next round of notes."""
    phone = await hub.phone()
    async with phone.online() as wire:
        await wire.send({"type": "status", "battery_percent": 40, "permissions": {"send_sms": False}})
        await wire.send(phone.text("a"))
        await wire.ack(1)
        assert hub.world.rows(Device)[0]["status_at"] is None, "nobody looks: the next round writes it"
        watcher = hub.services.live.watch(ACCOUNT)
        await wire.send({"type": "status", "battery_percent": 40, "permissions": {"send_sms": True}})
        await until(lambda: hub.world.rows(Device)[0]["permissions"] == '{"send_sms":true}')
        hub.services.live.leave(watcher)


async def test_numbers_that_jump_go_back_and_repeat(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        await wire.send(phone.text(n=3))
        assert (await wire.frame("resend"))["to"] == 2
        await wire.send(phone.text(n=1), phone.text(n=1))
        await wire.ack(1)
        await wire.send({"type": "gone", "stream": "stream-a", "from": 2, "to": 2, "reason": "aged"})
        assert (await wire.ack(3))["uuid"] == "uuid-3"
    assert len(hub.world.messages()) == 2


# --- who gets in ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_without_a_token_of_this_hub_the_upgrade_is_refused(hub: NativeHub, token: str) -> None:
    phone = await hub.phone()
    phone.access_token = token
    with pytest.raises(InvalidStatus) as refused:
        async with phone.socket():
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["code"] == "unauthenticated"


async def test_an_expired_token_is_refused(hub: NativeHub) -> None:
    phone = await hub.phone()
    hub.clock.advance(900)
    with pytest.raises(InvalidStatus, match="401"):
        async with phone.socket():
            pass


@pytest.mark.parametrize("version", ["handset.v9", None])
async def test_an_unknown_version_is_told_why(hub: NativeHub, version: str | None) -> None:
    phone = await hub.phone()
    async with phone.socket(subprotocol=version) as wire:
        assert wire.connection.subprotocol is None
        bye, code = await wire.end()
    assert (bye or {})["reason"] == "unsupported_version"
    assert code == errors.UNSUPPORTED_VERSION.code


async def test_a_phone_that_says_nothing_is_closed(hub: NativeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "HELLO_SECONDS", 0.05)
    phone = await hub.phone()
    async with phone.socket() as wire:
        assert (await wire.end())[1] == errors.HELLO_TIMEOUT.code


async def test_a_removed_phone_with_a_token_is_turned_away_at_hello(hub: NativeHub) -> None:
    phone = await hub.phone()
    hub.world.do(revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=phone.device_id))
    async with phone.socket() as wire:
        await wire.send(phone.hello())
        bye, code = await wire.end()
    assert ((bye or {})["reason"], code) == ("removed", errors.REMOVED.code)


# --- bad frames ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4000),
        ("null", 4000),
        ('{"type":"ping","n":-1}', 4000),
        ('{"type":"event","stream":"s","n":0,"uuid":"u","event":"e"}', 4000),
        ('{"type":"event","stream":"s","n":"1","uuid":"u","event":"e"}', 4000),
        ("[" * 20_000, 4000),
        (b'{"type":"ping","n":1}', 4000),
        ("x" * 70_000, 1009),
    ],
)
async def test_a_bad_frame_ends_the_connection_with_its_code(hub: NativeHub, frame: str | bytes, code: int) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        await wire.send(frame)
        assert (await wire.end())[1] == code
    assert hub.world.rows(DeviceEvent) == []
    async with phone.online() as wire:  # and nothing else is broken
        await wire.send({"type": "ping", "n": 1})
        assert (await wire.frame("pong"))["n"] == 1


@pytest.mark.parametrize(
    ("first", "code"),
    [({"type": "ping", "n": 1}, errors.HELLO_EXPECTED.code), ({"type": "bye", "code": 4000, "reason": "x"}, 4000)],
)
async def test_nothing_comes_before_hello(hub: NativeHub, first: dict[str, Any], code: int) -> None:
    phone = await hub.phone()
    async with phone.socket() as wire:
        await wire.send(first)
        assert (await wire.end())[1] == code


async def test_a_second_hello_ends_the_connection(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        await wire.send(phone.hello())
        assert (await wire.end())[1] == errors.HELLO_REPEATED.code


async def test_frames_and_fields_of_a_newer_app_are_ignored(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online(shoe_size=43) as wire:
        await wire.send({"type": "dance", "steps": 3}, {"type": "ping", "n": 7, "mood": "good"})
        assert (await wire.frame())["n"] == 7


async def test_half_a_surrogate_pair_and_nul_are_stored_visibly_and_raw(hub: NativeHub) -> None:
    phone = await hub.phone()
    event = json.dumps(phone.text("MARK")).replace("MARK", "a\\u0000b\\ud800c")
    async with phone.online() as wire:
        await wire.send(event)
        await wire.ack(1)
    assert [message.text for message in hub.world.messages()] == ["a\ufffdb\ufffdc"]
    assert hub.world.rows(DeviceEvent)[0]["raw"] == event


async def test_a_quarantined_payload_blocks_nothing(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        await wire.send(phone.text(payload={"text": 7}), phone.text("after"))
        await wire.ack(2)
    assert [row["outcome"] for row in sorted(hub.world.rows(DeviceEvent), key=lambda row: row["n"])] == [
        "quarantined",
        "applied",
    ]


# --- one connection counts -------------------------------------------------------------------------------------------------------


async def test_a_newer_connection_ends_the_older_one(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as old, phone.online() as new:
        bye, code = await old.end()
        assert ((bye or {})["reason"], code) == ("superseded", errors.SUPERSEDED.code)
        await new.send(phone.text())
        await new.ack(1)
        assert hub.sessions.session_no(phone.device_id) == 2


async def test_a_late_hello_of_an_older_connection_disturbs_nobody(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.socket() as late, phone.socket() as quick:
        delayed = phone.hello()
        await quick.send(phone.hello())
        await quick.frame("welcome")
        await late.send(delayed)
        bye, code = await late.end()
        assert ((bye or {})["reason"], code) == ("stale_hello", errors.STALE_HELLO.code)
        assert (bye or {})["connect"] == 2
        await quick.send({"type": "ping", "n": 1})
        await quick.frame("pong")


async def test_what_was_decided_on_an_older_connection_never_leaves_on_the_new_one(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online():
        pass
    async with phone.online() as wire:
        assert not hub.sessions.to_phone(ToPhone(phone.device_id, 1, Go("m" * 24, 1)))
        assert hub.sessions.to_phone(ToPhone(phone.device_id, 2, Go("n" * 24, 1)))
        assert (await wire.frame("go"))["id"] == "n" * 24


async def test_a_removed_phone_is_closed_in_mid_session(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        command = RevokeDevice(account_id=ACCOUNT, device_id=phone.device_id)
        view = await hub.services.db.writer.submit(revoke_device, command, *command.keys())
        bye, code = await wire.end()
    assert ((bye or {})["reason"], code) == ("removed", errors.REMOVED.code)
    assert view.state == "revoked"
    assert (await hub.token(phone.device_id, phone.nonce)).json()["code"] == "device_revoked"


async def test_a_phone_cut_off_by_another_process_is_closed_at_its_next_word(hub: NativeHub) -> None:
    phone = await hub.phone()
    async with phone.online() as wire:
        hub.world.do(
            revoke_device, RevokeDevice(account_id=ACCOUNT, device_id=phone.device_id)
        )  # its effects reach nobody here
        await wire.send(phone.text())
        assert (await wire.end())[1] == errors.SUPERSEDED.code
    assert hub.world.messages() == []


async def test_two_copies_of_one_phone_are_both_put_out(hub: NativeHub) -> None:
    phone = await hub.phone()
    first = (await hub.token(phone.device_id, phone.nonce)).json()
    await hub.token(phone.device_id, first["next_nonce"])
    async with phone.online() as wire:
        copy = await hub.token(phone.device_id, phone.nonce)
        assert (copy.status_code, copy.json()["code"]) == (403, "nonce_reused")
        bye, code = await wire.end()
    assert ((bye or {})["reason"], code) == ("suspended", errors.SUSPENDED.code)
    view = await hub.services.db.read(find_device, ACCOUNT, phone.device_id, now=hub.clock.now())
    assert view is not None
    assert view.state == "suspended"
