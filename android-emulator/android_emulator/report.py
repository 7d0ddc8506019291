"""Counting what a run of phones did: sent, received, lost, doubled, and how long texts took."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from android_emulator.air import Aired
from android_emulator.phone import EmulatedPhone
from device_protocol.frames import JobState
from device_protocol.wire_types import read_utc


@dataclass(frozen=True, slots=True)
class Report:
    """Numbers of one run. Latency is from the hub's offer to the moment the phone gave the text to its radio."""

    phones: int
    online: int
    texts_aired: int
    texts_doubled: int
    jobs: dict[str, int]
    """By state."""
    events_unacknowledged: int
    latency_median_ms: int | None
    latency_worst_ms: int | None

    def lines(self) -> list[str]:
        """In words, for a terminal."""
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.jobs.items())) or "none"
        latency = (
            ""
            if self.latency_median_ms is None
            else (f"offer to radio: median {self.latency_median_ms} ms, worst {self.latency_worst_ms} ms")
        )
        return [
            f"{self.online} of {self.phones} phones online",
            f"{self.texts_aired} texts on air, {self.texts_doubled} of them twice or more",
            f"jobs: {states}",
            f"{self.events_unacknowledged} events not acknowledged by the hub",
            *filter(None, [latency]),
        ]


def report_on(phones: Sequence[EmulatedPhone], aired: Iterable[Aired]) -> Report:
    """Count what these phones hold and what the air saw of them."""
    running = [phone for phone in phones if phone.is_on]
    jobs = [job for phone in running for job in phone.jobs()]
    facts = [phone.store.facts() for phone in running]
    latencies = [job.submitted_at - read_utc(job.job.issued) for job in jobs if job.submitted_at is not None]
    return Report(
        phones=len(phones),
        online=sum(phone.is_online for phone in running),
        texts_aired=len(texts := texts_of(aired)),
        texts_doubled=sum(times > 1 for times in texts.values()),
        jobs=dict(Counter(job.state.value for job in jobs if job.state is not JobState.ACCEPTED)),
        events_unacknowledged=sum(fact.next_number - 1 - fact.acked for fact in facts),
        latency_median_ms=round(median(latencies)) if latencies else None,
        latency_worst_ms=max(latencies, default=None),
    )


def texts_of(aired: Iterable[Aired]) -> Counter[tuple[str, str]]:
    """(recipient, text) → how often its first segment went on air; more than once is a doubled text."""
    return Counter((segment.recipient, segment.text) for segment in aired if segment.segment == 0)
