"""What is checked before a request is queued for writing: everything that needs no database.

Addresses are normalised, segments counted, limits held, ids made. What is left to the transaction cannot be refused for its
form any more, only because a key was used before or a sender is unknown.
"""

from base64 import b64decode
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from hub.core.address import Address, BadAddress, is_sealed, parse_recipient
from hub.core.clock import UtcMs
from hub.core.commands import BULK, Recipient, SendRequest
from hub.core.encoding import Encoding, measure, measure_sealed
from hub.core.errors import Code, FieldError, HubError, invalid
from hub.core.quiet import QuietHours, quiet_until
from hub.core.text import sanitise

LONGEST_TTL_SECONDS = 31_536_000
"""A year: the most that a job on the wire can say."""
SHORTEST_TTL_SECONDS = 1
FURTHEST_SCHEDULE_SECONDS = 366 * 86_400
LATE_SCHEDULE_SECONDS = 300
"""A time that is over by up to this much means now: the caller's clock, and the way here."""
DATA_OCTETS = 133
"""What a data SMS holds beside the header that names its port: 140 octets less 7 (3GPP TS 23.040 §9.2.3.24.4)."""
LARGEST_PORT = 65_535
METADATA_MAX = 50
METADATA_KEY_MAX = 64
METADATA_VALUE_MAX = 512


class SendLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may send, from its settings and the hub's."""

    default_region: str | None = None
    default_ttl_seconds: int = 3 * 86_400
    max_segments: int = 20
    max_characters: int | None = None
    """A limit of the door's dialect, such as 1,600."""
    max_recipients: int = 1000
    max_tries: int = 3
    quiet_hours: QuietHours | None = None
    """In them bulk texts wait for their end."""
    time_zone: str = "UTC"


class RecipientError(msgspec.Struct, frozen=True):
    """Why a recipient was not taken: a word for code, a sentence for people."""

    code: str
    message: str


class Given(msgspec.Struct, frozen=True):
    """One recipient as the caller wrote it, and what became of it: an id for its message, or an error."""

    text: str
    address: Address | None = None
    message_id: str | None = None
    error: RecipientError | None = None


