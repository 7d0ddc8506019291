"""What the engine counts, for Prometheus. Endpoints are named only where they are the few worst."""

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter("webhook_attempts_total", "Tries to deliver a webhook, by how they ended.", ["result"])
DELIVERY_SECONDS = Histogram(
    "webhook_delivery_seconds",
    "From the event to the receiver's 2xx.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 172800),
)
OLDEST_DUE_SECONDS = Gauge("webhook_oldest_due_seconds", "How long the delivery that is due longest has been due.")
LATE_SECONDS = Gauge(
    "webhook_endpoint_late_seconds", "How late the 20 latest endpoints are with what is due.", ["endpoint"]
)
LANES = Gauge("webhook_lanes", "Endpoints this process is sending to, by state.", ["state"])
IN_FLIGHT = Gauge("webhook_inflight", "Requests open now.")
BLOCKED = Counter(
    "webhook_blocked_total", "Tries to an address the hub does not send to, by kind of address.", ["reason"]
)
COMMIT_SECONDS = Histogram(
    "webhook_commit_seconds",
    "Time to commit a group of outcomes.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15),
)
DEAD = Counter("webhook_dead_total", "Deliveries given up, by why.", ["why"])
ALERTS = Counter("webhook_alerts_total", "Times that a watched endpoint began to break a limit, by which.", ["rule"])
ENDPOINT_ALERT = Gauge(
    "webhook_endpoint_alert",
    "1 for limits that watched endpoints break now; at most 20 endpoints.",
    ["endpoint", "rule"],
)
STALE = Counter("webhook_stale_lanes_total", "Lanes found to be another process's when their outcomes were written.")
CLOCK_OFFSET = Gauge(
    "webhook_clock_offset_seconds", "Receivers' clocks against the hub's: the median, when they agree."
)
WORST = 20
