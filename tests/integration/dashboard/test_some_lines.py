"""Somebody who may see some lines only is shown nothing of the others, sends by nothing else, and changes nothing there."""

from typing import Any

import httpx
import pytest

from hub.accounts.roles import Role
from hub.core.ids import Kind, parse, render
from hub.dialects.native_v1.operation import AnyOperation
from hub.dialects.native_v1.own_lines import own_hints
from hub.dialects.native_v1.table import OPERATIONS
from hub.live import Hint
from hub.storage.schema.media import Media, MediaContent, MediaPiece
from hub.storage.schema.messages import Message
from tests.integration.api.test_isolation import QUERY, SMALLEST_BODY
from tests.integration.dashboard.desk import Desk
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio

CLOSED = [operation for operation in OPERATIONS if not operation.knows_lines]
OPEN = [operation for operation in OPERATIONS if operation.knows_lines]
LISTS = [operation for operation in OPEN if operation.method == "GET" and not operation.path_ids]
SHARED = {"contact_id", "snippet_id"}
"""Belong to the account, not to a line."""
MIXED = {"batch_id"}
"""May have texts of several lines: see `test_a_batch_is_what_their_lines_have_of_it`."""


class Shop:
    """Two phones with a line each, a text out and a text in on both; Max may see the first."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.mine, self.theirs = desk.api.world.phone("Mine"), desk.api.world.phone("Theirs")
        (self.my_line,) = desk.api.world.lines(self.mine)
        (self.their_line,) = desk.api.world.lines(self.theirs)
        self.ids: dict[str, dict[str, str]] = {}
        self.max: httpx.AsyncClient

    async def open(self, role: Role = Role.MEMBER) -> "Shop":
        for name, phone, line in (("mine", self.mine, self.my_line), ("theirs", self.theirs, self.their_line)):
            sent = await self.desk.api.send("+491701234567", text=f"{name} out", line_id=render("line", line))
            medium = self.attach(await self.desk.api.receive(phone, f"{name} in", "+447700900123"), name)
            result = sent["results"][0]
            self.ids[name] = {
                "message_id": result["message_id"],
                "conversation_id": result["conversation_id"],
                "line_id": render("line", line),
                "device_id": render("device", phone),
                "media_id": render("media", medium),
            }
        self.max = await self.desk.person("max", role, frozenset({self.my_line}))
        return self

    def attach(self, message_id: str, name: str) -> str:
        """Make a text that came in an MMS."""
        world, medium = self.desk.api.world, self.desk.api.world.new_id()
        content = {"account_id": ACCOUNT, "sha256": name.ljust(64, "0")}
        world.insert(MediaContent, **content, size_bytes=6, type="image/png", is_whole=True)
        world.insert(MediaPiece, **content, number=0, content=name.encode())
        told = {"message_id": message_id, "position": 0, "type": "image/png", "name": f"{name}.png", "created_at": 0}
        world.insert(Media, id=medium, **content, **told)
        world.change(Message, message_id, kind="mms")
        return medium

    async def ask(self, operation: AnyOperation, ids: dict[str, str]) -> httpx.Response:
        body = SMALLEST_BODY.get(operation.id)
        kwargs: dict[str, Any] = {} if body is None else {"json": body}
        path = operation.path.format(**ids) + QUERY.get(operation.id, "")
        return await self.max.request(operation.method, path, **kwargs)


@pytest.fixture
async def shop(desk: Desk) -> Shop:
    return await Shop(desk).open()


async def test_what_was_not_thought_about_is_closed(shop: Shop) -> None:
    """Also by role: an operation somebody may not use at all says so first."""
    nothing = {name: "x" for operation in CLOSED for name in operation.path_ids}
    for operation in CLOSED:
        answer = await shop.max.request(operation.method, operation.path.format(**nothing))
        assert answer.json()["code"] in ("lines_limited", "scope_missing"), operation.id


async def test_lists_hold_nothing_of_other_lines(shop: Shop) -> None:
    seen = ""
    for operation in LISTS:
        if operation.id == "follow_stream":
            continue
        answer = await shop.ask(operation, {})
        assert answer.status_code == 200, (operation.id, answer.text)
        assert "theirs" not in answer.text.casefold(), operation.id
        assert not [id_ for id_ in shop.ids["theirs"].values() if id_ in answer.text], operation.id
        seen += answer.text
    for text in ("mine out", "mine in", *shop.ids["mine"].values()):
        assert text in seen, f"{text} is theirs to see"


async def test_asking_for_another_line_gives_nothing(shop: Shop) -> None:
    line = shop.ids["theirs"]["line_id"]
    for path in ("/v1/messages", "/v1/threads"):
        assert (await shop.max.get(path, params={"line_id": line})).json()["items"] == []
    peer = (await shop.max.get("/v1/messages", params={"peer": "+491701234567"})).json()["items"]
    assert [item["text"] for item in peer] == ["mine out"]
    conversation = shop.ids["theirs"]["conversation_id"]
    inside = await shop.max.get("/v1/messages", params={"conversation_id": conversation})
    assert inside.json()["items"] == []


async def test_things_of_other_lines_are_not_there(shop: Shop) -> None:
    for operation in OPEN:
        if not operation.path_ids or set(operation.path_ids) & (SHARED | MIXED):
            continue
        foreign = await shop.ask(operation, shop.ids["theirs"])
        assert foreign.status_code == 404, (operation.id, foreign.text)
        assert "theirs" not in foreign.text
    left = await shop.desk.api.get(f"/v1/messages/{shop.ids['theirs']['message_id']}")
    assert left["state"] == "queued", "nothing was cancelled or sent again"


async def test_they_send_by_their_lines_alone(shop: Shop) -> None:
    body = {"to": "+491701234599", "text": "hello"}
    free = await shop.max.post("/v1/messages", json=body)
    assert free.json()["results"][0]["line_id"] == shop.ids["mine"]["line_id"]
    named = await shop.max.post("/v1/messages", json={**body, "line_id": shop.ids["mine"]["line_id"]})
    assert named.status_code == 202
    refused = [
        {**body, "line_id": shop.ids["theirs"]["line_id"]},
        {**body, "device_id": shop.ids["theirs"]["device_id"]},
        {**body, "from": "Theirs"},
    ]
    for asked in refused:
        answer = await shop.max.post("/v1/messages", json=asked)
        assert answer.status_code == 422, answer.text
    again = await shop.max.post(
        f"/v1/messages/{shop.ids['mine']['message_id']}/resend", json={"line_id": shop.ids["theirs"]["line_id"]}
    )
    assert again.json()["code"] in ("unknown_sender", "not_retryable")
    texts = (await shop.desk.api.get("/v1/messages", direction="mt"))["items"]
    assert {text["line_id"] for text in texts if text["text"] == "hello"} == {shop.ids["mine"]["line_id"]}


async def test_the_hub_chooses_among_their_lines_the_one_the_peer_knows(desk: Desk) -> None:
    shop = await Shop(desk).open()
    (extra,) = desk.api.world.lines(desk.api.world.phone("Extra"))
    both = await desk.person("eva", Role.MEMBER, frozenset({shop.my_line, extra}))
    sent = await both.post("/v1/messages", json={"to": "+491701234567", "text": "again"})
    assert sent.json()["results"][0]["line_id"] == shop.ids["mine"]["line_id"]
    asked = await both.post("/v1/senders", json={"to": "+491701234567"})
    assert asked.json()["line_id"] == shop.ids["mine"]["line_id"]
    many = await both.post("/v1/messages", json={"to": ["+491701234567", "+491701234568"], "text": "all"})
    assert many.json()["errors"][0]["field"] == "line_id"


async def test_other_lines_and_roles_count_from_the_next_request(shop: Shop) -> None:
    admin = await shop.desk.person("ines")
    max_id = (await shop.max.get("/session")).json()["user"]["id"]
    line = shop.ids["theirs"]["line_id"]
    assert (await admin.patch(f"/v1/users/{max_id}", json={"line_ids": [line]})).status_code == 200
    texts = (await shop.max.get("/v1/messages")).json()["items"]
    assert {text["text"] for text in texts} == {"theirs out", "theirs in"}
    await admin.patch(f"/v1/users/{max_id}", json={"role": "read_only"})
    sent = await shop.max.post("/v1/messages", json={"to": "+491701234567", "text": "x"})
    assert sent.json()["code"] == "scope_missing"
    await admin.patch(f"/v1/users/{max_id}", json={"line_ids": None})
    assert len((await shop.max.get("/v1/messages")).json()["items"]) == 4


async def test_hints_of_a_stream_are_of_their_lines(shop: Shop) -> None:
    def hint(kind: Kind, owner: str) -> Hint:
        return Hint(kind, parse(kind, shop.ids[owner][f"{kind}_id"]))

    kinds: list[Kind] = ["message", "conversation", "line", "device"]
    mine, theirs = [hint(kind, "mine") for kind in kinds], [hint(kind, "theirs") for kind in kinds]
    others = [Hint("batch", "x"), Hint("endpoint", "x"), Hint("notice", "x")]
    kept = await own_hints(shop.desk.services, ACCOUNT, frozenset({shop.my_line}), [*theirs, *mine, *others])
    assert kept == mine


async def test_contacts_are_those_their_lines_have_spoken_with(shop: Shop) -> None:
    api = shop.desk.api
    await api.send("+491701234570", text="x", line_id=shop.ids["mine"]["line_id"])
    await api.send("+491701234571", text="x", line_id=shop.ids["theirs"]["line_id"])
    for name, peer in (
        ("my customer", "+491701234570"),
        ("their customer", "+491701234571"),
        ("stranger", "+491701234572"),
    ):
        await api.post("/v1/contacts", {"name": name, "numbers": [{"peer": peer}]})

    async def names(**query: str) -> list[str]:
        items = (await shop.max.get("/v1/contacts", params=query)).json()["items"]
        return [item["name"] for item in items]

    assert await names() == ["my customer"]
    assert await names(text="customer") == ["my customer"]
    assert await names(peer="+491701234570") == ["my customer"]
    assert await names(peer="+491701234571") == []
    nobody = await shop.desk.person("eve", Role.MEMBER, frozenset())
    assert (await nobody.get("/v1/contacts")).json()["items"] == []
    assert len((await api.get("/v1/contacts"))["items"]) == 3, "who sees all lines sees all contacts"


async def test_a_batch_is_what_their_lines_have_of_it(shop: Shop) -> None:
    api, many = shop.desk.api, [f"+4917012346{n:02}" for n in range(6)]
    made = {
        name: (await api.send(many, text="x", batch_name=name, **line))["batch_id"]
        for name, line in (
            ("mine", {"line_id": shop.ids["mine"]["line_id"]}),
            ("theirs", {"line_id": shop.ids["theirs"]["line_id"]}),
            ("both", {}),
        )
    }
    texts = (await api.get("/v1/messages", batch_id=made["both"], limit=100))["items"]
    own = sum(text["line_id"] == shop.ids["mine"]["line_id"] for text in texts)
    shown = {item["name"]: item for item in (await shop.max.get("/v1/batches")).json()["items"]}
    assert {name: item["total"] for name, item in shown.items()} == {"mine": 6} | ({"both": own} if own else {})
    assert [sum(one["count"] for one in item["states"]) for item in shown.values()] == [
        item["total"] for item in shown.values()
    ]
    whole = (await api.get(f"/v1/batches/{made['mine']}"))["expected_end_at"]
    assert (await shop.max.get(f"/v1/batches/{made['mine']}")).json()["expected_end_at"] == whole
    assert (await shop.max.get(f"/v1/batches/{made['theirs']}")).status_code == 404
    assert (await shop.max.post(f"/v1/batches/{made['mine']}/cancel")).json()["code"] == "lines_limited"


async def test_the_overview_counts_their_lines_texts_and_names_no_webhook(shop: Shop) -> None:
    api = shop.desk.api
    await api.post("/v1/webhooks", {"url": "http://127.0.0.1:9/theirs"})
    for _ in range(3):
        await api.send("+491701234567", text="x", line_id=shop.ids["theirs"]["line_id"])
    all_, own = await api.get("/v1/overview"), (await shop.max.get("/v1/overview")).json()
    assert (all_["funnel"]["accepted"], all_["funnel"]["received"], all_["phones"]) == (5, 2, 2)
    assert (own["funnel"]["accepted"], own["funnel"]["received"], own["phones"]) == (1, 1, 1)
    assert sum(span["open"] + span["delivered"] + span["failed"] for span in own["series"]) == 1
    assert own["webhooks"] == []
    theirs = (await shop.max.get("/v1/overview", params={"device_id": shop.ids["theirs"]["device_id"]})).json()
    assert theirs["funnel"]["accepted"] == 0
    phones = (await shop.max.get("/v1/overview/phones")).json()["items"]
    assert [(one["device_id"], one["waiting"]) for one in phones] == [(shop.ids["mine"]["device_id"], 1)]
