"""A hub restored from an old backup: it holds its tongue until its phones have told what they did, and nothing goes out twice."""

from pathlib import Path

import pytest

from tests.acceptance.processes import eventually
from tests.acceptance.world import World, world

pytestmark = pytest.mark.anyio


async def test_restored_hub_asks_its_phones_before_it_sends(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        # One text waits in the backup that is sent after it, one is sent before it, one comes in after it.
        await here.send("+14155550001", "sent before the backup")
        await here.settled("delivered")
        await here.phone.switch_off()
        await here.send("+14155550002", "waits in the backup")
        backup = tmp_path / "backup"
        here.hub.command("backup", str(backup))
        await here.phone.switch_on()
        await here.settled("delivered")
        await here.customer_texts("+14155550003", "came in after the backup")
        await here.inbound_arrived()
        here.hub.kill()
        here.hub.command("restore", str(backup))
        await here.hub.started()
        await here.settled("delivered")
        await here.inbound_arrived()
        here.assert_air()
        await no_longer_held(here)
        await here.send("+14155550004", "sent by the restored hub")
        await here.settled("delivered")
        here.assert_air()


async def test_hold_waits_for_an_absent_phone_until_the_operator_takes_the_risk(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        backup = tmp_path / "backup"
        here.hub.command("backup", str(backup))
        await here.phone.switch_off()
        here.hub.kill()
        here.hub.command("restore", str(backup))
        await here.hub.started()
        assert here.hub.command("status", "--json")["held"]
        await here.send("+14155550001", "accepted while held")
        second = await here.add_phone("+12025550111", name="Second")
        assert second.is_on
        state = (await here.state_of(here.message_ids[("+14155550001", "accepted while held")]))["state"]
        assert state == "queued"
        assert not here.air.sends()
        here.hub.command("resume", "--accept-risk")
        await here.settled("delivered")
        assert not here.hub.command("status", "--json")["held"]


async def no_longer_held(here: World) -> None:
    """The hold ends by itself once every phone has answered."""

    async def free() -> bool:
        return not here.hub.command("status", "--json")["held"]

    await eventually("the hold ends", free)
