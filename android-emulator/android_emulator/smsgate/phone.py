"""An emulated phone with the app of sms-gate.app: switch it on, let things happen to it, and wait for what must follow.

    phone = AppPhone("http://127.0.0.1:8080/p/abcd-efgh-jkmn", sims=[SimCard("8901", "+14155550101")])
    await phone.switch_on()
    await phone.receive_text("+14155550199", "Are you open today?")

It keeps the app's habits, the bad ones too (`Habits`): lists are worked off newest first, a wake-up throws away the fetch that runs, each
registration leaks the open stream, a stream goes on with the token it was opened with, reports are snapshots without an order, posts may be
doubled. Written from what the published app does; it knows nothing of the hub but its address.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from android_emulator.air import Air, MemoryAir
from android_emulator.cell_network import CellNetwork, Text
from android_emulator.clock import PhoneClock
from android_emulator.magic_numbers import MagicNumbers
from android_emulator.radio import Radio
from android_emulator.radio_outcomes import OutcomeScript
from android_emulator.sim import SimCard, SimTray
from android_emulator.smsgate import gson
from android_emulator.smsgate.calls import CallFailed, Calls, basic
from android_emulator.smsgate.memory import Memory, StoredText
from android_emulator.smsgate.posting import Posting
from android_emulator.smsgate.sending import Sending

EVENT_OF_STATE: Final = {
    "Sent": ("sms:sent", "sentAt"),
    "Delivered": ("sms:delivered", "deliveredAt"),
    "Failed": ("sms:failed", "failedAt"),
    "Cancelled": ("sms:cancelled", "cancelledAt"),
}
STATE_TRIES: Final = 10
LOG_LINES: Final = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the app waits, in seconds. The published app's own, and the same story told quickly."""

    poll: float = 900.0
    first_wait: float = 10.0
    """Of the workers' doubling waits."""
    post_wait: float = 5.0
    reconnect: float = 5.0
    sync: float = 86_400.0

    @staticmethod
    def hasty() -> "Pace":
        """For tests."""
        return Pace(poll=0.5, first_wait=0.1, post_wait=0.1, reconnect=0.1, sync=1.0)


@dataclass(slots=True)
class Habits:
    """What goes wrong on this phone."""

    has_streams: bool = True
    """Without, it only asks from time to time."""
    leaks_streams: bool = True
    doubles_posts: float = 0.0
    """How often a received text is posted twice, under two ids: 1 = always."""
    zone_minutes: int = 0
    writes_west_wrongly: bool = False
    """As Androids below 7 do."""
    shuffles_reports: bool = True


