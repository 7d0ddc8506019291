"""A phone with real rules and an in-memory store, for tests of single steps: inputs in, frames out."""

from dataclasses import dataclass, field
from itertools import count

from device_protocol.errors import CloseReason
from device_protocol.frames import (
    AckPoint,
    App,
    Config,
    Go,
    HubFrame,
    Job,
    JobRef,
    JobState,
    Line,
    PhoneFrame,
    Sim,
    Welcome,
)
from device_protocol.payloads import SmsReceived
from device_protocol.phone_side import About, PhoneRules, PhoneSession, Step
from device_protocol.phone_store import MemoryPhoneStore, PhoneFacts, PhoneJob
from device_protocol.wire_types import write_utc

HUB_TIME = 1_795_271_465_120
"""The hub's clock at the phone's 0."""
SIM = Sim(0, 1, "blau/4711")
LINE = Line(1, 0, "blau/4711")


def a_job(id: str = "m", submission: int = 1, **fields: object) -> Job:
    defaults: dict[str, object] = {
        "issued": write_utc(HUB_TIME),
        "ttl_seconds": 60,
        "line": LINE,
        "to": "+1",
        "text": "x",
    }
    return Job(id, submission, **{**defaults, **fields})  # type: ignore[arg-type]


@dataclass
class PhoneKit:
    """`said` are the frames of the last step."""

    refusal: str | None = None
    store: MemoryPhoneStore = field(default_factory=lambda: MemoryPhoneStore(PhoneFacts("s")))
    session: PhoneSession = field(default_factory=PhoneSession)
    now: int = 0
    said: tuple[PhoneFrame, ...] = ()
    closed: CloseReason | None = None
    config: Config | None = None

    def __post_init__(self) -> None:
        uuids = count(1)
        self.rules = PhoneRules(lambda: f"u{next(uuids)}", lambda job: self.refusal)

    def do(self, step: Step) -> Step:
        self.store.apply(step.writes)
        self.session, self.said, self.closed, self.config = step.session, step.frames, step.close, step.config
        return step

    def connect(self) -> None:
        about = About(App("1"), (SIM,), {"SEND_SMS": True})
        self.do(self.rules.connect(self.session, self.store, about, self.now))

    def hear(self, *frames: HubFrame) -> list[PhoneFrame]:
        said: list[PhoneFrame] = []
        for frame in frames:
            self.do(self.rules.receive(self.session, self.store, frame, self.now))
            said.extend(self.said)
        return said

    def live(self, acked: int = 0, uuid: str | None = None) -> "PhoneKit":
        self.connect()
        stream = self.store.facts().stream
        self.hear(Welcome(7, "e1", write_utc(HUB_TIME + self.now), {stream: AckPoint(acked, uuid)}))
        return self

    def permit(self, id: str = "m", submission: int = 1, **fields: object) -> JobRef:
        """A job offered, accepted and permitted."""
        self.hear(a_job(id, submission, **fields), Go(id, submission))
        return JobRef(id, submission)

    def submit(self, ref: JobRef) -> PhoneJob | None:
        return self.do(self.rules.submit(self.session, self.store, ref, self.now)).permit

    def result(self, ref: JobRef, code: int = -1, segment: int = 0, segments: int = 1) -> Step:
        return self.do(self.rules.segment_result(self.session, self.store, ref, segment, segments, code, self.now))

    def incoming(self, text: str = "hi") -> Step:
        payload = SmsReceived("+1", write_utc(HUB_TIME), 1, text=text)
        return self.do(self.rules.record(self.session, self.store, payload, self.now))

    def tick(self) -> None:
        self.do(self.rules.tick(self.session, self.store, self.now))

    def restart(self, *, is_own_store: bool = True) -> None:
        self.do(self.rules.start(self.store, self.now, is_own_store=is_own_store))

    def state(self, id: str = "m") -> JobState | None:
        job = self.store.job(id)
        return job.state if job is not None else None

    def events(self) -> list[str]:
        return [event.event_type for event in self.store.events(1, 100_000)]
