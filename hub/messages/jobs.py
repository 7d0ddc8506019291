"""A message as a phone is offered it: the `job` frame."""

from device_protocol.frames import DataContent, Job, JobMedia
from device_protocol.frames import Line as FrameLine
from device_protocol.limits import SEGMENTS_MAX
from device_protocol.wire_types import write_utc
from hub.core.clock import UtcMs
from hub.storage.messages import MessageRow
from hub.storage.messages_lines import LineRow

ROOM_SEGMENTS = 2
"""How many more segments than the hub counted a phone may make: some split differently, and a refusal helps nobody."""


def job_frame(row: MessageRow, line: LineRow, now: UtcMs, media: tuple[JobMedia, ...] = ()) -> Job:
    """The offer of a message's present submission. Its time to live is what is left of the message's, at least a second.

    The line must be placed: `subscription_id` and `slot` are set.
    """
    left = ((row.expires_at or now) - now) // 1000
    return Job(
        id=row.id,
        submission=row.submission,
        issued=write_utc(now),
        ttl_seconds=max(1, min(left, 31_536_000)),
        line=FrameLine(line.subscription_id or 0, line.slot or 0, line.fingerprint or ""),
        to=row.peer,
        text=row.text if row.data_port is None else None,
        data=None if row.data_port is None else DataContent(row.text, row.data_port),
        max_segments=min(row.segments + ROOM_SEGMENTS, SEGMENTS_MAX),
        wants_delivery_report=row.want_dlr,
        priority=row.priority - 1,
        media=media,
    )