class AppPhone:
    """One phone. What it is made of can be reached and bent: `radio`, `tray`, `clock`, `habits`, `memory`."""

    def __init__(
        self,
        api_url: str,
        private_token: str = "",
        *,
        sims: Iterable[SimCard] = (),
        air: Air | None = None,
        network: CellNetwork | None = None,
        clock: PhoneClock | None = None,
        version: str = "1.68.0",
        pace: Pace | None = None,
        habits: Habits | None = None,
        trust: ssl.SSLContext | None = None,
        seed: int = 1,
    ) -> None:
        self.private_token = private_token
        self.clock = clock or PhoneClock()
        self.tray = SimTray()
        for slot, card in enumerate(sims):
            self.tray.insert(slot, card)
        self.network = network or CellNetwork()
        self.air = air or MemoryAir()
        self.script = OutcomeScript(MagicNumbers().outcome_for)
        self.radio = Radio(self.air, self.clock, network=self.network, script=self.script, os_segments_per_minute=0)
        self.memory = Memory()
        self.habits = habits or Habits()
        self.pace = pace or Pace.hasty()
        self.calls = Calls(api_url, version, trust)
        self.failures: list[str] = []
        """What the app would have shown in its log as errors."""
        self.fetches = 0
        """Lists that were fetched to their end."""
        self.wake_ups = 0
        """`MessageEnqueued` that arrived, on whatever stream."""
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetching: asyncio.Task[None] | None = None
        self._hearing = asyncio.Event()
        self._hearing.set()
        self._changed = asyncio.Event()
        self.posting = Posting(self.memory, self.calls, self.clock, self.pace.post_wait)
        self.posting.on_change = self._note
        self.sending = Sending(self.memory, self.radio, self.tray, self.clock, self._state_changed)

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor, *_ = self.calls.version.split(".")
        return int(major), int(minor)

    # --- on and off

    async def switch_on(self, *, code: str | None = None, login: tuple[str, str] | None = None) -> None:
        """The app starts, or *Offline* is tapped. `code`, `login`: what is typed into its dialog, before anything else runs."""
        if code is not None:
            await self._register(f"Code {code}")
        elif login is not None:
            await self._register(basic(*login))
        for worker in (self._registration, self._pulls, self._syncs, self.posting.run, self.sending.run):
            self._start(worker())
        if code is not None or login is not None:
            self._open_stream()

    async def crash(self) -> None:
        """The app is killed; what it has on disk and what the radio does stays."""
        tasks, self._tasks = list(self._tasks), set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fetching = None

    async def aclose(self) -> None:
        """Off for good."""
        await self.crash()
        await self.radio.aclose()

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
        """Wait for something on this phone to be so."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self._changed.wait()
                self._changed.clear()

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(f"a worker died: {error!r}")

    def _note(self) -> None:
        self._changed.set()

    def _fail(self, sentence: str) -> None:
        self.failures = [*self.failures[-LOG_LINES:], sentence]
        self._note()

    # --- registration

    async def _registration(self) -> None:
        """Until it is registered: tell the hub with the token there is, register anew when that is refused."""
        wait = self.pace.first_wait
        while True:
            try:
                if self.memory.token is not None and await self._update():
                    break
                await self._register(f"Bearer {self.private_token}" if self.private_token else None)
                break
            except CallFailed as error:
                self._fail(f"registration: {error}")
                await self.clock.sleep(wait)
                wait = min(wait * 2, 5.0)
        self._open_stream()

    async def _update(self) -> bool:
        """False when the token is refused."""
        body = {"id": self.memory.id, "simCards": self._cards()}
        try:
            await self.calls.call("PATCH", "/device", self._bearer(), body)
        except CallFailed as error:
            if error.status == 401:
                return False
            raise
        return True

    async def _register(self, authorization: str | None) -> None:
        body = {"name": "Google/shiba", "simCards": self._cards()}
        told = await self.calls.call("POST", "/device", authorization, body)
        self.memory.id, self.memory.token = told["id"], told["token"]
        self.memory.login, self.memory.password = told["login"], told.get("password")
        self._note()

    async def restart_registration(self) -> None:
        """The app's registration job runs again, as after a reboot or *Offline*, *Online*: one more stream is opened."""
        await self._registration()

    def _cards(self) -> list[dict[str, Any]]:
        return [self._card(sim.slot, sim.card, is_masked=True) for sim in self.tray.inserted()]

    @staticmethod
    def _card(slot: int, card: SimCard, *, is_masked: bool) -> dict[str, Any]:
        number, iccid = (card.number, card.iccid) if not is_masked else (_masked(card.number), _masked(card.iccid))
        told: dict[str, Any] = {"slotIndex": slot, "simNumber": slot + 1, "carrierName": card.carrier, "iccid": iccid}
        return {**told, "phoneNumber": number} if card.tells_number else told

    def _bearer(self) -> str:
        return f"Bearer {self.memory.token}"

    # --- streams

    def _open_stream(self) -> None:
        """Connect again; the stream that is open is not closed."""
        if not self.habits.has_streams or self.memory.token is None:
            return
        streams = [task for task in self._tasks if task.get_name() == "stream"]
        if streams and not self.habits.leaks_streams:
            return
        self._start(self._stream(self.memory.token)).set_name("stream")

    async def _stream(self, token: str) -> None:
        while True:
            try:
                async with self.calls.events(token, self._hearing.wait) as frames:
                    self._fetch()
                    async for name, data in frames:
                        self._hear(name, data)
            except CallFailed as error:
                self._fail(f"stream: {error}")
            await self.clock.sleep(self.pace.reconnect)

    def _hear(self, name: str, data: Any) -> None:
        match name:
            case "MessageEnqueued":
                self.wake_ups += 1
                self._fetch()
            case "WebhooksUpdated":
                self._start(self._until_it_works(self._sync_hooks, "webhooks"))
            case "SettingsUpdated":
                self._start(self._until_it_works(self._sync_settings, "settings"))
            case "MessageCancelled":
                self._cancel(data["messageId"])
            case _:
                self._fail(f"unknown event {name}")

    def go_deaf(self) -> None:
        """Its streams are half open from now on: nothing arrives, nothing is closed."""
        self._hearing.clear()

    def hear_again(self) -> None:
        """What was sent meanwhile arrives."""
        self._hearing.set()

    # --- texts

    async def _pulls(self) -> None:
        while True:
            self._fetch()
            await self.clock.sleep(self.pace.poll)

    def _fetch(self) -> None:
        """Fetch now; a fetch that runs is thrown away (WorkManager's REPLACE)."""
        if self.memory.token is None:
            return
        if self._fetching is not None:
            self._fetching.cancel()
        self._fetching = self._start(self._until_it_works(self._pull, "texts"))

    async def _until_it_works(self, work: Callable[[], Any], what: str) -> None:
        wait = self.pace.first_wait
        while True:
            try:
                await work()
                return
            except (CallFailed, gson.GsonError, KeyError, TypeError) as error:
                self._fail(f"{what}: {error}")
            await self.clock.sleep(wait)
            wait = min(wait * 2, 5.0)

    async def _pull(self) -> None:
        order = self.memory.setting("messages", "processing_order", "LIFO").lower()
        items = await self.calls.call("GET", f"/message?order={order}", self._bearer())
        gson.check_texts(items)
        for item in items:
            self._take(item)
        self.fetches += 1
        self._note()

    def _take(self, item: dict[str, Any]) -> None:
        known = self.memory.texts.get(item["id"])
        if item.get("state") == "Cancelling" and self.version >= (1, 67):
            if known is not None:
                self._cancel(item["id"])
            return
        if known is not None:
            self._report(known)
            return
        content = item.get("textMessage") or {}
        text = content.get("text", item.get("message"))
        if text is None:
            return
        if len(set(item["phoneNumbers"])) != len(item["phoneNumbers"]):
            self._fail("UNIQUE constraint failed: message recipient")
            return
        valid_until = item.get("validUntil")
        stored = StoredText(
            id=item["id"],
            to=item["phoneNumbers"][0],
            text=text,
            created_at=gson.read_time(item["createdAt"]) if item.get("createdAt") else self.clock.wall_ms(),
            valid_until=None if valid_until is None else gson.read_time(valid_until),
            sim_number=item.get("simNumber"),
            wants_report=item.get("withDeliveryReport", True),
        )
        stored.times["Pending"] = self.clock.wall_ms()
        self.memory.texts[stored.id] = stored
        self._report(stored)
        self.sending.wake()

    def _cancel(self, id_: str) -> None:
        text = self.memory.texts.get(id_)
        if text is None:
            return
        if text.state == "Pending":
            text.state = "Cancelled"
            text.times["Cancelled"] = self.clock.wall_ms()
            self._state_changed(text)
        else:
            self._report(text)

    def _state_changed(self, text: StoredText) -> None:
        self._report(text)
        told = EVENT_OF_STATE.get(text.state)
        if told is not None:
            event, name = told
            payload: dict[str, Any] = {"messageId": text.id, "phoneNumber": text.to, "recipient": text.to}
            payload |= {name: self._time(text.times[text.state])}
            payload |= {"partsCount": 1} if event == "sms:sent" else {}
            payload |= {"reason": text.error or ""} if event == "sms:failed" else {}
            self.posting.tell(event, payload)
        self._note()

    def _report(self, text: StoredText) -> None:
        self._start(self._patch(text))

    async def _patch(self, text: StoredText) -> None:
        """A job of its own, with the snapshot of the moment in which it runs; jobs know no order, and give up in the end."""
        wait = self.pace.first_wait
        for _ in range(STATE_TRIES):
            if self.habits.shuffles_reports:
                await self.clock.sleep(self._random.random() * 0.05)
            recipient = {"phoneNumber": text.to, "state": text.state, **({"error": text.error} if text.error else {})}
            times = {state: self._time(at) for state, at in text.times.items()}
            body = [{"id": text.id, "state": text.state, "recipients": [recipient], "states": times}]
            with suppress(CallFailed):
                await self.calls.call("PATCH", "/message", self._bearer(), body)
                return
            await self.clock.sleep(wait)
            wait *= 2

    def _time(self, at: int) -> str:
        return gson.write_time(at, self.habits.zone_minutes, is_wrong_west=self.habits.writes_west_wrongly)

    # --- what it is told to be

    async def _syncs(self) -> None:
        """Once on start, when there may be no token yet, and then once a day."""
        while True:
            if self.memory.token is not None:
                for work, what in ((self._sync_hooks, "webhooks"), (self._sync_settings, "settings")):
                    self._start(self._until_it_works(work, what))
            await self.clock.sleep(self.pace.sync)

    async def _sync_hooks(self) -> None:
        hooks = await self.calls.call("GET", "/webhooks", self._bearer())
        gson.check_hooks(hooks, self.version)
        self.memory.hooks = hooks
        self._note()

    async def _sync_settings(self) -> None:
        groups = await self.calls.call("GET", "/settings", self._bearer())
        gson.check_settings(groups, self.version)
        self.memory.settings = groups
        self._note()

    # --- the world

    async def receive_text(self, sender: str, text: str, slot: int = 0) -> None:
        """An SMS comes in: posted to whoever listens, sometimes twice."""
        sim = self.tray.in_slot(slot)
        at = self.clock.wall_ms() // 1000 * 1000
        payload: dict[str, Any] = {
            "messageId": f"{hash((sender, text, at, slot)) & 0xFFFFFFFF:08x}",
            "phoneNumber": sender,
            "sender": sender,
            "simNumber": slot + 1,
            "message": text,
            "receivedAt": self._time(at),
        }
        if sim is not None and sim.card.tells_number:
            payload["recipient"] = sim.card.number
        self.posting.tell("sms:received", payload, is_doubled=self._random.random() < self.habits.doubles_posts)

    def started(self) -> None:
        """`app:started`, with whole numbers."""
        cards = [self._card(sim.slot, sim.card, is_masked=False) for sim in self.tray.inserted()]
        self.posting.tell("app:started", {"simCards": cards})

    def ping(self, battery: int = 80) -> None:
        """A tick of the ping: a post, and a fetch."""
        checks: dict[str, Any] = {"battery:level": {"observedValue": battery}, "battery:charging": {"observedValue": 1}}
        self.posting.tell("system:ping", {"health": {"status": "pass", "checks": checks}})
        self._fetch()

    async def deliver(self, text: Text) -> bool:
        """The cell network brings a text to this phone."""
        await self.receive_text(text.sender, text.text)
        return True


def _masked(text: str) -> str:
    return "*" * len(text) if len(text) <= 4 else "*" * (len(text) - 4) + text[-4:]
