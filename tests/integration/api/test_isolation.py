"""Nobody sees another account's rows, and a key does what its scopes say: held against every operation of the table."""

from typing import Any

import httpx
import pytest

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.ids import PREFIXES, render
from hub.dialects.native_v1.operation import PATH_IDS, AnyOperation
from hub.dialects.native_v1.table import OPERATIONS
from hub.storage.schema.media import Media
from tests.integration.api.hub_api import ALL, Api, problem
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio

WITH_IDS = [operation for operation in OPERATIONS if operation.path_ids]
LISTS = [operation for operation in OPERATIONS if operation.method == "GET" and not operation.path_ids]
SMALLEST_BODY: dict[str, Any] = {
    "change_line": {"name": "mine now"},
    "change_device": {"name": "mine now", "is_paused": True, "is_suspended": True},
    "change_conversation": {"is_archived": True},
    "change_thread": {"is_archived": True},
    "change_contact": {"name": "mine now"},
    "change_snippet": {"name": "mine", "text": "now"},
    "change_webhook": {"state": "paused"},
    "change_key": {"name": "mine now"},
    "change_gateway": {"sender": "mine now"},
    "change_mailbox": {"name": "mine now"},
    "change_user": {"name": "mine now", "role": "read_only", "is_disabled": True},
    "set_forwarding": {"way": "webhook", "url": "http://127.0.0.1:9/mine"},
    "confirm_line": {"is_same_as": None},
    "send_test_text": {"to": "+491701234567"},
    "add_batch_rows": {"rows": [{"row": 1, "to": "+491701234567", "text": "mine now"}]},
}
"""A body that would do something, for each operation on an id that needs one."""
QUERY = {"get_enrolment_svg": "?code=x", "get_enrolment_png": "?code=x", "wait_for_text": "?timeout=0"}


