"""A hub restored from an old backup: it holds its tongue until its phones have told what they did, and nothing goes out twice."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from android_emulator.phone import EmulatedPhone
from tests.acceptance.processes import HubProcess, eventually
from tests.acceptance.world import SHOP, World, world

pytestmark = pytest.mark.anyio

BRANCH, DEPOT = "+12025550111", "+12025550112"
NEVER_REPORTED = "+12125550101"
"""Goes out, and its delivery is never told."""
BOUND = dict.fromkeys(("called back", "bound", "bound, unsent"), "dispatched")
SENT_LATER = (
    "bound",
    "bound, unsent",
    "offered",
    "moved",
    "waiting",
    "due soon",
    "unknown",
    "sent by the restored hub",
)
AT_LAST = {**dict.fromkeys(SENT_LATER, "delivered"), "called back": "cancelled"}


def in_seconds(seconds: int) -> str:
    """A time for `send_at`."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


class Mix:
    """Texts by kind. A kind is the state that is waited for, if nothing else is said."""

    def __init__(self, here: World, lines: Mapping[str, str]) -> None:
        self._here = here
        self._lines = lines
        self._kinds: dict[str, list[tuple[str, str]]] = {}
        self._seen: dict[str, str] = {}

    async def send(self, kind: str, many: int, number: str, to: str = "", **more: str) -> None:
        """Send so many by the line of a number."""
        for _ in range(many):
            before = self._kinds.setdefault(kind, [])
            text = (to or f"+1415555{len(self._here.sent):04}", f"{kind}, {len(before)}")
            before.append(text)
            await self._here.send(*text, line_id=self._lines[number], **more)

    def texts(self, *kinds: str) -> set[tuple[str, str]]:
        """Recipient and text."""
        return {text for kind in kinds for text in self._kinds[kind]}

    def messages(self, kind: str) -> list[str]:
        """Their ids."""
        return [self._here.message_ids[text] for text in self._kinds[kind]]

    def forget(self, kind: str) -> list[str]:
        """The ids of texts that this hub has never heard of."""
        return [self._here.message_ids.pop(text) for text in self._kinds.pop(kind)]

    async def reached(self, only: Sequence[str] = (), **states: str) -> None:
        """Wait until all texts (of some kinds) are in the state of their kind."""
        wanted = {
            message: states.get(kind, kind) for kind in only or tuple(self._kinds) for message in self.messages(kind)
        }

        async def all_are() -> bool:
            self._seen = {message: (await self._here.state_of(message))["state"] for message in wanted}
            return self._seen == wanted

        try:
            await eventually("each text is in the state of its kind", all_are)
        except AssertionError:
            kinds = {self._here.message_ids[text]: kind for kind, texts in self._kinds.items() for text in texts}
            wrong = [(kinds[id_], self._seen[id_]) for id_ in wanted if self._seen[id_] != wanted[id_]]
            raise AssertionError(f"in another state: {wrong}") from None


async def test_restored_hub_asks_its_phones_before_it_sends(tmp_path: Path) -> None:
    async with world(tmp_path, HUB_OFFER_TIMEOUT_SECONDS="600") as here:
        shop, branch = here.phone, await here.add_phone(BRANCH, name="Branch")
        depot = await here.add_phone(DEPOT, name="Depot")
        lines = {number: await line_of(here.hub, number) for number in (SHOP, BRANCH, DEPOT)}
        mix = Mix(here, lines)
        await mix.send("delivered", 2, SHOP)
        await mix.send("delivered", 2, BRANCH)
        await mix.send("sent", 2, SHOP, to=NEVER_REPORTED)
        await mix.reached()
        await mix.send("cancelled", 2, SHOP, send_at=in_seconds(3600))
        for message in mix.messages("cancelled"):
            assert (await here.hub.api.post(f"/v1/messages/{message}/cancel")).status_code == 200
        await mix.send("scheduled", 2, SHOP, send_at=in_seconds(3600))
        await mix.reached()
        for phone in here.phones:
            phone.misbehaviour.accepts_late = True
        await mix.send("called back", 2, BRANCH)
        await mix.send("bound", 3, BRANCH)
        await mix.send("bound, unsent", 3, DEPOT)
        await has_jobs(branch, 5)
        await has_jobs(depot, 3)
        for phone in (branch, depot):
            phone.stop_reading()  # it accepts, and will not hear that it may send
            phone.release()
        await mix.reached(**BOUND)
        depots_queue = f"/v1/devices/dev_{depot.device_id}/move"
        await depot.crash()
        await mix.send("moved", 3, DEPOT)
        await mix.send("offered", 8, SHOP)  # as many as a phone is offered before it accepts
        await has_jobs(shop, 8)
        await mix.send("waiting", 3, SHOP)
        await mix.send("due soon", 2, SHOP, send_at=in_seconds(2))
        backup = tmp_path / "backup"
        here.hub.command("backup", str(backup))

        # An hour of traffic that the backup knows nothing of.
        for message in mix.messages("called back"):
            assert (await here.hub.api.post(f"/v1/messages/{message}/cancel")).status_code == 202
        branch.cut()
        shop.release()
        moved = await here.hub.api.post(depots_queue, json={"to_line_id": lines[SHOP]})
        assert moved.json()["moved"] == 3, moved.text
        await mix.send("unknown", 2, SHOP)
        await mix.reached(
            only=["called back", "bound", "offered", "moved", "waiting", "due soon", "unknown"], **AT_LAST
        )
        for turn in range(10):
            phone = here.phones[turn % 2]
            await here.customer_texts(f"+1415555999{turn}", f"after the backup, {turn}", phone)
        await here.inbound_arrived()

        here.hub.kill()
        await shop.crash()
        await depot.switch_on()
        here.hub.command("restore", str(backup))
        await here.hub.started()
        await depot.wait_online()
        gone = mix.forget("unknown")
        on_air = here.air.sends()
        for number in (SHOP, BRANCH, DEPOT):
            await mix.send("sent by the restored hub", 1, number)
        await here.timelines_explain()
        assert here.air.sends() == on_air, "what waited for one phone in the backup may have been sent by another"
        await shop.switch_on()
        await mix.reached(**AT_LAST)
        await here.timelines_explain()
        await here.inbound_arrived()
        here.assert_air(may_be_missing=len(mix.texts("cancelled", "scheduled", "called back")))
        assert not mix.texts("cancelled", "scheduled", "called back") & set(here.air.sends())
        for message in gone:
            assert (await here.hub.api.get(f"/v1/messages/{message}")).status_code == 404


async def test_hold_waits_for_an_absent_phone_until_the_operator_takes_the_risk(tmp_path: Path) -> None:
    async with world(tmp_path, HUB_FAILOVER_SECONDS="1") as here:
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


async def has_jobs(phone: EmulatedPhone, many: int) -> None:
    """Wait until so many texts are on the phone's disk."""
    await phone.until(lambda: len(phone.store.unsettled_jobs()) == many, f"the phone holds {many} jobs")


async def line_of(hub: HubProcess, number: str) -> str:
    """The line with this number."""
    lines = (await hub.api.get("/v1/lines")).json()["items"]
    return str(next(line["id"] for line in lines if line["number"] == number))
