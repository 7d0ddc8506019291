"""How the app comes in: three ways, again after its token became void, and what it says of itself."""

import base64
from typing import Any

import pytest

from hub.core.ids import IdSource
from hub.devices.arrival import read_remembered
from hub.devices.reading import find_device, list_notices
from hub.devices.standing import (
    ReinstateDevice,
    RevokeDevice,
    RotateCredentials,
    SuspendDevice,
    reinstate_device,
    revoke_device,
    rotate_credentials,
    suspend_device,
)
from hub.storage.schema.devices import Device, Enrolment, Line
from tests.integration.messages.world import ACCOUNT
from tests.integration.smsgate.app_hub import SIMS, App, AppHub

pytestmark = pytest.mark.anyio


async def test_private_token_lets_a_phone_in_with_a_login_of_its_own(hub_anywhere: AppHub) -> None:
    hub = hub_anywhere
    app = App(hub)
    word = hub.word()
    answer = await app.sign_up(word.upper())
    assert answer.status_code == 201
    assert set(app.answers) == {"id", "token", "login", "password"}
    assert len(app.id) == len(app.token) == 21
    credential = await hub.services.logins.check(app.answers["login"], app.answers["password"])
    assert credential.principal.account_id == ACCOUNT
    (device,) = hub.world.rows(Device)
    assert (device["transport"], device["manufacturer"], device["model"]) == ("smsgate", "Google", "shiba")
    (enrolment,) = hub.world.rows(Enrolment)
    assert enrolment["device_id"] == device["id"]


async def test_signing_in_puts_the_phone_into_the_logins_account_and_tells_no_password(hub: AppHub) -> None:
    made = await hub.services.logins.create(ACCOUNT)
    app = App(hub)
    pair = base64.b64encode(f"{made.row.username}:{made.password}".encode()).decode()
    assert (await app.sign_up(pair, scheme="Basic")).status_code == 201
    assert app.answers["login"] == made.row.username
    assert "password" not in app.answers
    assert (await App(hub).sign_up(base64.b64encode(b"X:no").decode(), scheme="Basic")).status_code == 401


async def test_code_lets_a_phone_in_once(hub: AppHub) -> None:
    word = hub.word()
    app = App(hub)
    assert (await app.sign_up(word, scheme="Code")).status_code == 201
    assert isinstance(app.answers["login"], str)
    hub.clock.advance(4000)
    late = App(hub)
    assert (await late.sign_up(hub.word(), scheme="Code")).status_code == 201
    unused = hub.word()
    hub.clock.advance(3601)
    assert (await App(hub).sign_up(unused, scheme="Code")).status_code == 401


async def test_word_in_the_address_needs_nothing_else(hub: AppHub) -> None:
    word = hub.word()
    app = App(hub, base=f"/p/{word}")
    # A phone that comes from another server still has that server's token in its settings.
    assert (await app.sign_up("another-servers-token")).status_code == 201
    assert "password" in app.answers
    assert (await app.texts()) == []


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer", "Code nope", "Basic !", "Digest x"])
async def test_who_brings_nothing_right_is_answered_401(hub: AppHub, given: str) -> None:
    answer = await App(hub).call("POST", "/device", {"name": "a/b"}, given)
    assert answer.status_code == 401
    assert set(answer.json()) == {"message"}


async def test_native_codes_and_words_are_two_things(hub: AppHub) -> None:
    native = hub.word()
    hub.world.change(Enrolment, hub.world.rows(Enrolment)[0]["id"], transport="native")
    assert (await App(hub).sign_up(native)).status_code == 401


