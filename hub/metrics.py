"""Counters and gauges of the whole process, for Prometheus; each room adds its own where it counts.

No label ever holds a phone number, a text, an account's name or an unbounded id.
"""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.core.events import EventType


class RequestCounts(Collector):
    """Answered requests and how long each took. Counted on the event loop alone, so without the locks of a `Counter`, whose dozen calls
    for each request cost as much as finding out who asks."""

    UP_TO_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 65.0)

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], int] = {}
        self._took: dict[str, list[int]] = {}
        """How many requests of a door took up to each of the seconds, and longer."""
        self._seconds: dict[str, float] = {}

    def add(self, door: str, method: str, status: int, seconds: float) -> None:
        """One request was answered."""
        key = (door, method, status)
        if key in self._answers:
            self._answers[key] += 1
        else:
            self._answers[key] = 1
            self._took.setdefault(door, [0] * (len(self.UP_TO_SECONDS) + 1))
            self._seconds.setdefault(door, 0.0)
        self._took[door][bisect_left(self.UP_TO_SECONDS, seconds)] += 1
        self._seconds[door] += seconds

    def collect(self) -> Iterator[Metric]:
        """`hub_http_requests_total` and `hub_http_request_seconds`, as Prometheus asks for them."""
        answers = CounterMetricFamily("hub_http_requests", "Requests answered.", labels=["door", "method", "status"])
        for (door, method, status), count in list(self._answers.items()):
            answers.add_metric([door, method, str(status)], count)
        yield answers
        seconds = HistogramMetricFamily("hub_http_request_seconds", "Time to answer a request.", labels=["door"])
        for door, took in list(self._took.items()):
            buckets, sum_so_far = [], 0
            for up_to, count in zip((*map(str, self.UP_TO_SECONDS), "+Inf"), took, strict=True):
                sum_so_far += count
                buckets.append((up_to, float(sum_so_far)))
            seconds.add_metric([door], buckets, self._seconds[door])
        yield seconds


REQUESTS = RequestCounts()
REGISTRY.register(REQUESTS)
EVENTS = Counter("hub_events_total", "Customer events, one per applied transition.", ["type"])
EVENT_COUNTERS = {event.value: EVENTS.labels(event.value) for event in EventType}
"""One for each type, there from the start: what has not happened yet is 0."""
FRAMES_DROPPED = Counter("hub_frames_dropped_total", "Frames whose phone had gone when they were due.", ["frame"])
PHONES_ONLINE = Gauge("hub_phones_online", "Phones with a live session in this process.")
STREAMS_OPEN = Gauge("hub_streams_open", "Open event streams.")
WRITES_WAITING = Gauge("hub_writes_waiting", "Commands that wait for a commit.")
CARRIER_POSTS = Counter(
    "hub_carrier_posts_total",
    "What carriers posted into gateways: new, repeated, not_applied (late, or known already), forbidden, refused.",
    ["kind", "result"],
)
