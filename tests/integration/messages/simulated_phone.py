"""A phone for the tests of promises: a store, a radio with a log, a connection that breaks. It shares no code with the hub.

Only the rules that matter for sending are here: a job is stored before it is accepted, only `go` of this connection lets it to
the radio, what may have reached the radio is never sent again, and what was not acknowledged is reported until it is.
"""

from dataclasses import dataclass, field
from typing import Any

from device_protocol.frames import Accepted, Cancel, Drop, Go, HeldJob, Job, JobState, Refused, TooLate
from device_protocol.payloads import SmsCancelled, SmsFailed, SmsSent, SmsUncertain

AT_RADIO = (JobState.SUBMITTING, JobState.SENT, JobState.UNCERTAIN)
NETWORK_ERROR = 17


@dataclass
class HeldText:
    """One job as the phone holds it."""

    submission: int
    state: JobState = JobState.ACCEPTED
    may_send: bool = False
    segments: int = 1


@dataclass
class SimulatedPhone:
    """`air` is the radio's own log: one entry per text that left, whatever anybody thinks of it."""

    device_id: str
    air: list[str]
    session_no: int = 0
    is_connected: bool = False
    jobs: dict[str, HeldText] = field(default_factory=dict)
    to_hub: list[Any] = field(default_factory=list)
    """Frames on their way to the hub."""
    late: list[tuple[int, Any]] = field(default_factory=list)
    """Frames of older connections, with their number, that the hub may still read."""
    from_hub: list[Any] = field(default_factory=list)
    reports: list[Any] = field(default_factory=list)
    """Reports on the phone's disk that the hub has not acknowledged."""

    def hello(self) -> tuple[HeldJob, ...]:
        """A new connection: nothing that was on its way arrives, and every `go` is void."""
        self.cut()
        self.is_connected = True
        for job in self.jobs.values():
            job.may_send = False
        return tuple(HeldJob(id_, job.submission, job.state) for id_, job in self.jobs.items())

    def cut(self) -> None:
        """The connection is gone: what was on its way here is lost, what was on its way to the hub may come late."""
        self.is_connected = False
        self.late += [(self.session_no, frame) for frame in self.to_hub]
        self.to_hub.clear()
        self.from_hub.clear()

    def hear(self) -> None:
        """Read one frame of the hub."""
        if not self.from_hub:
            return
        frame = self.from_hub.pop(0)
        held = self.jobs.get(frame.id)
        match frame:
            case Job():
                self._offered(frame, held)
            case Go():
                if held is not None and held.submission == frame.submission and held.state is JobState.ACCEPTED:
                    held.may_send = True
            case Drop():
                if held is not None and held.submission == frame.submission and held.state is JobState.ACCEPTED:
                    del self.jobs[frame.id]
            case Cancel():
                self._asked_back(frame, held)

    def use_radio(self, ending: str) -> None:
        """Take the first text that may go to the radio: `sent`, `refused` before the air, or `interrupted` while sending."""
        for id_, job in self.jobs.items():
            if job.state is JobState.ACCEPTED and job.may_send:
                self._send(id_, job, ending)
                return

    def acknowledged(self, report: Any) -> None:
        """The hub has stored a report."""
        self.reports.remove(report)

    def _offered(self, frame: Job, held: HeldText | None) -> None:
        if held is None or (held.submission < frame.submission and held.state in (JobState.ACCEPTED, JobState.FAILED)):
            self.jobs[frame.id] = HeldText(frame.submission)
            self.to_hub.append(Accepted(frame.id, frame.submission))
        elif held.state in AT_RADIO:
            told = HeldJob(frame.id, held.submission, held.state)
            self.to_hub.append(Refused(frame.id, frame.submission, "at_radio", held=told))
        elif held.submission == frame.submission and held.state is JobState.ACCEPTED:
            self.to_hub.append(Accepted(frame.id, frame.submission))
        else:
            self.to_hub.append(Refused(frame.id, frame.submission, "full"))

    def _asked_back(self, frame: Cancel, held: HeldText | None) -> None:
        if held is not None and held.submission == frame.submission and held.state is JobState.ACCEPTED:
            held.state = JobState.CANCELLED
            self.reports.append(SmsCancelled(frame.id, frame.submission))
        else:
            self.to_hub.append(TooLate(frame.id, frame.submission, held.state if held is not None else None))

    def _send(self, id_: str, job: HeldText, ending: str) -> None:
        job.may_send = False
        if ending == "refused":
            job.state = JobState.FAILED
            self.reports.append(SmsFailed(id_, job.submission, 0, 1, NETWORK_ERROR))
            return
        self.air.append(id_)
        if ending == "sent":
            job.state = JobState.SENT
            self.reports.append(SmsSent(id_, job.submission, 0, 1))
        else:
            job.state = JobState.UNCERTAIN
            self.reports.append(SmsUncertain(id_, job.submission, "restarted"))
