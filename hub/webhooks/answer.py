"""What came of one request, as the delivery log keeps it."""

import msgspec

from hub.webhooks.sentences import Result
from hub.webhooks.trip import Trip

KEPT_BODY_BYTES = 4096


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds; None for what did not happen (a kept connection has neither look-up nor connect)."""

    dns: int | None = None
    connect: int | None = None
    tls: int | None = None
    first: int | None = None
    """From the start to the first line of the answer."""
    total: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """One request's end."""

    result: Result
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """The first 4 KiB, exactly as they came."""
    error: str | None = None
    address: str | None = None
    timing: Timing = Timing()

    def header(self, name: str) -> str | None:
        """The first header of that name; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def timing_of(trip: Trip, first: float | None, ended: float) -> Timing:
    """The split of a trip whose answer's first line came at `first`."""
    return Timing(
        _span(trip.lookup_began, trip.lookup_ended),
        _span(trip.dialled, trip.up),
        _span(trip.tls_began, trip.connected),
        _span(trip.started, first),
        _span(trip.started, ended),
    )


def _span(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else round((end - start) * 1000)
