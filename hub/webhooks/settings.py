"""What the delivery loop is told when it starts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Made from the hub's settings by `hub.webhooks.loops`; tests make their own."""

    node: str
    """This process's name in leases and attempts; different for each start."""
    max_in_flight: int = 1024
    stop_seconds: float = 20.0
    """How long a stop waits for answers."""
    lease_seconds: float = 15.0
    """PostgreSQL: how long a lane stays with a process that is not heard of."""
    keep_events_days: float = 30.0
    """Held deliveries end with their events; 0 keeps both."""
