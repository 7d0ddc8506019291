"""S6: the published clients of SMS Gateway for Android, unmodified, through everything they can do, against a real hub and a phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import android_sms_gateway as sdk
import httpx
import pytest
from android_sms_gateway import domain, enums

from tests.acceptance.app_phone import AppPhone
from tests.acceptance.npm_tours import tour_of
from tests.acceptance.processes import HubProcess
from tests.acceptance.sealing import Sealing

pytestmark = pytest.mark.anyio
NUMBER, OTHER = "+491701234567", "+491701234568"


@dataclass
class Tour:
    """A hub with one phone of that app, and a login."""

    hub: HubProcess
    phone: AppPhone
    login: str
    password: str

    @property
    def base(self) -> str:
        """What a client is configured with."""
        return f"{self.hub.url}/api/3rdparty/v1"


@pytest.fixture(scope="module")
async def tour(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tour]:
    hub = await HubProcess(tmp_path_factory.mktemp("hub"), settings={"HUB_DEFAULT_REGION": "DE"}).started()
    made = (await hub.api.post("/v1/logins", json={"username": "tour", "password": "tour password 1"})).json()
    phone = await AppPhone(hub.url, ("tour", made["password"])).start()
    yield Tour(hub, phone, "tour", made["password"])
    await phone.stop()
    await hub.close()


async def until(client: sdk.AsyncAPIClient, message_id: str, state: enums.ProcessState) -> domain.MessageState:
    """The message once it is in this state."""
    async with asyncio.timeout(60):
        while (found := await client.get_state(message_id)).state is not state:  # noqa: ASYNC110 (the API is polled)
            await asyncio.sleep(0.05)
        return found


async def test_S6_the_python_client_sends_reads_lists_and_cancels(tour: Tour) -> None:
    async with sdk.AsyncAPIClient(tour.login, tour.password, base_url=tour.base) as client:
        message = domain.Message(phone_numbers=[NUMBER, OTHER], text_message=domain.TextMessage("hello"), id="py-1")
        sent = await client.send(message, device_active_within=1)
        assert (sent.id, sent.state, len(sent.recipients)) == ("py-1", enums.ProcessState.Pending, 2)
        done = await until(client, "py-1", enums.ProcessState.Delivered)
        assert {one.state for one in done.recipients} == {enums.ProcessState.Delivered}
        assert set(done.states or {}) >= {"Pending", "Processed", "Sent", "Delivered"}
        now = datetime.now(UTC)
        query = domain.MessagesQueryFilter(
            from_=now - timedelta(hours=1), to=now + timedelta(hours=1), state="Delivered"
        )
        listed = await client.get_messages(query=query, pagination=domain.QueryPagination(limit=10, offset=0))
        assert "py-1" in [one.id for one in listed]
        with pytest.raises(Exception, match=r"400|phone number"):
            await client.send(domain.Message(phone_numbers=["x"], text_message=domain.TextMessage("hello")))
        data = domain.Message(phone_numbers=[NUMBER], data_message=domain.DataMessage.with_bytes(b"\x00\x01", 53739))
        sent_data = await client.send(data)
        await until(client, sent_data.id, enums.ProcessState.Delivered)
        assert tour.phone.pulled[-1]["dataMessage"] == {"data": "AAE=", "port": 53739}
        tour.phone.is_pulling = False
        try:
            waiting = await client.send(domain.Message(phone_numbers=[NUMBER], text_message=domain.TextMessage("stop")))
            await client.cancel_message(waiting.id)
            assert (await client.get_state(waiting.id)).state in (
                enums.ProcessState.Cancelled,
                enums.ProcessState.Cancelling,
            )
        finally:
            tour.phone.is_pulling = True


async def test_S6_the_python_client_encrypts_end_to_end(tour: Tour) -> None:
    encryptor = Sealing("a passphrase")
    async with sdk.AsyncAPIClient(tour.login, tour.password, base_url=tour.base, encryptor=encryptor) as client:
        sent = await client.send(domain.Message(phone_numbers=[NUMBER], text_message=domain.TextMessage("secret")))
        assert [one.phone_number for one in sent.recipients] == [NUMBER]
        done = await until(client, sent.id, enums.ProcessState.Delivered)
        assert done.recipients[0].phone_number == NUMBER
    text = tour.phone.pulled[-1]
    assert text["isEncrypted"] is True
    assert encryptor.decrypt(text["textMessage"]["text"]) == "secret"
    assert [encryptor.decrypt(one) for one in text["phoneNumbers"]] == [NUMBER]


async def test_S6_the_python_client_manages_the_account(tour: Tour) -> None:
    async with sdk.AsyncAPIClient(tour.login, tour.password, base_url=tour.base) as client:
        for event in enums.WebhookEvent:
            made = await client.create_webhook(domain.Webhook(None, "https://customer.example/", event, None))
            assert made.event is event
        hooks = await client.get_webhooks()
        assert {one.event for one in hooks} == set(enums.WebhookEvent)
        for one in hooks:
            assert one.id is not None
            await client.delete_webhook(one.id)
        assert await client.get_webhooks() == []
        (device,) = await client.list_devices()
        assert device.id == tour.phone.id
        assert device.last_seen is not None
        settings = domain.DeviceSettings(
            messages=domain.SettingsMessages(limit_period=enums.LimitPeriod.PER_DAY, limit_value=100),
            webhooks=domain.SettingsWebhooks(retry_count=3, signing_key="a-key"),
        )
        await client.update_settings(settings)
        await client.patch_settings(domain.DeviceSettings(ping=domain.SettingsPing(interval_seconds=60)))
        read = await client.get_settings()
        assert read.messages is not None
        assert read.ping is not None
        assert (read.messages.limit_value, read.ping.interval_seconds) == (100, 60)
        await client.update_settings(domain.DeviceSettings())
        for check in (client.health_check, client.liveness_check, client.readiness_check, client.startup_check):
            assert (await check()).status is enums.HealthStatus.PASS
        now = datetime.now(UTC)
        assert await client.get_logs(
            from_=(now - timedelta(days=1)).isoformat(), to=(now + timedelta(days=1)).isoformat()
        )
        asked = domain.InboxRefreshRequest(since=now - timedelta(days=1), until=now, device_id=device.id)
        assert await client.refresh_inbox(asked) == {}
        export = domain.MessagesExportRequest(device_id=device.id, since=now - timedelta(days=1), until=now)
        assert await client.export_inbox(export) == {}
        assert await client.list_inbox_messages() == []


async def test_S6_the_python_client_uses_tokens(tour: Tour) -> None:
    async with sdk.AsyncAPIClient(tour.login, tour.password, base_url=tour.base) as client:
        token = await client.generate_token(domain.TokenRequest(scopes=["devices:list", "tokens:manage"], ttl=600))
        assert token.refresh_token is not None
        async with sdk.AsyncAPIClient(None, token.access_token, base_url=tour.base) as other:
            assert len(await other.list_devices()) == 1
            with pytest.raises(Exception, match=r"403|scope"):
                await other.get_webhooks()
        # refresh_token() of 4.3.3 leaves out an argument of its own HTTP class and never sends anything; what it would read is read here.
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token.refresh_token}"}) as plain:
            answer = await plain.post(f"{tour.base}/auth/token/refresh")
        fresh = domain.TokenResponse.from_dict(answer.json())
        async with sdk.AsyncAPIClient(None, fresh.access_token, base_url=tour.base) as other:
            assert len(await other.list_devices()) == 1
            await client.revoke_token(fresh.id)
            with pytest.raises(Exception, match=r"401|Unauthorized"):
                await other.list_devices()


async def test_S6_the_npm_client_does_its_whole_tour(tour: Tour) -> None:
    told = await tour_of("smsgate_npm", tour.base, tour.login, tour.password, tour.phone.id)
    assert told["state"] == "Delivered"
