"""Field types of the wire: bounded integers, opaque ids and RFC 3339 times with exactly three fraction digits."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, TypeAlias

import msgspec

from device_protocol.limits import NUMBER_MAX, SEGMENTS_MAX

OpaqueId: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,40}\Z")]
"""An id made by one side and only compared by the other: messages, streams, event uuids, epochs, devices."""

Word: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_:.]{1,48}\Z")]
"""A reason, state or event word; lower-case ASCII, so that it can be a key or a label anywhere."""

ShortText: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
Address: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""Any SMS address: E.164, short code or alphanumeric sender; not normalised by the protocol."""

Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
EventNumber: TypeAlias = Positive
Submission: TypeAlias = Positive
Signed: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
SegmentIndex: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=SEGMENTS_MAX - 1)]
SegmentCount: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=SEGMENTS_MAX)]
Slot: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=15)]
Percent: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=100)]
Octet: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255)]
Sha256Hex: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

UtcTime: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z\Z"
    ),
]
"""`2026-11-21T14:31:05.120Z` (RFC 3339 §5.6, always UTC, always milliseconds). Read it with `read_utc`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def write_utc(at: int) -> str:
    """Milliseconds since the epoch, UTC, as the wire writes them."""
    second, millis = divmod(at, 1000)
    return f"{_to_the_second(second)}.{millis:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    return f"{_EPOCH + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"


def read_utc(text: str) -> int:
    """Milliseconds since the epoch of a wire time; ValueError for a day the month does not have."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
