"""Every number of the device protocol in one place; docs/device-protocol.md prints this table.

Spans are seconds, sizes are bytes of UTF-8 or counts.
"""

from typing import Final

FRAME_MAX_BYTES: Final = 64 * 1024
"""Longest websocket text frame either side sends or accepts."""

NUMBER_MAX: Final = 2**53
"""Largest integer on the wire: what a JavaScript or Java double holds exactly (RFC 8259 §6)."""

JOBS_HELD_MAX: Final = 400
"""Jobs whose final event is not acknowledged that one phone may hold, so that `hello` fits its frame."""

OFFERS_MAX: Final = 8
"""Offers a phone may leave unanswered before the hub stops offering."""

OFFERS_MAX_SILENT: Final = 2
"""The same for a phone that said nothing for SILENT_SECONDS."""

SILENT_SECONDS: Final = 15

EVENT_WINDOW: Final = 64
"""Events a phone sends ahead of the hub's `ack`."""

STRIKES_MAX: Final = 3
"""Closes for a bad frame in a row after which the phone gives the next event up as `gone`, keeping it on disk."""

BEYOND_MAX: Final = 256
"""Numbers above a hole the hub remembers; events above that are stored but numbered only when sent again."""

RESEND_MAX: Final = 500
"""Numbers one `resend` asks for."""

STREAMS_MAX: Final = 16
"""Older streams of a phone the hub remembers, to recognise a store that went back."""

PING_SECONDS: Final = 45
"""How often the phone sends `ping`; short enough for mobile NAT, long enough for the battery."""

DEAD_SECONDS: Final = 112
"""Silence after which either side takes the connection for gone: two and a half pings."""

HELLO_SECONDS: Final = 10
"""Time a new connection has for its `hello`."""

ACKED_EVENTS_SECONDS: Final = 7 * 24 * 3600
"""How long a phone keeps acknowledged events and the ids of finished jobs, for a hub restored from a backup."""

ACKED_EVENTS_MAX: Final = 5000

RESULT_SECONDS: Final = 600
"""Time the radio has for the result of every segment; then the job is uncertain (`no_result`)."""

EVENTS_HELD_MAX: Final = 50_000
"""Unacknowledged events at which a phone refuses jobs; an event is never dropped."""

RECALL_PAGE_MAX: Final = 400
"""Entries in one `recalled` page."""

RECONNECT_FIRST_SECONDS: Final = 1
RECONNECT_MAX_SECONDS: Final = 300

HTTP_RETRY_FIRST_SECONDS: Final = 10
HTTP_RETRY_MAX_SECONDS: Final = 900
HTTP_WAIT_MAX_SECONDS: Final = 25
HTTP_FRAMES_MAX: Final = 64
HTTP_BODY_MAX_BYTES: Final = 1024 * 1024
"""Largest body of `POST /device/v1/events`, and largest answer of either fallback call."""

TEXT_MAX: Final = 10_000
"""Characters of an outgoing text."""

RECEIVED_TEXT_MAX: Final = 40_000
"""Characters of an incoming text: 255 segments of 153 GSM-7 characters (3GPP TS 23.040 §9.2.3.24.1)."""

MEDIA_MAX: Final = 20
"""Attachments of one MMS."""

RECEIVED_TEXT_BYTES: Final = 48 * 1024
"""Octets of its JSON; a longer incoming text is cut for the wire, and says so, to fit its frame."""

SEGMENTS_MAX: Final = 255
"""Segments of one message: the count in the concatenation header is one octet (3GPP TS 23.040 §9.2.3.24.1)."""