async def test_rotated_phone_is_401_registers_again_and_keeps_its_row(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    old = app.token
    command = RotateCredentials(account_id=ACCOUNT, device_id=app.device_id)
    hub.world.do(rotate_credentials, command)
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 401
    before = app.id
    assert (await app.sign_up(word)).status_code == 201
    assert (app.id, app.token == old) == (before, False)
    assert "password" not in app.answers, "only the first answer tells it"
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 204
    assert len(hub.world.rows(Device)) == 1


async def test_lost_answer_costs_nothing(hub: AppHub) -> None:
    word = hub.word()
    first, again = App(hub), App(hub)
    await first.sign_up(word)
    await again.sign_up(word)
    assert again.id == first.id
    assert (await first.call("GET", "/message")).status_code == 401
    assert (await again.call("GET", "/message")).status_code == 200
    notices = await hub.services.db.read(list_notices, ACCOUNT)
    assert not notices


async def test_registering_again_is_told_to_the_operator(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    await app.texts()
    await App(hub).sign_up(word)
    (notice,) = await hub.services.db.read(list_notices, ACCOUNT) or ()
    assert notice.kind == "registered_again"
    assert "set up anew" in notice.text


async def test_removed_phone_stays_out_and_suspended_one_waits(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    ids = {"account_id": ACCOUNT, "device_id": app.device_id}
    hub.world.do(suspend_device, SuspendDevice(**ids))
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 403
    hub.world.do(reinstate_device, ReinstateDevice(**ids))
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 204
    hub.world.do(revoke_device, RevokeDevice(**ids))
    assert (await app.call("PATCH", "/device", {"id": app.id})).status_code == 401
    assert (await app.sign_up(word)).status_code == 401


async def test_sims_become_lines_and_whole_numbers_come_later(hub: AppHub) -> None:
    app = await hub.register()
    (line,) = hub.world.rows(Line)
    assert (line["number"], line["slot"], line["carrier"], line["fingerprint"]) == (None, 0, "EE", "ee/0001")
    card = {**SIMS[0], "phoneNumber": "+447700900001", "iccid": "8944111111"}
    assert (await app.post("app:started", {"simCards": [card]})).status_code == 200
    (line,) = hub.world.rows(Line)
    assert line["number"] == "+447700900001"
    two = [SIMS[0], {"slotIndex": 1, "simNumber": 2, "carrierName": "O2"}]
    assert (await app.call("PATCH", "/device", {"id": app.id, "simCards": two})).status_code == 204
    assert sorted(row["slot"] for row in hub.world.rows(Line)) == [0, 1]


@pytest.mark.parametrize("sims", [None, []])
async def test_phone_that_tells_of_no_sim_sends_by_its_own_choice(hub: AppHub, sims: Any) -> None:
    app = App(hub, version="1.60.0")
    await app.sign_up(hub.word(), sims=sims)
    message = hub.world.send("+491701111111")
    (text,) = await app.texts()
    assert "simNumber" not in text
    assert hub.world.message(message).device_id == app.device_id
    # The list of a phone that may look stands, also when it is told none again.
    await app.call("PATCH", "/device", {"id": app.id, "simCards": SIMS})
    await app.call("PATCH", "/device", {"id": app.id, "simCards": []})
    present = [row for row in hub.world.rows(Line) if row["is_present"]]
    assert [row["carrier"] for row in present] == ["EE"]


async def test_device_call_works_without_token_and_codes_are_made_for_who_signs_in(hub: AppHub) -> None:
    app = await hub.register()
    assert (await app.call("GET", "/device", authorization="")).json() == {"externalIp": "127.0.0.1"}
    assert (await app.call("GET", "/device")).json()["device"]["id"] == app.id
    pair = base64.b64encode(f"{app.answers['login']}:{app.answers['password']}".encode()).decode()
    told = (await app.call("GET", "/user/code", authorization=f"Basic {pair}")).json()
    assert set(told) == {"code", "validUntil"}
    assert (await App(hub).sign_up(told["code"], scheme="Code")).status_code == 201


async def test_password_is_changed_on_the_phone(hub: AppHub) -> None:
    app = await hub.register()

    async def change(current: str, new: str) -> int:
        body = {"currentPassword": current, "newPassword": new}
        return (await app.call("PATCH", "/user/password", body)).status_code

    assert await change(app.answers["password"], "short") == 400
    assert await change("wrong", "long enough a password") == 401
    assert await change(app.answers["password"], "long enough a password") == 204
    await hub.services.logins.check(app.answers["login"], "long enough a password")


async def test_a_phone_is_there_while_it_asks_and_gone_when_it_does_not(hub: AppHub) -> None:
    app = await hub.register()

    async def is_online() -> bool:
        found = await hub.services.db.read(find_device, ACCOUNT, app.device_id, now=hub.clock.now())
        assert found is not None
        return found.is_online

    assert not await is_online()
    await app.texts()
    assert await is_online()
    hub.clock.advance(15 * 60)
    await hub.presence.look()
    assert await is_online(), "a phone without a stream asks every 15 minutes"
    hub.clock.advance(6 * 60)
    await hub.presence.look()
    assert not await is_online()


async def test_what_is_remembered_holds_no_secret(hub: AppHub, ids: IdSource) -> None:
    app = await hub.register()
    await app.settings()
    (device,) = hub.world.rows(Device)
    assert app.token not in str(device)
    assert app.answers["password"] not in str(device)
    assert set(read_remembered(device["settings"])) <= {"login", "login_id", "settings", "webhooks"}


async def test_new_word_for_a_phone_ends_its_old_one(hub: AppHub) -> None:
    word = hub.word()
    app = await hub.register(word)
    assert (await app.sign_up(hub.word(device_id=app.device_id))).status_code == 201
    assert (await App(hub).sign_up(word)).status_code == 401
    assert len(hub.world.rows(Device)) == 1
