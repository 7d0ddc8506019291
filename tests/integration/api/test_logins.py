"""Logins over the API: made, listed, given another password, deleted; by keys that may."""

import pytest

from hub.accounts.scopes import Scope
from hub.core.errors import Code, HubError
from tests.integration.api.hub_api import ALL, Api, problem

pytestmark = pytest.mark.anyio


async def test_a_login_is_made_listed_and_deleted(api: Api) -> None:
    made = await api.post("/v1/logins", {"username": "till-2", "password": "long enough 1"})
    assert made["password"] == "long enough 1"
    assert (await api.services.logins.check("till-2", "long enough 1")).principal.key_name == "till-2"
    (listed,) = (await api.get("/v1/logins"))["items"]
    assert listed["id"] == made["info"]["id"]
    assert listed["last_used_at"] is not None
    assert "long enough" not in (await api.http.get("/v1/logins")).text
    assert (await api.http.delete(f"/v1/logins/{listed['id']}")).status_code == 200
    with pytest.raises(HubError):
        await api.services.logins.check("till-2", "long enough 1")
    problem(await api.http.delete(f"/v1/logins/{listed['id']}"), Code.NOT_FOUND)


async def test_the_hub_makes_up_what_is_left_out(api: Api) -> None:
    made = await api.post("/v1/logins", {})
    assert len(made["info"]["username"]) == 6
    await api.services.logins.check(made["info"]["username"], made["password"])
    again = await api.post(f"/v1/logins/{made['info']['id']}/password")
    assert again["password"] != made["password"]
    await api.services.logins.check(made["info"]["username"], again["password"])


async def test_a_taken_name_and_a_bad_one_are_told_apart(api: Api) -> None:
    await api.post("/v1/logins", {"username": "till"})
    problem(await api.http.post("/v1/logins", json={"username": "TILL"}), Code.CONFLICT)
    problem(await api.http.post("/v1/logins", json={"username": "a:b"}), Code.VALIDATION)
    problem(await api.http.post("/v1/logins", json={"password": "short"}), Code.VALIDATION)


async def test_a_key_makes_no_login_that_may_do_more_than_itself(api: Api) -> None:
    made = await api.post("/v1/logins", {"username": "till"})
    weaker = api.client(api.make_key(scopes=frozenset({Scope.KEYS_WRITE, Scope.MESSAGES_SEND})))
    problem(await weaker.post("/v1/logins", json={}), Code.SCOPE_MISSING)
    problem(await weaker.post(f"/v1/logins/{made['info']['id']}/password"), Code.SCOPE_MISSING)
    without = api.client(api.make_key(scopes=ALL - {Scope.KEYS_WRITE}))
    problem(await without.post("/v1/logins", json={}), Code.SCOPE_MISSING)


async def test_a_login_does_not_open_the_native_api(api: Api) -> None:
    made = await api.post("/v1/logins", {"username": "till"})
    answer = await api.client().get("/v1/messages", auth=("till", made["password"]))
    problem(answer, Code.UNAUTHENTICATED)
