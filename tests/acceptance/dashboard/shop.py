"""A bicycle shop that lives: three phones, customers with names, texts in every state, webhooks, keys, people. For pictures, and for tests
that walk all pages."""

from __future__ import annotations

from typing import Any

from tests.acceptance.dashboard.house import House
from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, World

FRONT, CLUB, BACK = "+447700900011", "+447700900012", "+447700900021"
CUSTOMERS = {
    "+447700900142": ("Maya Okafor", ["Trek", "Ticket 4471"]),
    "+447700900151": ("Tom Reyes", ["Club"]),
    "+447700900163": ("Priya Shah", []),
    "+447700900174": ("Jürgen Weiß", ["Trade"]),
    "+447700900185": ("نور الدين", []),
}
MAYA = (
    ("in", "Hi, is my Trek ready? I need it for Saturday."),
    ("out", "Hello Maya! The wheel is trued, we wait for one brake cable. It comes tomorrow before noon."),
    ("in", "Brilliant, thank you! See you on Saturday."),
    ("out", "Your Trek is ready. We are open until six today, and from nine tomorrow."),
)
ANSWERS = (
    ("+447700900151", "Do you true wheels while people wait?"),
    ("+447700900163", "Hello! Is the blue Brompton in the window still there?"),
    ("+447700900174", "Brauchen Sie die Rechnung noch auf Papier?"),
    ("+447700900185", "مرحبا، هل المحل مفتوح اليوم؟"),
    ("+447700900196", "<b>Not bold</b> & no script: <script>alert(1)</script>"),
)
REFUSED = "+12125550120"
"""A number that the emulated radio's carrier refuses."""


async def furnish(house: House) -> None:
    """Put the shop's life into an empty house."""
    await house.set_up()
    world = await house.world()
    front = await world.add_phone(FRONT, CLUB, name="Front desk")
    back = await world.add_phone(BACK, name="Back office")
    await _name_lines(house)
    for number, (name, tags) in CUSTOMERS.items():
        body = {"name": name, "tags": tags, "numbers": [{"peer": number}], "notes": "Prefers a call in the morning."}
        await _ok(house, "/v1/contacts", body)
    batch = [f"+4477009003{number:02}" for number in range(40)]
    await _ok(house, "/v1/messages", {"to": batch, "text": "Open day on Saturday!", "batch_name": "Open day"})
    await _talk(house, world)
    for sender, text in ANSWERS:
        await world.customer_texts(sender, text, front)
    await _states(house)
    await _ok(house, "/v1/webhooks", {"url": "http://127.0.0.1:9/closed"})
    await _ok(house, "/v1/keys", {"name": "Till", "scopes": ["messages:send", "messages:read"]})
    inbound = {"inbound_url": "https://pbx.example.com/sms/FrontDesk/generic"}
    gateway = (await _ok(house, "/v1/gateways", {"name": "FrontDesk", **inbound}))["info"]["id"]
    rule = {"number": FRONT, "gateway_id": gateway}
    assert (await house.hub.api.put("/v1/gateways/rules", json=rule)).status_code == 200
    await house.invite("max@northgate.example", "Max Field", "member")
    await world.inbound_arrived()
    await back.crash()


async def _name_lines(house: House) -> None:
    names = {SHOP: "Workshop O2", FRONT: "Front desk EE", CLUB: "Club Three", BACK: "Back office EE"}
    for line in (await house.hub.api.get("/v1/lines")).json()["items"]:
        body = {"name": names.get(line["number"], line["name"]), "per_day": 500}
        answer = await house.hub.api.patch(f"/v1/lines/{line['id']}", json=body)
        assert answer.status_code == 200, answer.text


async def _talk(house: House, world: World) -> None:
    peer = next(iter(CUSTOMERS))
    for way, text in MAYA:
        if way == "in":
            await world.customer_texts(peer, text)
        else:
            await world.send(peer, text)
        await _eventually_shown(house, text)


async def _eventually_shown(house: House, text: str) -> None:
    async def is_there() -> bool:
        found = (await house.hub.api.get("/v1/messages", params={"text": text})).json()["items"]
        return bool(found) and found[0]["state"] in ("received", "delivered", "sent")

    await eventually(f"{text!r} has gone its way", is_there)


async def _states(house: House) -> None:
    """A text that did not arrive, one that waits for its time, one that was cancelled."""
    await _ok(house, "/v1/messages", {"to": REFUSED, "text": "Your deposit has arrived."})
    later = {"to": "+447700900142", "text": "Reminder: we close at four on Sunday.", "send_at": "2099-01-01T09:00:00Z"}
    if (await house.hub.api.post("/v1/messages", json=later)).status_code != 202:
        return
    gone = await _ok(
        house, "/v1/messages", {"to": "+447700900151", "text": "Please ignore.", "send_at": later["send_at"]}
    )
    await house.hub.api.post(f"/v1/messages/{gone['results'][0]['message_id']}/cancel")


async def _ok(house: House, path: str, body: dict[str, Any]) -> Any:
    answer = await house.hub.api.post(path, json=body)
    assert answer.status_code < 300, f"{path}: {answer.text}"
    return answer.json()


async def routes(house: House) -> dict[str, str]:
    """Every page by a name for its picture: its path below /ui, with ids of things the shop has."""

    async def first(path: str, **query: str) -> str:
        items = (await house.hub.api.get(path, params=query)).json()["items"]
        return str(items[0]["id"])

    maya = (await house.hub.api.get("/v1/conversations", params={"peer": next(iter(CUSTOMERS))})).json()["items"][0][
        "id"
    ]
    return {
        "overview": "/overview",
        "conversations": "/conversations",
        "conversation": f"/conversations/{maya}",
        "phones": "/phones",
        "phone": f"/phones/{await first('/v1/devices')}",
        "pair": "/phones/pair",
        "messages": "/messages",
        "message": f"/messages/{await first('/v1/messages', direction='mt', state='delivered')}",
        "bulk": "/messages/bulk",
        "batches": "/messages/batches",
        "batch": f"/messages/batches/{await first('/v1/batches')}",
        "developers": "/developers",
        "webhook": f"/developers/webhooks/{await first('/v1/webhooks')}",
        "webhook-new": "/developers/webhooks/new",
        "keys": "/developers/keys",
        "gateways": "/developers/gateways",
        "mailboxes": "/developers/mailboxes",
        "stream": "/developers/stream",
        "samples": "/developers/samples",
        "reference": "/developers/reference",
        "settings": "/settings",
        "people": "/settings/people",
        "browser": "/settings/browser",
        "you": "/you",
    }


OPEN_ROUTES = {"login": "/login", "setup": "/setup#0", "password": "/password#0"}
"""Pages without a session."""
