"""A busy hub's whole log at its chattiest: no number, text or secret in it."""

import json
import re
from pathlib import Path

import httpx
import pytest
from twilio.request_validator import RequestValidator

from android_emulator.air import MemoryAir
from android_emulator.phone import EmulatedPhone
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from tests.acceptance.processes import eventually
from tests.acceptance.world import SHOP, World, world

pytestmark = pytest.mark.anyio

PEER, CUSTOMER, SECOND = "+14155550123", "+14155550145", "+12025550177"
OUTBOUND, INBOUND = "Your parcel waits behind the blue door", "Is the zebra still for sale?"
TRACE = "trace-of-the-parcel"


async def test_T17_T19_the_log_of_a_busy_hub_holds_nothing_private(tmp_path: Path) -> None:
    async with world(tmp_path, HUB_LOG_LEVEL="debug") as here:
        token, phone = await enrol_another(here, tmp_path)
        secrets = {"key": here.hub.key, "webhook secret": here.customer.secret, "enrolment token": token}
        for one in (here.phone, phone):
            enrolment = one.handset.store.enrolment()
            assert enrolment is not None
            secrets |= {f"device secret of {one.device_id}": enrolment.secret}
            secrets |= {f"nonce of {one.device_id}": enrolment.nonce or ""}
        await traffic(here)
        secrets["gateway token"] = await a_carriers_posts(here)
        await errors(here, phone, token)
        await phone.switch_off()
        here.hub.stop()
        log = here.hub.log_path.read_text()
        told = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert {"debug", "info"} <= {line["level"] for line in told}, "the log was not at its chattiest"
        found = [name for name, secret in secrets.items() if secret in log]
        found += [text for text in (OUTBOUND, INBOUND, "zebra", "parcel waits") if text in log]
        found += [number for number in (PEER, CUSTOMER, SECOND, SHOP) if number[2:] in re.sub(r"[ ()-]", "", log)]
        assert not found, f"in the log: {found}\n{log}"
        assert all(secrets.values()), secrets


async def enrol_another(here: World, directory: Path) -> tuple[str, EmulatedPhone]:
    """A second phone, and the code it came in by."""
    phone = EmulatedPhone(
        directory / "second.db",
        sims=[SimCard("second", SECOND)],
        air=MemoryAir(),
        timing=Timing.hasty(),
        transport="websocket",
    )
    await phone.switch_on()
    code = (await here.hub.api.post("/v1/enrolments", json={"name": "Second"})).json()
    await phone.enrol(code["qr_text"])
    await phone.wait_online()
    return str(code["token"]), phone


async def traffic(here: World) -> None:
    """A text out, one in, and webhooks about both, the first of them refused by the customer's server."""
    here.customer.status = 500
    sent = await here.hub.api.post("/v1/messages", json={"to": PEER, "text": OUTBOUND}, headers={"X-Trace-Id": TRACE})
    assert sent.headers["X-Trace-Id"] == TRACE
    here.message_ids[(PEER, OUTBOUND)] = sent.json()["results"][0]["message_id"]
    await here.settled("delivered", "sent")
    here.customer.status = 204
    await here.customer_texts(CUSTOMER, INBOUND)
    await here.inbound_arrived()
    await here.webhooks_arrived("sms:received", 1)

    async def told() -> bool:
        return bool(here.customer.events("sms:sent"))

    await eventually("the customer's server is told of the text", told)


async def a_carriers_posts(here: World) -> str:
    """A text that a carrier posts into a gateway, once forged and once genuine; the gateway's token."""
    made = (await here.hub.api.post("/v1/gateways", json={"name": "FrontDesk"})).json()
    token: str = made["auth_token"]
    url = here.hub.url + "/sms/FrontDesk/generic"
    fields = {"MessageSid": "SM" + "1f" * 16, "From": CUSTOMER, "To": SECOND, "Body": INBOUND}
    async with httpx.AsyncClient() as carrier:
        for signature, status in (("forged", 403), (RequestValidator(token).compute_signature(url, fields), 200)):
            answer = await carrier.post(url, data=fields, headers={"X-Twilio-Signature": signature})
            assert answer.status_code == status, answer.text
        refused = await carrier.post(made["info"]["provider_url"], data=fields, auth=("AC" + "0" * 32, token))
        assert refused.status_code == 401
    return token


async def errors(here: World, phone: EmulatedPhone, token: str) -> None:
    """What goes wrong with private things in it: bad requests, a used code, a wrong key, frames that make no sense."""
    api = here.hub.api
    refused = await api.post("/v1/messages", json={"to": "+1" + PEER, "text": OUTBOUND, "ttl_seconds": 0})
    assert refused.status_code == 422
    assert (await api.get(f"/v1/messages/{PEER}")).status_code in (404, 422)
    wrong = await api.get("/v1/messages", params={"peer": PEER}, headers={"Authorization": f"Bearer {here.hub.key}x"})
    assert wrong.status_code == 401
    used = {"token": token, "secret_sha256": "0" * 64, "device": {}}
    assert (await api.post("/device/v1/enroll", json=used)).status_code >= 400
    for frame in (f'{{"type":"{PEER}","text":"{INBOUND}"}}', f"{CUSTOMER} {INBOUND}"):
        connections = phone.uplink.connections
        phone.send_raw(frame)
        if not frame.startswith("{"):
            await phone.wait_reconnected(connections)