class PreparedSend(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can be stored."""

    request: SendRequest
    given: tuple[Given, ...]
    encoding: Encoding
    segments: int
    ttl_seconds: int
    max_tries: int

    def keys(self) -> tuple[str, ...]:
        """What orders this command: requests with one Idempotency-Key follow one another."""
        request = self.request
        if request.idempotency_key is not None:
            return (f"idem:{request.account_id}:{request.door}:{request.idempotency_key}",)
        return ()


def prepare(
    request: SendRequest,
    recipients: Sequence[str | Address],
    limits: SendLimits,
    *,
    now: UtcMs,
    new_id: Callable[[], str],
) -> PreparedSend:
    """Check a request that still has no recipients, and give each of them an address and an id.

    Several recipients, or a batch name, make a batch. Recipients that are no address get an error of their own; with
    `all_or_nothing`, or when none is left, they refuse the whole request.

    Raises `HubError`: `validation`, `bad_recipient`, `too_many_recipients`, `text_empty`, `text_too_long`,
    `schedule_out_of_range`.
    """
    text = sanitise(request.text)
    encoding, segments = _measured(text, limits, request.data_port, recipients, has_media=bool(request.media))
    _check_metadata(request.metadata)
    given = _address(recipients, limits, new_id)
    good = tuple(
        [
            Recipient(one.message_id, one.address)
            for one in given
            if one.address is not None and one.message_id is not None
        ]
    )
    if not good or (request.all_or_nothing and len(good) < len(given)):
        raise _refusal(given)
    is_batch = len(given) > 1 or request.batch_name is not None
    return PreparedSend(
        request=msgspec.structs.replace(
            request,
            text=text,
            recipients=good,
            refused=len(given) - len(good),
            batch_id=new_id() if is_batch else None,
            batch_name=None if request.batch_name is None else sanitise(request.batch_name),
            metadata=request.metadata and {sanitise(key): sanitise(value) for key, value in request.metadata.items()},
            scheduled_at=_after_quiet_hours(request, limits, now),
        ),
        given=given,
        encoding=encoding,
        segments=segments,
        ttl_seconds=checked_ttl(request.ttl_seconds, limits),
        max_tries=limits.max_tries,
    )


def _measured(
    text: str, limits: SendLimits, data_port: int | None, recipients: Sequence[str | Address], *, has_media: bool
) -> tuple[Encoding, int]:
    if not text and not has_media:
        raise HubError(Code.TEXT_EMPTY)
    is_encrypted = _is_any_sealed(recipients)
    if data_port is not None:
        return _measured_data(text, data_port, is_encrypted)
    if is_encrypted:
        sealed = measure_sealed(text)
        return sealed.encoding, min(sealed.segments, limits.max_segments)
    if limits.max_characters is not None and len(text) > limits.max_characters:
        raise HubError(Code.TEXT_TOO_LONG, f"The text has {len(text)} characters; at most {limits.max_characters} go.")
    measured = measure(text)
    if measured.segments > limits.max_segments:
        raise HubError(
            Code.TEXT_TOO_LONG, f"The text takes {measured.segments} segments; at most {limits.max_segments} go."
        )
    return measured.encoding, 1 if has_media else measured.segments


def _is_any_sealed(recipients: Sequence[str | Address]) -> bool:
    for one in recipients:  # noqa: SIM110 (a generator would cost as much as the measuring)
        if isinstance(one, Address) and is_sealed(one.value):
            return True
    return False


def _measured_data(data: str, port: int, is_encrypted: bool) -> tuple[Encoding, int]:
    """A data SMS is one segment, whose octets the phone does not split."""
    if not 0 <= port <= LARGEST_PORT:
        raise invalid("port", "out_of_range", f"Give a port between 0 and {LARGEST_PORT}.")
    if not is_encrypted:
        try:
            octets = len(b64decode(data, validate=True))
        except ValueError:
            raise invalid("data", "bad_base64", "Give the octets of a data SMS in base64.") from None
        if not octets:
            raise HubError(Code.TEXT_EMPTY)
        if octets > DATA_OCTETS:
            raise HubError(Code.TEXT_TOO_LONG, f"A data SMS has {octets} octets; at most {DATA_OCTETS} go.")
    return "8bit", 1


def _address(recipients: Sequence[str | Address], limits: SendLimits, new_id: Callable[[], str]) -> tuple[Given, ...]:
    if not recipients:
        raise invalid("to", "missing", "Give at least one recipient.")
    if len(recipients) > limits.max_recipients:
        raise HubError(
            Code.TOO_MANY_RECIPIENTS, f"{len(recipients)} recipients are too many; at most {limits.max_recipients} go."
        )
    return tuple([_given(recipient, limits.default_region, new_id) for recipient in recipients])


def _given(recipient: str | Address, region: str | None, new_id: Callable[[], str]) -> Given:
    if isinstance(recipient, Address):
        return Given(recipient.value, recipient, new_id())
    try:
        address = parse_recipient(recipient, region)
    except BadAddress as error:
        return Given(sanitise(recipient), error=RecipientError(error.fault.value, str(error)))
    return Given(sanitise(recipient), address, new_id())


def _refusal(given: Sequence[Given]) -> HubError:
    fields = tuple(
        FieldError(f"to[{place}]", one.error.code, one.error.message)
        for place, one in enumerate(given)
        if one.error is not None
    )
    return HubError(Code.BAD_RECIPIENT, fields[0].message, fields)


def _after_quiet_hours(request: SendRequest, limits: SendLimits, now: UtcMs) -> UtcMs | None:
    """The time to wait for: the one that was asked for, or the end of the quiet hours it lies in when these are bulk texts."""
    asked = checked_schedule(request.scheduled_at, now)
    if request.priority != BULK or limits.quiet_hours is None:
        return asked
    return quiet_until(asked or now, limits.quiet_hours, ZoneInfo(limits.time_zone)) or asked


def checked_schedule(at: UtcMs | None, now: UtcMs) -> UtcMs | None:
    """The time to wait for; None for none and for a time just over. Raises `schedule_out_of_range`."""
    if at is None:
        return None
    if at < now - LATE_SCHEDULE_SECONDS * 1000:
        raise HubError(Code.SCHEDULE_OUT_OF_RANGE, "The time is over. Choose one that lies ahead.")
    if at > now + FURTHEST_SCHEDULE_SECONDS * 1000:
        days = FURTHEST_SCHEDULE_SECONDS // 86_400
        raise HubError(Code.SCHEDULE_OUT_OF_RANGE, f"The time is too far away. Choose one within {days} days.")
    return at if at > now else None


def checked_ttl(asked: int | None, limits: SendLimits) -> int:
    """Seconds a text may wait unsent. Raises `validation`."""
    ttl = limits.default_ttl_seconds if asked is None else asked
    if not SHORTEST_TTL_SECONDS <= ttl <= LONGEST_TTL_SECONDS:
        raise invalid("ttl_seconds", "out_of_range", f"Give between 1 and {LONGEST_TTL_SECONDS} seconds.")
    return ttl


def _check_metadata(metadata: dict[str, str]) -> None:
    if not metadata:
        return
    if len(metadata) > METADATA_MAX:
        raise invalid("metadata", "too_many", f"Give at most {METADATA_MAX} entries.")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_MAX or len(value) > METADATA_VALUE_MAX:
            raise invalid(
                "metadata",
                "too_long",
                f"A key has at most {METADATA_KEY_MAX} characters, a value at most {METADATA_VALUE_MAX}.",
            )
