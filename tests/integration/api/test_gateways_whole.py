"""A gateway and its inbound webhook are one: whenever the hub dies, either both say so or neither does."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.core.errors import Code, HubError
from hub.core.ids import parse
from hub.gateways.desk import GatewayChanges, GatewayDesk, NewGateway
from hub.storage.schema.gateways import Gateway
from hub.storage.schema.webhooks import WebhookEndpoint
from hub.webhooks import endpoints
from hub.webhooks.records import EndpointChanges
from tests.integration.api.hub_api import Api, problem
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9/in"
LINE = "0" * 24
Step = Callable[[GatewayDesk, str], Awaitable[Any]]


class Died(Exception):
    """The hub is gone."""


async def dying_after_one_commit(api: Api, monkeypatch: pytest.MonkeyPatch, step: Awaitable[Any]) -> None:
    submit, commits = api.db.writer.submit, 0

    async def once(*given: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits > 1:
            raise Died
        return await submit(*given)

    with monkeypatch.context() as patch:
        patch.setattr(api.db.writer, "submit", once)
        with contextlib.suppress(Died):
            await step


def pairs(api: Api) -> tuple[list[str | None], list[str]]:
    """The webhooks that living gateways name, and those that live."""
    named = [row["endpoint_id"] for row in api.world.rows(Gateway) if row["deleted_at"] is None]
    return named, [row["id"] for row in api.world.rows(WebhookEndpoint) if row["deleted_at"] is None]


async def test_a_hub_that_dies_while_it_makes_a_gateway_leaves_none_that_tells_nobody(
    api_anywhere: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = api_anywhere
    made = api.services.gateways.create(ACCOUNT, NewGateway(name="Desk", inbound_url=URL))
    await dying_after_one_commit(api, monkeypatch, made)
    named, living = pairs(api)
    assert named == living
    assert len(living) == 1
    phone = api.world.phone()
    await api.receive(phone)
    assert len((await api.get("/v1/deliveries"))["items"]) == 1


@pytest.mark.parametrize(
    ("url", "step", "webhooks"),
    [
        (None, lambda desk, id_: desk.update(ACCOUNT, id_, GatewayChanges(inbound_url=URL)), 1),
        (URL, lambda desk, id_: desk.update(ACCOUNT, id_, GatewayChanges(inbound_url=None)), 0),
        (URL, lambda desk, id_: desk.delete(ACCOUNT, id_), 0),
    ],
    ids=["told-from-now-on", "told-no-more", "deleted"],
)
async def test_a_hub_that_dies_while_it_changes_one_leaves_the_two_agreeing(
    api: Api, monkeypatch: pytest.MonkeyPatch, url: str | None, step: Step, webhooks: int
) -> None:
    desk = api.services.gateways
    gateway = (await desk.create(ACCOUNT, NewGateway(name="Desk", inbound_url=url))).gateway
    await dying_after_one_commit(api, monkeypatch, step(desk, gateway.id))
    named, living = pairs(api)
    assert [one for one in named if one is not None] == living
    assert len(living) == webhooks


@pytest.mark.parametrize("others", [0, 1, 9], ids=["alone", "once-outrun", "always-outrun"])
async def test_a_new_url_and_what_comes_with_it_are_one_change(
    api: Api, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    desk, webhooks = api.services.gateways, api.services.webhooks
    gateway = (await desk.create(ACCOUNT, NewGateway(name="Desk", inbound_url=URL))).gateway
    assert gateway.endpoint_id is not None
    before, to_change, left = api.world.rows(Gateway), webhooks.to_change, others

    async def outrun(account_id: str, endpoint_id: str, changes: EndpointChanges) -> endpoints.ChangeEndpoint:
        nonlocal left
        command = await to_change(account_id, endpoint_id, changes)
        if left:
            left -= 1
            said = EndpointChanges(description=f"Somebody's words {left}")
            await api.db.writer.submit(endpoints.change_endpoints, await to_change(account_id, endpoint_id, said), "x")
        return command

    monkeypatch.setattr(webhooks, "to_change", outrun)
    changes = GatewayChanges(inbound_url=URL + "2", sender="Shop", status_url=URL, line_ids=(LINE,))
    if others > 1:
        with pytest.raises(HubError) as refused:
            await desk.update(ACCOUNT, gateway.id, changes)
        assert (refused.value.code, api.world.rows(Gateway)) == (Code.CONFLICT, before)
    elif others:
        await desk.update(ACCOUNT, gateway.id, changes)
    else:
        await dying_after_one_commit(api, monkeypatch, desk.update(ACCOUNT, gateway.id, changes))
    (row,) = api.world.rows(Gateway)
    webhook = await webhooks.get(ACCOUNT, gateway.endpoint_id)
    is_new = (row["sender"] == "Shop", row["status_url"] == URL, webhook.url == URL + "2", bool(webhook.line_ids))
    assert is_new == (others <= 1,) * 4
    assert webhook.description.startswith("Somebody's words") == bool(others)


async def test_a_gateway_that_is_refused_leaves_no_webhook_and_the_other_way_round(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await api.post("/v1/gateways", {"name": "Desk", "inbound_url": URL})
    problem(await api.http.post("/v1/gateways", json={"name": "desk", "inbound_url": URL}), Code.CONFLICT)
    bare = await api.post("/v1/gateways", {"name": "Bare"})
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 1)
    problem(await api.http.post("/v1/gateways", json={"name": "Other", "inbound_url": URL}), Code.CONFLICT)
    changed = await api.http.patch(f"/v1/gateways/{bare['info']['id']}", json={"inbound_url": URL})
    problem(changed, Code.CONFLICT)
    named, living = pairs(api)
    assert named == [parse("endpoint", first["info"]["webhook_id"]), None]
    assert living == named[:1]


async def test_a_gateway_whose_webhook_somebody_deleted_gets_another_and_can_be_deleted(api: Api) -> None:
    made = (await api.post("/v1/gateways", {"name": "Desk", "inbound_url": URL}))["info"]
    assert (await api.http.delete(f"/v1/webhooks/{made['webhook_id']}")).status_code == 204
    problem(await api.http.patch(f"/v1/gateways/{made['id']}", json={"fallback_url": URL}), Code.VALIDATION)
    assert (await api.patch(f"/v1/gateways/{made['id']}", {"inbound_url": URL}))["webhook_id"] != made["webhook_id"]
    named, living = pairs(api)
    assert named == living
    assert (await api.http.delete(f"/v1/gateways/{made['id']}")).is_success
    assert pairs(api) == ([], [])
