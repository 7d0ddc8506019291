"""A phone without its network: memory, protocol rules, radio and SIM cards, and what happens to them.

Every input makes one step of the rules; a step is committed before any of it is seen outside, and nothing is handed to the radio but the
job of a step whose writes are on disk.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from msgspec import UNSET, structs

from android_emulator.channel import Channel
from android_emulator.clock import Clock
from android_emulator.failpoints import Failpoints
from android_emulator.misbehaviour import Misbehaviour
from android_emulator.pace import SegmentWindow
from android_emulator.radio import Radio, RadioCall, RadioListener, Service
from android_emulator.segments import divide
from android_emulator.sim import InsertedSim, SimTray
from android_emulator.store import Settings, Store, new_id
from device_protocol.codec import decode_from_hub, encode
from device_protocol.errors import SILENT, UNKNOWN_FRAME, CloseReason, ProtocolError
from device_protocol.frames import (
    App,
    Bye,
    Config,
    HubFrame,
    Job,
    JobRef,
    JobState,
    PhoneFrame,
    Pong,
    Sim,
    Status,
    Welcome,
)
from device_protocol.lines import find_sim, sim_fingerprint
from device_protocol.payloads import Payload
from device_protocol.phone_side import About, PhoneRules, PhoneSession, Step
from device_protocol.phone_store import PhoneJob
from device_protocol.states import SEND_MMS, SessionState

PERMISSIONS: Final = ("send_sms", "receive_sms", "read_phone_state", "post_notifications", "battery_exemption")
"""Words the hub shows; all granted on a phone that is well set up."""
DRIFT_KEPT_MS: Final = 1000
"""Changes of the hub's clock offset below this are not worth a commit."""


