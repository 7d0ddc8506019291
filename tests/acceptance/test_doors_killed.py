"""kill -9 of the hub at the doors of carriers and mail servers: what was answered is there once, what was not is taken again once."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiosmtplib
import httpx
import pytest
from twilio.request_validator import RequestValidator

from tests.acceptance.processes import HubProcess, eventually, free_port
from tests.integration.media.house import JPEG, PNG, answer, web
from tests.mail_sink import MailSink

pytestmark = pytest.mark.anyio

PLACES = ["carried.stored=2", "mail.taken=1", "media.stored=1", "media.brought=1"]
"""In turn: a hub has each of them armed, dies there, and the next one goes on with its data."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATIENT_SECONDS = 600.0
"""Several starts of a hub lie in it."""
ANNA, DOMAIN = "anna@example.org", "sms.example.org"
PEER, NUMBER = "+447700900142", "+447700900001"


class Doors:
    """Everybody who hands something in, and repeats it until it was answered."""

    def __init__(self, hub: HubProcess, smtp_port: int, url: Callable[[str], str]) -> None:
        self.hub, self.smtp_port, self.url = hub, smtp_port, url
        self.carrier = httpx.AsyncClient(base_url=hub.url, timeout=20)

    async def open(self) -> None:
        api = self.hub.api
        asked = {"url": f"mailto:{ANNA}", "event_types": ["sms:received", "mms:received"]}
        assert (await api.post("/v1/webhooks", json=asked)).status_code == 201
        gateway = (await api.post("/v1/gateways", json={"name": "FrontDesk"})).json()
        self.token = gateway["auth_token"]
        key = await api.post("/v1/keys", json={"name": "Agile", "scopes": ["messages:post"]})
        assert key.status_code == 201, key.text
        self.agile = f"/providers/agile/{key.json()['key']}/inbound"
        mailbox = await api.post("/v1/mailboxes", json={"name": "Desk", "allowed_senders": [ANNA]})
        self.local = mailbox.json()["address"].partition("+")[0]

    async def agile_posts(self, turn: int) -> None:
        fields = {"originator": PEER, "destination": NUMBER, "date_time": "20260921141320", "text": f"agile {turn}"}

        async def taken() -> bool:
            return (await self.carrier.post(self.agile, content=urlencode(fields), headers=FORM)).text == "+OK"

        await eventually("the hub takes what Agile posts", taken, PATIENT_SECONDS)

    async def twilio_posts(self, turn: int) -> None:
        fields = {"MessageSid": f"MM{turn:032x}", "From": PEER, "To": NUMBER, "Body": f"mms {turn}", "NumMedia": "2"}
        fields |= {"MediaUrl0": self.url("/a.png"), "MediaUrl1": self.url("/b.jpg")}
        path = "/sms/FrontDesk/generic"
        signature = RequestValidator(self.token).compute_signature(self.hub.url + path, fields)

        async def taken() -> bool:
            told = await self.carrier.post(path, data=fields, headers={"X-Twilio-Signature": signature})
            return told.status_code == 200

        await eventually("the hub takes what Twilio posts", taken, PATIENT_SECONDS)

    async def mail_comes(self, turn: int) -> None:
        mail = EmailMessage()
        mail["From"], mail["Message-ID"] = ANNA, f"<{turn}@example.org>"
        mail.set_content(f"mail {turn}")

        async def taken() -> bool:
            try:
                client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.smtp_port, start_tls=False, timeout=20)
                async with client:
                    await client.sendmail(ANNA, f"{self.local}{PEER}@{DOMAIN}", mail.as_bytes())
                return True
            except (aiosmtplib.SMTPException, OSError):
                return False

        await eventually("the hub takes a mail", taken, PATIENT_SECONDS)

    async def listed(self, **query: str) -> list[dict[str, Any]]:
        told = await self.hub.api.get("/v1/messages", params={"limit": "100", **query})
        items: list[dict[str, Any]] = told.json()["items"]
        return items


async def test_dying_at_the_doors_loses_nothing_and_doubles_nothing_but_a_mail_that_names_itself(
    tmp_path: Path, sqlite_url: str
) -> None:
    smtp_port = free_port()
    async with (
        MailSink() as sink,
        web({"/a.png": answer(PNG, "image/png"), "/b.jpg": answer(JPEG, "image/jpeg")}, []) as url,
    ):
        settings = {
            "HUB_SMTP_LISTEN": f"127.0.0.1:{smtp_port}",
            "HUB_MAIL_DOMAIN": DOMAIN,
            "HUB_SMTP_HOST": "127.0.0.1",
            "HUB_SMTP_PORT": str(sink.port),
            "HUB_SMTP_TLS": "off",
        }
        hub = HubProcess(tmp_path / "hub", sqlite_url, settings)
        doors = Doors(hub, smtp_port, url)
        traffic: list[asyncio.Task[None]] = []
        try:
            for turn, place in enumerate(PLACES):
                if turn == 0:
                    await hub.started(place)
                    await doors.open()
                else:
                    hub.start(failpoints=place)
                for hand_in in (doors.agile_posts, doors.twilio_posts, doors.mail_comes):
                    traffic.append(asyncio.create_task(hand_in(turn)))
                await hub.died(place)
            await hub.started()
            await asyncio.gather(*traffic)
            await everything_is_there_once(doors, sink)
        except BaseException:
            print(hub.log_path.read_text()[-6000:])
            raise
        finally:
            for task in traffic:
                task.cancel()
            await asyncio.gather(*traffic, return_exceptions=True)
            await doors.carrier.aclose()
            await hub.close()


async def everything_is_there_once(doors: Doors, sink: MailSink) -> None:
    turns = range(len(PLACES))

    async def fetched() -> list[dict[str, Any]] | None:
        shown = [one for one in await doors.listed(direction="mo") if one["kind"] == "mms"]
        is_all = all(part["why"] is None for one in shown for part in one["media"])
        return shown if is_all and len(shown) == len(PLACES) else None

    for one in await eventually("every attachment is here", fetched, PATIENT_SECONDS):
        contents = [(await doors.hub.api.get(part["url"])).content for part in one["media"]]
        assert contents == [PNG, JPEG]
    came = sorted(one["text"] for one in await doors.listed(direction="mo"))
    assert came == sorted([*(f"agile {n}" for n in turns), *(f"mms {n}" for n in turns)])
    assert sorted(one["text"] for one in await doors.listed(direction="mt")) == [f"mail {n}" for n in turns]

    async def told() -> bool:
        return len({one.message["Message-ID"] for one in sink.taken}) >= 2 * len(PLACES)

    await eventually("every text was mailed", told, PATIENT_SECONDS)
    mails: dict[str, set[bytes]] = {}
    for one in sink.taken:
        mails.setdefault(one.message["Message-ID"], set()).add(one.raw)
    assert len(mails) == 2 * len(PLACES), "each text is one mail, which may come twice"
    assert all(len(raw) == 1 for raw in mails.values()), "the same bytes each time"
