"""A hub with another key file than its data was sealed with: refused with a sentence, and what goes on when the key is lost for good."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from hub.accounts.secretbox import key_line
from hub.app import open_services
from hub.clock import SystemClock
from hub.config import Config, ConfigurationError
from hub.dialects.smsgate import DIALECT
from hub.gateways.desk import NewGateway
from hub.operations.accounts import account_create
from hub.operations.keys import key_create
from hub.services import Services
from hub.webhooks.records import EndpointChanges, NewEndpoint

pytestmark = pytest.mark.anyio


def opened(config: Config, *, is_lost: bool = False) -> Services:
    return open_services(config, SystemClock(), is_lost_key_accepted=is_lost)


def gate(services: Services, key: str) -> httpx.AsyncClient:
    """A client of the sms-gate.app API."""
    transport = httpx.ASGITransport(Starlette(routes=list(DIALECT.routes(services))))
    return httpx.AsyncClient(
        transport=transport, base_url="http://hub.test/3rdparty/v1", headers={"Authorization": f"Bearer {key}"}
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path)


async def test_another_key_file_is_refused_and_the_right_one_opens_all(config: Config) -> None:
    services = opened(config)
    sealed_with = services.secrets.key_id
    services.db.close()
    right = config.key_path.rename(config.data_dir / "kept")
    with pytest.raises(
        ConfigurationError, match=rf"sealed with key {sealed_with}, .*hub\.key does not hold.*--accept-"
    ):
        opened(config)
    assert not config.key_path.exists()  # a new one would only be in the way of the right one
    older, newer = right.read_text(), key_line(bytes(32))
    config.key_path.write_text(newer + older)  # a key that was rotated: the older one is still in the file
    opened(config).db.close()
    config.key_path.write_text(newer)
    opened(config).db.close()
    config.key_path.write_text(older)
    with pytest.raises(ConfigurationError, match="sealed with key"):
        opened(config)
    assert config.key_path.read_text() == older


async def test_without_the_lost_key_webhooks_and_gateways_are_shown_and_get_new_secrets(config: Config) -> None:
    services = opened(config)
    account_id = str((await account_create(services, "main"))["id"]).removeprefix("acc_")
    new = NewEndpoint(url="https://example.org/hook", headers={"x-mine": "secret"})
    made = await services.webhooks.create(account_id, new)
    gateway = (await services.gateways.create(account_id, NewGateway(name="desk"))).gateway
    services.db.close()
    config.key_path.unlink()

    services = opened(config, is_lost=True)
    (webhook,) = [one for one in await services.webhooks.list(account_id) if one.id == made.endpoint.id]
    assert (webhook.secrets, webhook.header_names) == ((), ())
    rotated = await services.webhooks.rotate(account_id, webhook.id)
    assert rotated.secret != made.secret
    assert len(rotated.endpoint.secrets) == 1
    await services.webhooks.update(account_id, webhook.id, EndpointChanges(description="again"))
    assert (await services.gateways.get(account_id, gateway.id)).tokens.generations == ()
    assert (await services.gateways.rotate_token(account_id, gateway.id, grace_seconds=3600)).gateway.tokens.generations
    services.db.close()
    opened(config).db.close()  # from now on this is the key


async def test_without_the_lost_key_settings_of_the_sms_gate_api_say_what_to_do_and_heal(config: Config) -> None:
    services = opened(config)
    account_id = str((await account_create(services, "main"))["id"]).removeprefix("acc_")
    key = str((await key_create(services, "app", "main"))["key"])
    hook = {"id": "mine", "url": "https://example.org/hook", "event": "sms:received"}
    async with gate(services, key) as http:
        assert (await http.patch("/settings", json={"webhooks": {"signing_key": "first"}})).status_code == 200
        assert (await http.post("/webhooks", json=hook)).status_code == 201
    services.db.close()
    config.key_path.unlink()

    services = opened(config, is_lost=True)
    (webhook,) = await services.webhooks.list(account_id)
    async with gate(services, key) as http:
        assert (await http.get("/settings")).json() == {}
        tries = await http.patch("/settings", json={"webhooks": {"retry_count": 3}})
        assert (tries.status_code, tries.json()) == (200, {"webhooks": {"retry_count": 3}})
        refused = await http.post("/webhooks", json=hook | {"id": "other"})
        assert (refused.status_code, "signing_key in /settings again" in refused.json()["message"]) == (409, True)
        assert len(await services.webhooks.list(account_id)) == 1
        assert (await services.webhooks.get(account_id, webhook.id)).secrets == (), "nobody has said what to sign with"
        assert (await http.patch("/settings", json={"webhooks": {"signing_key": ""}})).status_code == 200
        assert len((await services.webhooks.get(account_id, webhook.id)).secrets) == 1
        assert (await http.patch("/settings", json={"webhooks": {"signing_key": "second"}})).status_code == 200
        assert (await http.post("/webhooks", json=hook | {"id": "other"})).status_code == 201
    services.db.close()


async def test_a_webhook_whose_secret_was_lost_can_change_its_way_of_signing(config: Config) -> None:
    services = opened(config)
    account_id = str((await account_create(services, "main"))["id"]).removeprefix("acc_")
    made = await services.webhooks.create(account_id, NewEndpoint(url="https://example.org/hook"))
    services.db.close()
    config.key_path.unlink()
    services = opened(config, is_lost=True)
    changed = await services.webhooks.update(account_id, made.endpoint.id, EndpointChanges(signing="ed25519"))
    assert (len(changed.secrets), changed.signing) == (1, "ed25519")
    services.db.close()


async def test_a_key_file_that_is_none_and_a_folder_that_is_none_are_named(config: Config) -> None:
    config.key_path.write_text("junk\n")
    with pytest.raises(ConfigurationError, match=r"Line 1 of the key file .*hub\.key is not"):
        opened(config)
    with pytest.raises(ConfigurationError, match=r"The data in .*hub\.key cannot be used: File exists: .*HUB_DATA_DIR"):
        opened(Config(data_dir=config.key_path))
