"""Rules of numbers: a text to a number is told where its rule says, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.core.errors import Code
from hub.core.ids import parse, render
from hub.storage.inbound_rules import lines_of_user
from hub.storage.schema.users import SignIn, User
from hub.storage.users import find_sign_in
from tests.integration.api.hub_api import Api, problem
from tests.integration.messages.world import ACCOUNT

pytestmark = pytest.mark.anyio

SHOP, OFFICE = "+4915100000001", "+4915100000002"
PLATFORM = "http://127.0.0.1:9"


async def told(api: Api) -> dict[str, int]:
    """How many deliveries each webhook has."""
    counts: dict[str, int] = {}
    for item in (await api.get("/v1/deliveries", limit=200))["items"]:
        counts[item["webhook_id"]] = counts.get(item["webhook_id"], 0) + 1
    return counts


async def a_gateway(api: Api, name: str, **fields: Any) -> dict[str, Any]:
    made = await api.post("/v1/gateways", {"name": name, "inbound_url": f"{PLATFORM}/{name}", **fields})
    info: dict[str, Any] = made["info"]
    return info


async def a_webhook(api: Api) -> str:
    made = await api.post("/v1/webhooks", {"url": f"{PLATFORM}/archive", "event_types": ["sms:received"]})
    shown: str = made["webhook"]["id"]
    return shown


async def set_rule(api: Api, **rule: Any) -> Any:
    answer = await api.http.put("/v1/gateways/rules", json=rule)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_T9_a_text_goes_to_the_gateway_and_webhooks_of_its_numbers_rule(api_anywhere: Api) -> None:
    api = api_anywhere
    shop, office = api.world.phone("shop", sims=0), api.world.phone("office", sims=0)
    api.world.line(shop, number=SHOP)
    office_line = api.world.line(office, number=OFFICE)
    desk, archive = await a_gateway(api, "Desk"), await a_webhook(api)
    other = await a_gateway(api, "Other", line_ids=[render("line", office_line)])
    await set_rule(api, number=SHOP, gateway_id=other["id"], webhook_ids=[archive])
    await api.receive(shop)
    assert await told(api) == {other["webhook_id"]: 1, archive: 1}  # not Desk, which asks for all lines
    await api.receive(office)
    assert await told(api) == {other["webhook_id"]: 2, archive: 2, desk["webhook_id"]: 1}
    listed = (await api.get("/v1/gateways/rules"))["items"]
    assert [(rule["number"], rule["gateway_id"], rule["webhook_ids"]) for rule in listed] == [
        (SHOP, other["id"], [archive])
    ]
    assert (await api.http.delete("/v1/gateways/rules", params={"number": SHOP})).status_code == 204
    await api.receive(shop)
    assert (await told(api))[desk["webhook_id"]] == 2


async def test_T9_a_rule_whose_webhooks_are_gone_hides_no_text(api: Api) -> None:
    device = api.world.phone(sims=0)
    api.world.line(device, number=SHOP)
    desk, other = await a_gateway(api, "Desk"), await a_gateway(api, "Other")
    await set_rule(api, number=SHOP, gateway_id=other["id"])
    await api.http.delete(f"/v1/gateways/{other['id']}")
    await api.receive(device)
    assert await told(api) == {desk["webhook_id"]: 1}
    assert (await api.get("/v1/gateways/rules"))["items"] == []
    archive = await a_webhook(api)
    await set_rule(api, number=SHOP, webhook_ids=[archive])
    await api.http.delete(f"/v1/webhooks/{archive}")
    await api.receive(device)
    assert (await told(api))[desk["webhook_id"]] == 2


async def test_T9_a_forwarding_says_when_its_numbers_rule_passes_it_by(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone(sims=0)
    line = api.world.line(device, number=SHOP)
    path = f"/v1/lines/{render('line', line)}/forwarding"
    desk = await a_gateway(api, "Desk")

    async def is_bypassed() -> bool:
        await api.receive(device)
        (listed,) = (await api.get("/v1/forwardings"))["items"]
        one = await api.get(path)
        assert listed["is_bypassed"] == one["is_bypassed"] == (made["webhook_id"] not in (await told(api)))
        shown: bool = one["is_bypassed"]
        return shown

    await set_rule(api, number=SHOP, gateway_id=desk["id"])
    made = (await api.http.put(path, json={"way": "webhook", "url": f"{PLATFORM}/inbound"})).json()
    assert made["is_bypassed"]
    assert await is_bypassed()
    await set_rule(api, number=SHOP, gateway_id=desk["id"], webhook_ids=[made["webhook_id"]])
    assert not await is_bypassed()


async def test_T9_a_person_limited_to_some_lines_sees_the_numbers_of_rules_too(api_anywhere: Api) -> None:
    api = api_anywhere
    device = api.world.phone(sims=0)
    shop, own = api.world.line(device, number=SHOP), api.world.line(device, number=OFFICE, slot=1)
    user = parse(
        "user", (await api.post("/v1/users", {"username": "ann", "name": "Ann", "role": "member"}))["user"]["id"]
    )
    api.world.change(User, user, line_ids=own)
    api.world.insert(
        SignIn,
        id=api.world.new_id(),
        account_id=ACCOUNT,
        user_id=user,
        token_sha256="t",
        created_at=0,
        seen_at=0,
        expires_at=1,
    )
    changes = api.services.credentials.changes
    await set_rule(api, number=SHOP, user_ids=[render("user", user)])
    assert api.services.credentials.changes > changes  # a browser that is signed in learns of it
    found = await api.db.read(find_sign_in, "t")
    assert found is not None
    assert found[1].lines == {own, shop}
    assert await api.db.read(lines_of_user, ACCOUNT, api.world.new_id()) == frozenset()


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"number": SHOP}, "gateway_id"),
        ({"number": SHOP, "gateway_id": "gtw_" + "0" * 24}, "gateway_id"),
        ({"number": SHOP, "webhook_ids": ["whk_" + "0" * 24]}, "webhook_ids"),
        ({"number": SHOP, "user_ids": ["usr_" + "0" * 24]}, "user_ids"),
        ({"number": "front desk", "gateway_id": "gtw_" + "0" * 24}, "number"),
    ],
)
async def test_T9_a_rule_that_cannot_be_is_refused(api: Api, rule: dict[str, Any], field: str) -> None:
    body = problem(await api.http.put("/v1/gateways/rules", json=rule), Code.VALIDATION)
    assert body["errors"][0]["field"] == field
    assert (await api.get("/v1/gateways/rules"))["items"] == []


async def test_a_rule_names_nothing_of_another_account(api: Api) -> None:
    gateway, stranger = await a_gateway(api, "Desk"), api.stranger()
    mine = await set_rule(api, number=SHOP, gateway_id=gateway["id"])
    foreign = await stranger.put("/v1/gateways/rules", json={"number": SHOP, "gateway_id": gateway["id"]})
    problem(foreign, Code.VALIDATION)
    problem(await stranger.delete("/v1/gateways/rules", params={"number": SHOP}), Code.NOT_FOUND)
    assert (await api.get("/v1/gateways/rules"))["items"] == [mine]


async def test_a_gateway_that_is_told_nothing_takes_no_numbers(api: Api) -> None:
    made = await api.post("/v1/gateways", {"name": "Mute"})
    refused = await api.http.put("/v1/gateways/rules", json={"number": SHOP, "gateway_id": made["info"]["id"]})
    assert "inbound_url" in problem(refused, Code.VALIDATION)["detail"]


def test_T9_rules_are_set_shown_and_removed_at_the_command_line(tmp_path: Path) -> None:
    environment = {"HUB_DATA_DIR": str(tmp_path), "HUB_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}

    assert CliRunner().invoke(app, ["migrate"], env=environment).exit_code == 0

    def hub(*given: str) -> str:
        result = CliRunner().invoke(app, ["gateway", *given], env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    made = json.loads(hub("create", "FrontDesk", "--inbound-url", f"{PLATFORM}/in", "--json"))
    assert made["webhook_url"].endswith("/sms/FrontDesk/generic")
    assert made["delivery_status_url"].endswith("/sms/FrontDesk/generic/status")
    hub("route", SHOP, "--gateway", "FrontDesk")
    assert hub("routes").split() == [SHOP, made["id"]]
    assert json.loads(hub("routes", "--json"))["rules"][0]["gateway_id"] == made["id"]
    assert SHOP in hub("unroute", SHOP)
    assert "No rule" in hub("routes")
