"""People by the API and the command line: inviting, changing, removing, and who may do that."""

from pathlib import Path

import pyotp
import pytest

from hub.accounts.roles import Role
from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from hub.core.ids import render
from hub.operations import people
from tests.integration.api.hub_api import problem
from tests.integration.dashboard.desk import PASSWORD, Desk
from tests.integration.messages.world import ACCOUNT, STRANGER

pytestmark = pytest.mark.anyio

MINE = render("account", ACCOUNT)


async def test_an_admin_invites_and_others_do_not(desk: Desk) -> None:
    admin = await desk.person("ines")
    body = {"username": "Max@Example.org", "name": "Max", "role": "member"}
    made = (await admin.post("/v1/users", json=body)).json()
    assert made["user"]["username"] == "max@example.org"
    assert made["user"]["has_password"] is False
    assert made["link"].startswith("https://hub.example/ui/password#")
    problem(await admin.post("/v1/users", json={**body, "username": "MAX@example.org "}), Code.CONFLICT)
    for username in ("two words", "", "x" * 201, "nul\u0000"):
        assert (await admin.post("/v1/users", json={**body, "username": username})).status_code == 422
    member = await desk.person("eva", Role.MEMBER)
    problem(await member.post("/v1/users", json={**body, "username": "x"}), Code.SCOPE_MISSING)
    problem(await member.get("/v1/users"), Code.SCOPE_MISSING)


async def test_nobody_makes_somebody_who_may_do_more(desk: Desk) -> None:
    key = desk.api.client(desk.api.make_key(scopes=frozenset({Scope.USERS_READ, Scope.USERS_WRITE})))
    body = {"username": "eve", "name": "Eve", "role": "admin"}
    problem(await key.post("/v1/users", json=body), Code.SCOPE_MISSING)
    problem(await key.post("/v1/users", json={**body, "role": "member"}), Code.SCOPE_MISSING)
    ines_id, _ = await desk.invited("ines")
    problem(await key.patch(f"/v1/users/{ines_id}", json={"name": "Eve"}), Code.SCOPE_MISSING)
    problem(await key.post(f"/v1/users/{ines_id}/link", json={}), Code.SCOPE_MISSING)
    problem(await key.delete(f"/v1/users/{ines_id}"), Code.SCOPE_MISSING)


async def test_the_last_administrator_stays(desk: Desk) -> None:
    admin = await desk.person("ines")
    own = (await admin.get("/session")).json()["user"]["id"]
    await desk.invited("not-yet")  # has no password, so nobody could sign in by it
    for change in ({"role": "member"}, {"is_disabled": True}):
        problem(await admin.patch(f"/v1/users/{own}", json=change), Code.CONFLICT)
    problem(await admin.delete(f"/v1/users/{own}"), Code.CONFLICT)
    await desk.person("max")
    assert (await admin.patch(f"/v1/users/{own}", json={"role": "member"})).json()["role"] == "member"
    problem(await admin.get("/v1/users"), Code.SCOPE_MISSING)


async def test_an_administrator_sees_all_lines(desk: Desk) -> None:
    (line,) = desk.api.world.lines(desk.api.world.phone("Pixel"))
    admin = await desk.person("ines")
    own = (await admin.get("/session")).json()["user"]["id"]
    answer = await admin.patch(f"/v1/users/{own}", json={"line_ids": [render("line", line)]})
    assert problem(answer, Code.VALIDATION)["errors"][0]["field"] == "line_ids"
    strange = await admin.post(
        "/v1/users", json={"username": "x", "name": "X", "role": "member", "line_ids": ["lin_" + "0" * 24]}
    )
    assert problem(strange, Code.VALIDATION)["errors"][0]["field"] == "line_ids"


async def test_somebody_removed_is_out_at_once_and_their_name_is_free(desk: Desk) -> None:
    admin, other = await desk.person("ines"), await desk.person("max", Role.MEMBER)
    max_id = (await other.get("/session")).json()["user"]["id"]
    assert (await admin.delete(f"/v1/users/{max_id}")).status_code == 200
    assert (await other.get("/session")).status_code == 401
    problem(await admin.get(f"/v1/users/{max_id}"), Code.NOT_FOUND)
    await desk.person("max")


async def test_a_lost_authenticator_is_dropped_with_the_link(desk: Desk) -> None:
    admin, other = await desk.person("ines"), await desk.person("max")
    begun = (await other.post("/session/totp", json={"password": PASSWORD})).json()
    code = pyotp.TOTP(begun["secret"]).at(desk.clock.now() // 1000)
    assert (await other.post("/session/totp/confirm", json={"code": code})).status_code == 200
    user = (await other.get("/session")).json()["user"]
    assert user["has_totp"] is True
    made = await admin.post(f"/v1/users/{user['id']}/link", json={"drops_second_factor": True})
    assert made.json()["user"]["has_second_factor"] is False
    await desk.sign_in(desk.browser(), "max")


async def test_people_of_another_account_are_not_there(desk: Desk) -> None:
    theirs = await desk.person("eve", account=STRANGER)
    mine, _ = await desk.invited("ines")
    problem(await theirs.get(f"/v1/users/{mine}"), Code.NOT_FOUND)
    assert [user["username"] for user in (await theirs.get("/v1/users")).json()["items"]] == ["eve"]
    problem(await theirs.post("/v1/users", json={"username": "ines", "name": "I", "role": "member"}), Code.CONFLICT)


async def test_the_command_line_adds_resets_and_disables(desk: Desk, tmp_path: Path) -> None:
    services = desk.services
    added = await people.user_add(services, "Ines@Example.org", "Ines", account=MINE)
    token = added["link"].partition("#")[2]
    assert (await desk.browser().post("/session/password", json={"token": token, "password": PASSWORD})).is_success
    browser = desk.browser()
    await desk.sign_in(browser, "ines@example.org")
    listed = (await people.user_list(services, MINE))["users"]
    assert [(row["username"], row["role"]) for row in listed] == [("ines@example.org", "admin")]
    reset = await people.user_reset(services, "INES@example.org", drops_totp=True)
    assert "#" in reset["link"]
    await people.user_add(services, "max", account=MINE)
    with pytest.raises(HubError, match="last administrator"):
        await people.user_disable(services, "ines@example.org")
    with pytest.raises(HubError, match="hub user list"):
        await people.user_reset(services, "nobody")
    with pytest.raises(HubError, match="users already"):
        await people.user_setup(services)
