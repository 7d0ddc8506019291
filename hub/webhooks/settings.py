"""What the engine is told when it starts."""

from dataclasses import dataclass, field

from hub.webhooks.resolver import KEEP_SECONDS, Lookup, system_lookup
from hub.webhooks.targets import Guard


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Made from the hub's settings by `webhook_loops`; tests make their own."""

    node: str
    """This process's name in leases and attempts; different for each start."""
    guard: Guard = field(default_factory=Guard)
    max_in_flight: int = 1024
    proxy: str = ""
    lookup: Lookup = system_lookup
    keep_names_seconds: float = KEEP_SECONDS
    stop_seconds: float = 20.0
    """How long a stop waits for answers."""