async def things_of_everybody(api: Api) -> dict[str, str]:
    """One of everything, of the account that the tests act for: its ids by the name of the path's parameter."""
    device = api.world.phone("Pixel")
    (line,) = api.world.lines(device)
    webhook = (await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/hook"}))["webhook"]["id"]
    sent = await api.send(["+491701234567", "+491701234568"], text="private words")
    received, medium = await api.receive(device, "more private words"), api.world.new_id()
    attached = {"position": 0, "type": "image/png", "name": "private.png", "created_at": 0}
    api.world.insert(Media, id=medium, account_id=ACCOUNT, message_id=received, **attached)
    delivery = (await api.get("/v1/deliveries"))["items"][0]["id"]
    return {
        "message_id": sent["results"][0]["message_id"],
        "batch_id": sent["batch_id"],
        "conversation_id": sent["results"][0]["conversation_id"],
        "device_id": render("device", device),
        "line_id": render("line", line),
        "enrolment_id": (await api.post("/v1/enrolments", {"name": "private phone"}))["enrolment"]["id"],
        "webhook_id": webhook,
        "media_id": render("media", medium),
        "delivery_id": delivery,
        "replay_id": (await api.post("/v1/replays", {"webhook_id": webhook}))["id"],
        "login_id": (await api.post("/v1/logins", {"username": "private-login"}))["info"]["id"],
        "contact_id": (await api.post("/v1/contacts", {"name": "private person"}))["id"],
        "snippet_id": (await api.post("/v1/snippets", {"name": "private", "text": "private words"}))["id"],
        "mailbox_id": (
            await api.post("/v1/mailboxes", {"name": "private", "allowed_senders": ["private@example.org"]})
        )["info"]["id"],
        "gateway_id": (await api.post("/v1/gateways", {"name": "Private"}))["info"]["id"],
        "key_id": (await api.get("/v1/account"))["key_id"],
        "user_id": (await api.post("/v1/users", {"username": "private", "name": "private person", "role": "admin"}))[
            "user"
        ]["id"],
    }


def path_of(operation: AnyOperation, ids: dict[str, str]) -> str:
    return operation.path.format(**ids) + QUERY.get(operation.id, "")


async def ask(http: httpx.AsyncClient, operation: AnyOperation, ids: dict[str, str]) -> httpx.Response:
    body = SMALLEST_BODY.get(operation.id)
    kwargs = {} if body is None else {"json": body}
    return await http.request(operation.method, path_of(operation, ids), **kwargs)


def test_every_kind_of_id_in_a_path_is_tried() -> None:
    assert {name for operation in WITH_IDS for name in operation.path_ids} == set(PATH_IDS)
    needs_body = {op.id for op in WITH_IDS if op.body is not type(None) and not op.is_body_optional}
    assert needs_body == set(SMALLEST_BODY)


async def test_another_accounts_ids_are_not_found_on_any_path_and_nothing_changes(api: Api) -> None:
    ids = await things_of_everybody(api)
    assert set(ids) == set(PATH_IDS)
    before = [await api.http.get(path_of(one, ids)) for one in WITH_IDS if one.method == "GET"]
    stranger = api.stranger()
    for operation in WITH_IDS:
        answer = await ask(stranger, operation, ids)
        problem(answer, Code.NOT_FOUND)
        assert "private" not in answer.text
        for id_ in ids.values():
            assert id_ not in answer.text, operation.id
    after = [await api.http.get(path_of(one, ids)) for one in WITH_IDS if one.method == "GET"]
    assert [answer.text for answer in after] == [answer.text for answer in before]


async def test_another_accounts_ids_are_answered_as_those_of_nothing(api: Api) -> None:
    ids = await things_of_everybody(api)
    nothing = {name: f"{PREFIXES[PATH_IDS[name]]}_{'0' * 24}" for name in ids}
    stranger = api.stranger()
    for operation in WITH_IDS:
        foreign, absent = await ask(stranger, operation, ids), await ask(stranger, operation, nothing)
        assert foreign.text.replace(str(ids), "") == absent.text, operation.id


async def test_lists_hold_nothing_of_another_account(api: Api) -> None:
    ids = await things_of_everybody(api)
    stranger = api.stranger()
    for operation in LISTS:
        if operation.id == "follow_stream":
            continue
        answer = await stranger.get(path_of(operation, {}))
        assert answer.status_code == 200, operation.id
        assert "private" not in answer.text, operation.id
        assert not [id_ for id_ in ids.values() if id_ in answer.text], operation.id


async def test_numbers_count_nothing_of_another_account(api: Api) -> None:
    await things_of_everybody(api)
    mine, theirs = await api.get("/v1/overview"), (await api.stranger().get("/v1/overview")).json()
    assert (mine["funnel"]["accepted"], mine["funnel"]["received"], mine["phones"]) == (2, 1, 1)
    assert set(theirs["funnel"].values()) == {0}
    assert {span["open"] + span["delivered"] + span["failed"] for span in theirs["series"]} == {0}
    assert (theirs["phones"], theirs["speed"]["measured"]) == (0, 0)


@pytest.mark.parametrize(
    ("path", "name", "id_name"),
    [
        ("messages", "line_id", "line_id"),
        ("messages", "device_id", "device_id"),
        ("messages", "batch_id", "batch_id"),
        ("messages", "conversation_id", "conversation_id"),
        ("conversations", "line_id", "line_id"),
        ("lines", "device_id", "device_id"),
        ("deliveries", "webhook_id", "webhook_id"),
        ("deliveries", "message_id", "message_id"),
        ("replays", "webhook_id", "webhook_id"),
    ],
)
async def test_a_filter_by_another_accounts_id_finds_nothing(api: Api, path: str, name: str, id_name: str) -> None:
    ids = await things_of_everybody(api)
    answer = await api.stranger().get(f"/v1/{path}", params={name: ids[id_name]})
    assert answer.status_code == 404 or answer.json()["items"] == []
    assert (await api.get(f"/v1/{path}", **{name: ids[id_name]}))["items"] != []


@pytest.mark.parametrize(
    ("path", "body", "id_name"),
    [
        ("messages", {"to": "+491701234567", "text": "x", "line_id": None}, "line_id"),
        ("messages", {"to": "+491701234567", "text": "x", "device_id": None}, "device_id"),
        ("enrolments", {"device_id": None}, "device_id"),
        ("replays", {"webhook_id": None}, "webhook_id"),
    ],
)
async def test_a_body_cannot_use_another_accounts_things(
    api: Api, path: str, body: dict[str, Any], id_name: str
) -> None:
    ids = await things_of_everybody(api)
    filled = {name: ids[id_name] if value is None else value for name, value in body.items()}
    answer = await api.stranger().post(f"/v1/{path}", json=filled)
    assert answer.status_code in (404, 422), answer.text


async def test_each_scope_opens_its_operations_and_no_other(api: Api) -> None:
    """Every operation with every scope. An id of nothing stands in the path, so that what is allowed ends in 404 or in harm to none."""
    nothing = {name: f"{PREFIXES[kind]}_{'0' * 24}" for name, kind in PATH_IDS.items()}
    allowed: dict[str, set[Scope]] = {operation.id: set() for operation in OPERATIONS}
    for scope in Scope:
        http = api.client(api.make_key(scopes=frozenset({scope})))
        for operation in OPERATIONS:
            if operation.id == "follow_stream" and scope is operation.scope:
                allowed[operation.id].add(scope)
                continue
            answer = await ask(http, operation, nothing)
            if answer.status_code == 403:
                assert str(operation.scope) in problem(answer, Code.SCOPE_MISSING)["detail"]
            else:
                allowed[operation.id].add(scope)
    assert allowed == {one.id: {one.scope} if one.scope else set(Scope) for one in OPERATIONS}


async def test_a_key_makes_no_key_that_may_do_more(api: Api) -> None:
    http = api.client(api.make_key(scopes=frozenset({Scope.KEYS_WRITE, Scope.KEYS_READ})))
    problem(await http.post("/v1/keys", json={"name": "x", "scopes": ["messages:send"]}), Code.SCOPE_MISSING)
    assert (await http.post("/v1/keys", json={"name": "x", "scopes": ["keys:read"]})).status_code == 201
    strong = (await api.post("/v1/keys", {"name": "strong", "scopes": sorted(ALL)}))["info"]["id"]
    problem(await http.post(f"/v1/keys/{strong}/rotate"), Code.SCOPE_MISSING)
    problem(await http.patch(f"/v1/keys/{strong}", json={"scopes": ["account:write"]}), Code.SCOPE_MISSING)
