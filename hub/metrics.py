"""Counters and gauges of the whole process, for Prometheus; each room adds its own where it counts.

No label ever holds a phone number, a text, an account's name or an unbounded id.
"""

from prometheus_client import Counter, Gauge, Histogram

from hub.core.events import EventType

REQUESTS = Counter("hub_http_requests_total", "Requests answered.", ["door", "method", "status"])
REQUEST_SECONDS = Histogram(
    "hub_http_request_seconds",
    "Time to answer a request.",
    ["door"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 65),
)
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
