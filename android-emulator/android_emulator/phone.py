"""An emulated phone, for tests and demos: switch it on, let things happen to it, and wait for what must follow.

    async with EmulatedPhone(sims=[SimCard("8901", "+14155550101")], network=network) as phone:
        await phone.enrol(qr_picture)
        await phone.wait_online()
        await phone.receive_text("+14155550199", "Are you open today?")
        await phone.wait_acknowledged()

It keeps its memory when it is switched off, crashed and switched on again. Nothing here sleeps: conditions are waited for.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from android_emulator.air import Air, MemoryAir
from android_emulator.cell_network import CellNetwork, Text
from android_emulator.channel import Channel, Closed
from android_emulator.clock import PhoneClock
from android_emulator.enrolling import complete, prepare, read_invitation
from android_emulator.failpoints import Failpoints
from android_emulator.handset import PERMISSIONS, Handset
from android_emulator.hub_client import HubClient, HubError, HubUnreachableError
from android_emulator.inbound import Attachment, call_missed, mms_received, mms_waits, text_received
from android_emulator.magic_numbers import MagicNumbers
from android_emulator.misbehaviour import Misbehaviour
from android_emulator.observation import ObservedPhone
from android_emulator.radio import Radio, Service
from android_emulator.radio_outcomes import OutcomeScript
from android_emulator.sim import InsertedSim, SimCard, SimTray
from android_emulator.store import DurableStore, Store, VolatileStore, jump_numbers
from android_emulator.uplink import Timing, Transport, Uplink, describe
from android_emulator.websocket import open_websocket
from device_protocol.codec import encode
from device_protocol.frames import App, Hello
from device_protocol.payloads import MediaRef, Payload, SimChanged

APP: Final = App("1.0.0-emulator", "14", "Handset Hub", "Emulated phone")


def _silent(_sentence: str) -> None:
    """For phones whose steps nobody reads."""


class EmulatedPhone(ObservedPhone):
    """One phone. Everything it is made of can be reached and bent: `radio`, `tray`, `clock`, `misbehaviour`."""

    def __init__(
        self,
        store: Path | VolatileStore | None = None,
        *,
        sims: Iterable[SimCard] = (),
        network: CellNetwork | None = None,
        air: Air | None = None,
        clock: PhoneClock | None = None,
        timing: Timing | None = None,
        transport: Transport = "auto",
        os_segments_per_minute: int = 30,
        failpoints: Failpoints | None = None,
        app: App = APP,
        say: Callable[[str], None] = _silent,
        is_ticking: bool = True,
        sends_mms: bool = False,
    ) -> None:
        """`store` is a file that survives the process, or a memory in this one. `os_segments_per_minute` 0 lifts Android's
        limit. `say` gets each step in plain words. Without `is_ticking` somebody else calls `tick` every few seconds.
        With `sends_mms` it tells the hub that it sends MMS, and puts them on the air.
        """
        super().__init__()
        self.tray = SimTray()
        self.network = network or CellNetwork()
        self.air = air or MemoryAir()
        self.clock = clock or PhoneClock()
        self.script = OutcomeScript(MagicNumbers().outcome_for)
        """What the radio does with texts; stays when the phone restarts."""
        self.misbehaviour = Misbehaviour()
        self.permissions = dict.fromkeys(PERMISSIONS, True)
        self._memory: Path | VolatileStore = store or VolatileStore()
        self._timing = timing or Timing()
        self._transport: Transport = transport
        self._os_segments_per_minute = os_segments_per_minute
        self._failpoints = failpoints or Failpoints()
        self._app = app
        self._say = say
        self._is_ticking = is_ticking
        self._sends_mms = sends_mms
        self._tasks: list[asyncio.Task[None]] = []
        for slot, card in enumerate(sims):
            self.tray.insert(slot, card)

    # --- on and off

    async def __aenter__(self) -> Self:
        await self.switch_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_on:
            await self.switch_off()

    async def switch_on(self) -> None:
        """Start the app; it connects by itself once it is enrolled."""
        radio = Radio(
            self.air,
            self.clock,
            network=self.network,
            script=self.script,
            os_segments_per_minute=self._os_segments_per_minute,
        )
        handset = Handset(
            self._open_store(),
            radio,
            self.tray,
            self.clock,
            app=self._app,
            permissions=self.permissions,
            misbehaviour=self.misbehaviour,
            failpoints=self._failpoints,
            say=self._say,
            fetch=self._fetch if self._sends_mms else None,
        )
        handset.on_change = self._conditions.look_again
        self._handset = handset
        handset.start()
        self._uplink = Uplink(handset, timing=self._timing, transport=self._transport, say=self._say)
        self._tasks = [asyncio.create_task(self._uplink.run())]
        if self._is_ticking:
            self._tasks.append(asyncio.create_task(self._tick_for_ever()))
        for sim in self.tray.inserted():
            await self._attach(sim.card)

    async def switch_off(self) -> None:
        """Shut down in order: the hub sees the socket close. Texts wait in the network from here on."""
        if (channel := self._channel()) is not None:
            channel.close(1001, "")
        await self.crash()

    async def crash(self) -> None:
        """Lose everything that was not on disk, in the middle of whatever was going on, without a word to the hub."""
        handset = self.handset
        for sim in self.tray.inserted():
            self.network.detach(sim.card.number)
        channel = self._channel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await handset.stop()
        if channel is not None:
            await channel.closed
        self._handset = self._uplink = None
        self._conditions.look_again()

    async def restart(self) -> None:
        """Crash and switch on again."""
        await self.crash()
        await self.switch_on()

    def tick(self) -> None:
        """Let the phone look at the clock now."""
        self.handset.tick()

    # --- joining a hub

    async def enrol(self, qr: str | bytes) -> str:
        """Enrol by the text of a QR code or a PNG picture of it; returns the device id. The same code may be tried again
        until it worked, and does nothing after that.

        Raises EnrolmentError and QrError for the code, HubError for the hub's refusal, HubUnreachableError.
        """
        handset = self.handset
        enrolment = prepare(handset.store, read_invitation(qr))
        if enrolment.device_id is not None:
            return enrolment.device_id
        client = HubClient(enrolment.hub_url, enrolment.pins)
        enrolled = await complete(handset.store, enrolment, client, describe(handset))
        self._say(f"enrolled at {enrolled.hub_url} as {enrolled.device_id}")
        self.uplink.enrolled()
        return str(enrolled.device_id)

    @property
    def device_id(self) -> str | None:
        """As the hub calls this phone."""
        enrolment = self.handset.store.enrolment()
        return None if enrolment is None else enrolment.device_id

    # --- the world

    async def receive_text(self, sender: str, text: str, *, slot: int = 0) -> bool:
        """A text comes in; it is on disk when this returns. False: the app may not receive SMS and never saw it."""
        handset = self.handset
        if not handset.permissions["receive_sms"]:
            return False
        sim = self._sim_in(slot)
        payload = text_received(sender, text, sim, handset.hub_now_ms, self.clock.wall_ms() - self.clock.offset_ms)
        self._say(f"text from {sender}: {len(text)} characters")
        handset.record(payload)
        return True

    async def miss_call(self, caller: str | None, *, slot: int = 0) -> None:
        """Somebody calls and nobody answers; told to the hub unless it asked not to be."""
        if self.handset.settings.reports_missed_calls:
            self.handset.record(call_missed(caller, self._sim_in(slot), self.handset.hub_now_ms))

    async def notice_mms(
        self, sender: str | None, *, subject: str | None = None, size_bytes: int = 30_000, slot: int = 0
    ) -> None:
        """An MMS waits at the operator's server."""
        self.handset.record(mms_waits(sender, subject, size_bytes, self._sim_in(slot), self.handset.hub_now_ms))

    async def receive_mms(
        self, sender: str | None, *attachments: Attachment, text: str | None = None, slot: int = 0
    ) -> None:
        """A whole MMS comes in: its attachments go to the hub, then the event that names them."""
        media = tuple([await self._hand_over(one) for one in attachments])
        sim = self._sim_in(slot)
        self.handset.record(mms_received(sender, text, media, sim, self.handset.hub_now_ms))
        self._say(f"MMS from {sender}: {len(attachments)} attachments")

    async def _hand_over(self, one: Attachment) -> MediaRef:
        try:
            client, token = await self.uplink.token()
            await client.put_media(token, one.sha256, one.content_type, one.content)
        except HubError as error:
            return one.ref({413: "size", 415: "type"}.get(error.status, "missing"))
        except HubUnreachableError:
            return one.ref("missing")  # a real phone keeps the bytes and tries for a day
        return one.ref()

    async def _fetch(self, sha256: str) -> bytes:
        try:
            client, token = await self.uplink.token()
            return await client.get_media(token, sha256)
        except (HubError, HubUnreachableError) as error:
            raise OSError(str(error)) from error

    async def insert_sim(self, slot: int, card: SimCard) -> InsertedSim:
        inserted = self.tray.insert(slot, card)
        await self._sims_changed()
        return inserted

    async def remove_sim(self, slot: int) -> SimCard:
        card = self.tray.remove(slot)
        self.network.detach(card.number)
        await self._sims_changed()
        return card

    async def swap_sims(self, slot: int = 0, other: int = 1) -> None:
        """The two cards change places."""
        self.tray.swap(slot, other)
        await self._sims_changed()

    async def move_sim(self, slot: int, other: "EmulatedPhone", other_slot: int) -> InsertedSim:
        """Take a card out and put it into another phone."""
        return await other.insert_sim(other_slot, await self.remove_sim(slot))

    def set_battery(self, percent: int, *, is_charging: bool) -> None:
        self.handset.battery_percent = percent
        self.handset.is_charging = is_charging
        self.handset.tell_status()

    async def run_flat(self) -> None:
        """The battery is empty: the phone is off from one moment to the next."""
        await self.crash()

    def set_permission(self, word: str, *, is_granted: bool) -> None:
        """Take away or give one of `handset.PERMISSIONS`. KeyError: no such permission."""
        if word not in self.permissions:
            raise KeyError(word)
        self.permissions[word] = is_granted
        self.handset.tell_status()

    async def set_service(self, service: Service) -> None:
        """In service, without service, or airplane mode; texts to this phone wait in the network meanwhile."""
        self.radio.service = service
        for sim in self.tray.inserted():
            if service is Service.IN_SERVICE:
                await self._attach(sim.card)
            else:
                self.network.detach(sim.card.number)
        self.handset.signal_percent = tuple(70 if service is Service.IN_SERVICE else 0 for _ in self.tray.inserted())
        self.handset.tell_status()
        self.handset.use_radio()

    # --- misbehaving

    def cut(self) -> None:
        """The connection breaks; the phone notices at once, the hub when its network tells."""
        if (channel := self._channel()) is not None:
            channel.cut()

    def go_deaf(self) -> None:
        """Half-open: the connection stays and nothing passes any more; only silence tells either side."""
        if (channel := self._channel()) is not None:
            channel.go_deaf()

    def stop_reading(self) -> None:
        """Leave the hub's frames in the network's buffers; pings and events still go out."""
        if (channel := self._channel()) is not None:
            channel.stop_reading()

    def resume_reading(self) -> None:
        if (channel := self._channel()) is not None:
            channel.resume_reading()

    def network_is_back(self) -> None:
        """Android says there is a network: connect now instead of when the backoff ends."""
        self.uplink.hurry()

    def send_raw(self, frame: str | bytes) -> None:
        """Send what no honest phone would; bytes go as a binary message."""
        if (channel := self._channel()) is None:
            return
        if isinstance(frame, bytes):
            channel.send_octets(frame)
        else:
            channel.send(frame)

    def release(self) -> None:
        """Send what `misbehaviour` held back, and hold back nothing more."""
        self.handset.say(*self.misbehaviour.release())

    def jump_numbers(self, by: int) -> None:
        """Skip event numbers, as a phone whose log lost rows would."""
        jump_numbers(self.store, by)

    async def say_stale_hello(self) -> Closed:
        """Say the hello of the present connection once more, on a socket of its own, as a delayed packet would; how that ends."""
        client, token = await self.uplink.token()
        facts = self.store.facts()
        heard: list[str | bytes] = []
        channel = await open_websocket(client.hub_url, token, client.trust, heard.append)
        hello = Hello(facts.connect, self._app, facts.stream, facts.acked + 1, max(facts.next_number, facts.acked + 1))
        channel.send(encode(hello))
        closed = await channel.closed
        return closed

    # --- how it stands

    @property
    def radio(self) -> Radio:
        return self.handset.radio

    # --- inside

    def _open_store(self) -> Store:
        return DurableStore(self._memory) if isinstance(self._memory, Path) else self._memory

    def _channel(self) -> Channel | None:
        return self._uplink.channel if self._uplink is not None else None

    def _sim_in(self, slot: int) -> InsertedSim:
        sim = self.tray.in_slot(slot)
        if sim is None:
            raise ValueError(f"slot {slot} is empty")
        return sim

    async def _attach(self, card: SimCard) -> None:
        async def receive(text: Text) -> None:
            sim = next((sim for sim in self.tray.inserted() if sim.card == card), None)
            if sim is not None:
                await self.receive_text(text.sender, text.text, slot=sim.slot)

        await self.network.attach(card.number, receive)

    async def _sims_changed(self) -> None:
        if self._handset is None:
            return
        for sim in self.tray.inserted():
            await self._attach(sim.card)
        payload: Payload = SimChanged(self._handset.sims())
        self._handset.record(payload)
        self._handset.tell_status()

    async def _tick_for_ever(self) -> None:
        while True:
            await self.clock.sleep(self._timing.tick)
            self.handset.tick()