class Handset:
    """The app and the radio of one phone, for as long as its process lives."""

    def __init__(
        self,
        store: Store,
        radio: Radio,
        tray: SimTray,
        clock: Clock,
        *,
        app: App,
        permissions: dict[str, bool],
        misbehaviour: Misbehaviour,
        failpoints: Failpoints,
        say: Callable[[str], None],
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
    ) -> None:
        """`fetch` gets an attachment of a job by its SHA-256, or raises OSError; a phone without it sends no MMS."""
        self.store = store
        self.radio = radio
        self.tray = tray
        self.clock = clock
        self.app = app
        self.misbehaviour = misbehaviour
        self.permissions = permissions
        self.battery_percent = 80
        self.is_charging = True
        self.signal_percent: tuple[int | None, ...] = ()
        self.settings = store.settings()
        self.session = PhoneSession(offset=self.settings.hub_ahead_ms)
        self.last_bye: Bye | None = None
        """How the hub said goodbye in the present or last connection."""
        self.on_change: Callable[[], None] = lambda: None
        self._rules = PhoneRules(new_id, self._refuse)
        self.failpoints = failpoints
        self._say = say
        self._fetch = fetch
        self._channel: Channel | None = None
        self._pace = SegmentWindow(clock, self.settings.segments_per_minute or 0)
        self._calling: asyncio.Task[None] | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._status_at = 0

    # --- the process

    def start(self) -> None:
        """The app begins: what was at the radio when it died is uncertain, and a foreign memory is not believed."""
        step = self._rules.start(self.store, self.hub_now_ms, is_own_store=self.store.is_own)
        self._carry_out(replace(step, session=self.session))
        self.store.bind()

    async def stop(self) -> None:
        """The app ends as when Android kills it: what the radio has yet to tell is never heard."""
        self.misbehaviour.forget()
        if self._pause is not None:
            self._pause.cancel()
        if self._calling is not None:
            self._calling.cancel()
            await asyncio.gather(self._calling, return_exceptions=True)
        await self.radio.aclose()
        self.store.close()

    def tick(self) -> None:
        """Time passed: ping, give up a silent hub, forget what is old, tell how the phone is."""
        self._carry_out(self._rules.tick(self.session, self.store, self.clock.steady_ms()))
        if self.is_live and self.clock.steady_ms() - self._status_at >= self.settings.status_seconds * 1000:
            self.tell_status()

    # --- the connection

    @property
    def is_live(self) -> bool:
        """Whether the hub has welcomed this connection."""
        return self.session.state is SessionState.LIVE

    @property
    def was_welcomed(self) -> bool:
        """Whether the hub has welcomed the present connection, or the last one while there is none."""
        return self.session.session_no is not None

    @property
    def hub_now_ms(self) -> int:
        """The hub's clock, as well as this phone knows it."""
        return self.clock.steady_ms() + self.session.offset

    def connect(self, channel: Channel) -> None:
        """A channel is open: say hello."""
        self._channel = channel
        self.last_bye = None
        capabilities = () if self._fetch is None else (SEND_MMS,)
        about = About(self.app, self.sims(), dict(self.permissions), capabilities)
        self._carry_out(self._rules.connect(self.session, self.store, about, self.clock.steady_ms()))

    def disconnect(self) -> None:
        """The channel is gone."""
        self._channel = None
        self.session = self._rules.disconnected(self.session)
        self.on_change()

    def hear(self, text: str | bytes) -> None:
        """A frame of the hub came."""
        try:
            frame = decode_from_hub(text)
        except ProtocolError as error:
            if error.reason is not UNKNOWN_FRAME:
                self._hang_up(error.reason, error.detail)
            return
        self.failpoints.reading(frame)
        if self.misbehaviour.swallows(frame):
            return
        if isinstance(frame, Bye):
            self.last_bye = frame
        self._carry_out(self._rules.receive(self.session, self.store, frame, self.clock.steady_ms()))
        self._after(frame)

    def say(self, *frames: PhoneFrame) -> None:
        """Send frames now, whatever the rules would say."""
        for frame in frames:
            self._send(frame)

    def tell_status(self) -> None:
        """Send `status`, when somebody listens."""
        self._status_at = self.clock.steady_ms()
        if not self.is_live:
            return
        facts = self.store.facts()
        status = Status(
            battery_percent=self.battery_percent,
            is_charging=self.is_charging,
            signal_percent=self.signal_percent,
            queued_events=facts.next_number - 1 - facts.acked,
            queued_jobs=sum(job.state is JobState.ACCEPTED for job in self.store.unsettled_jobs()),
            sims=self.sims(),
            permissions=dict(self.permissions),
        )
        self.say(status)

    # --- the world

    def record(self, payload: Payload) -> None:
        """Log an event for the hub; it is on disk when this returns."""
        self._carry_out(self._rules.record(self.session, self.store, payload, self.clock.steady_ms()))

    def sims(self) -> tuple[Sim, ...]:
        """The cards as the app sees them: none without the permission to look."""
        if not self.permissions["read_phone_state"]:
            return ()
        return tuple(_as_app_sees(sim) for sim in self.tray.inserted())

    def use_radio(self) -> None:
        """Hand the next permitted job to the radio, if one may go now."""
        if self._calling is not None or not self._is_radio_usable():
            return
        for job in self._rules.permitted(self.session, self.store):
            wait_seconds = self._pace.wait_seconds(len(_segments(job.job)))
            if wait_seconds > 0:
                self._use_radio_in(wait_seconds)
                return
            step = self._rules.submit(self.session, self.store, job.ref, self.clock.steady_ms())
            self._apply(step)
            if step.permit is not None:
                self._calling = asyncio.create_task(self._call_radio(step.permit))
                return

    # --- steps

    def _carry_out(self, step: Step) -> None:
        self._apply(step)
        self.use_radio()

    def _apply(self, step: Step) -> None:
        if step.writes:
            self.store.commit(step.writes)
            self.failpoints.stored(step.writes)
        self.session = step.session
        for frame in step.frames:
            self._send(frame)
        if step.config is not None:
            self._configure(step.config)
        if step.close is not None and self._channel is not None:
            self._close(self._channel, step.close)
        self.on_change()

    def _send(self, frame: PhoneFrame) -> None:
        for sent in self.misbehaviour.outgoing(frame):
            text = encode(sent)
            if self.misbehaviour.spoils is not None:
                text = self.misbehaviour.spoils(text)
            if self._channel is not None:
                self._channel.send(text)
            self.failpoints.sent(sent)

    def _hang_up(self, reason: CloseReason, detail: str) -> None:
        self._say(f"hung up: {reason.word} ({detail})")
        self.session = self._rules.disconnected(self.session)
        if self._channel is not None:
            self._channel.send(encode(Bye(reason.code, reason.word)))
            self._close(self._channel, reason)

    def _close(self, channel: Channel, reason: CloseReason) -> None:
        if reason is SILENT:
            # Nobody is there to shake hands with.
            channel.cut()
        else:
            channel.close(reason.code, reason.word)

    def _after(self, frame: HubFrame) -> None:
        if isinstance(frame, Welcome) and self.is_live:
            self._say(f"online, session {frame.session_no}")
            self.tell_status()
        if isinstance(frame, Welcome | Pong):
            self._keep_hub_time()

    def _keep_hub_time(self) -> None:
        ahead = self.hub_now_ms - self.clock.wall_ms()
        if abs(ahead - self.settings.hub_ahead_ms) >= DRIFT_KEPT_MS:
            self._change_settings(structs.replace(self.settings, hub_ahead_ms=ahead))

    def _configure(self, config: Config) -> None:
        told = {name: getattr(config, name) for name in Config.__struct_fields__}
        self._change_settings(
            structs.replace(self.settings, **{name: value for name, value in told.items() if value is not UNSET})
        )

    def _change_settings(self, settings: Settings) -> None:
        self.settings = settings
        self._pace.segments = settings.segments_per_minute or 0
        self.store.keep_settings(settings)

    # --- offers and the radio

    def _refuse(self, job: Job) -> str | None:
        """This phone's own reason against an offer, a word of `device_protocol.states.REFUSALS`."""
        if self.misbehaviour.refuses is not None:
            return self.misbehaviour.refuses
        if self.settings.is_paused:
            return "paused"
        if not self.permissions["send_sms"]:
            return "permission_missing"
        if find_sim(self.sims(), job.line) is None:
            return "no_such_sim"
        if job.media and self._fetch is None:
            return "not_supported"
        if len(_segments(job)) > job.max_segments:
            return "too_long"
        return None if self._is_radio_usable() else "no_service"

    def _is_radio_usable(self) -> bool:
        return self.radio.service is Service.IN_SERVICE or self.misbehaviour.is_eager

    def _use_radio_in(self, seconds: float) -> None:
        if self._pause is None:
            self._pause = asyncio.get_running_loop().call_later(seconds, self._pause_over)

    def _pause_over(self) -> None:
        self._pause = None
        self.use_radio()

    async def _call_radio(self, job: PhoneJob) -> None:
        try:
            await self._send_by_radio(job)
        except OSError as error:
            self._say(f"the radio log cannot be reached, what became of {job.id} is unknown: {error}")
        self._calling = None
        self.use_radio()

    async def _send_by_radio(self, job: PhoneJob) -> None:
        self.failpoints.passing("radio.before")
        sim = self._sim_for(job.job)
        if sim is None:
            reason = "no_such_sim" if self.permissions["send_sms"] else "permission_missing"
            now = self.clock.steady_ms()
            return self._carry_out(self._rules.radio_refused(self.session, self.store, job.ref, reason, now))
        try:
            media = await self._fetched(job.job)
        except OSError as error:
            self._say(f"what is attached to {job.id} cannot be fetched: {error}")
            now = self.clock.steady_ms()
            return self._carry_out(self._rules.radio_refused(self.session, self.store, job.ref, "no_service", now))
        segments = _segments(job.job)
        self._pace.count(len(segments))
        self._say(f"radio: {len(segments)} segment(s) to {job.job.to}")
        call = RadioCall(sim.card.number, job.job.to, segments, job.job.wants_delivery_report, media)
        await self.radio.send(call, self._listener(job.ref, len(segments)))

    async def _fetched(self, job: Job) -> tuple[str, ...]:
        """What is attached, as the air sees it; fetched before anything of the job goes out."""
        found = []
        for one in job.media:
            content = b"" if self._fetch is None else await self._fetch(one.sha256)
            if hashlib.sha256(content).hexdigest() != one.sha256:
                raise OSError("other bytes came than the job names")
            found.append(f"{one.content_type} {one.sha256}")
        return tuple(found)

    def _sim_for(self, job: Job) -> InsertedSim | None:
        found = find_sim(self.sims(), job.line) if self.permissions["send_sms"] else None
        return None if found is None else self.tray.with_subscription(found.subscription_id)

    def _listener(self, ref: JobRef, segments: int) -> RadioListener:
        async def on_result(segment: int, code: int, network_code: int | None) -> None:
            self.failpoints.passing("radio.called")
            now = self.clock.steady_ms()
            step = self._rules.segment_result(
                self.session, self.store, ref, segment, segments, code, now, network_error_code=network_code
            )
            self._carry_out(step)
            self.failpoints.passing("radio.recorded")

        async def on_report(segment: int, status: int) -> None:
            now = self.clock.steady_ms()
            self._carry_out(self._rules.delivery_report(self.session, self.store, ref, segment, segments, status, now))

        return RadioListener(on_result, on_report)


def _segments(job: Job) -> list[str]:
    """What goes on air; an MMS is one message, and a binary message one segment, told apart from every text by its beginning."""
    if job.media:
        return [job.text or ""]
    if job.data is not None:
        return [f"data:{job.data.port}:{job.data.base64}"]
    return divide(job.text or "")


def _as_app_sees(sim: InsertedSim) -> Sim:
    card = sim.card
    number = card.number if card.tells_number else None
    return Sim(sim.slot, sim.subscription_id, sim_fingerprint(card.carrier, number), card.carrier, number)
