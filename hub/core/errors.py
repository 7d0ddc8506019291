"""The closed catalogue of problems, and the one exception that carries them.

Rows 3 and 4 raise `HubError`; each door renders it its own way (REST v1 as RFC 9457 problem+json). Every entry says whether the same
request may succeed later, and what to do.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Code(StrEnum):
    """The words of the catalogue; they never change their meaning."""

    # who asks
    UNAUTHENTICATED = "unauthenticated"
    KEY_EXPIRED = "key_expired"
    KEY_REVOKED = "key_revoked"
    SCOPE_MISSING = "scope_missing"
    WRONG_LOGIN = "wrong_login"
    CODE_NEEDED = "code_needed"
    LINK_ENDED = "link_ended"
    CROSS_SITE = "cross_site"
    LINES_LIMITED = "lines_limited"
    BAD_SIGNATURE = "bad_signature"
    # what is asked for
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    BAD_REQUEST = "bad_request"
    VALIDATION = "validation"
    BAD_CURSOR = "bad_cursor"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    CONFLICT = "conflict"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    # texts
    BAD_RECIPIENT = "bad_recipient"
    TEXT_EMPTY = "text_empty"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    UNKNOWN_SENDER = "unknown_sender"
    NO_LINE = "no_line"
    NO_MMS_LINE = "no_mms_line"
    SCHEDULE_OUT_OF_RANGE = "schedule_out_of_range"
    CANCEL_TOO_LATE = "cancel_too_late"
    NOT_RETRYABLE = "not_retryable"
    OPTED_OUT = "opted_out"
    NO_CREDIT = "no_credit"
    # phones
    TOKEN_UNKNOWN = "token_unknown"
    TOKEN_USED = "token_used"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_REVOKED = "token_revoked"
    DEVICE_REVOKED = "device_revoked"
    DEVICE_SUSPENDED = "device_suspended"
    NONCE_REUSED = "nonce_reused"
    SUPERSEDED = "superseded"
    HELLO_OUTDATED = "hello_outdated"
    VERSION_UNSUPPORTED = "version_unsupported"
    BAD_FRAME = "bad_frame"
    # webhooks
    TARGET_REFUSED = "target_refused"
    ENDPOINT_DISABLED = "endpoint_disabled"
    BAD_PATTERN = "bad_pattern"
    # the hub
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    HELD = "held"
    SHUTTING_DOWN = "shutting_down"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL = "internal"


class Problem(msgspec.Struct, frozen=True):
    """One entry of the catalogue."""

    code: Code
    status: int
    """HTTP status."""
    title: str
    retryable: bool
    """Whether the same request, unchanged, may succeed later."""
    what_to_do: str


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    field: str
    """Its path: `to`, `recipients[3].to`."""
    code: str
    message: str
    """A sentence that says what to do."""


def _entry(code: Code, status: int, title: str, what_to_do: str, *, retryable: bool = False) -> Problem:
    return Problem(code, status, title, retryable, what_to_do)


CATALOGUE: Mapping[Code, Problem] = MappingProxyType(
    {
        problem.code: problem
        for problem in (
            _entry(
                Code.UNAUTHENTICATED,
                401,
                "No valid credentials",
                "Send a key as Authorization: Bearer hub_…, and check that it was copied whole.",
            ),
            _entry(
                Code.KEY_EXPIRED,
                401,
                "This key has expired",
                "Make a new key, or rotate before the old one ends: both live side by side.",
            ),
            _entry(Code.KEY_REVOKED, 401, "This key was revoked", "Make a new key. A revoked one never works again."),
            _entry(
                Code.SCOPE_MISSING,
                403,
                "The key may not do this",
                "Use a key with the scope named in the detail, or add it to this one.",
            ),
            _entry(
                Code.WRONG_LOGIN,
                401,
                "Name or password is wrong",
                "Try again, or have an administrator set a new password.",
            ),
            _entry(
                Code.CODE_NEEDED,
                401,
                "A code of the second factor is needed",
                "Send the six digits the authenticator app shows now, or one of the recovery codes, as code.",
            ),
            _entry(
                Code.LINK_ENDED,
                410,
                "This link no longer works",
                "It was used, or is too old. Ask an administrator for a new one, or run hub user reset on the hub's machine.",
            ),
            _entry(
                Code.CROSS_SITE,
                403,
                "This request comes from another site",
                "A request with the dashboard's cookie has to come from the dashboard itself. Programs use a key.",
            ),
            _entry(
                Code.LINES_LIMITED,
                403,
                "Not for somebody who sees some lines only",
                "Ask an administrator, who sees all lines.",
            ),
            _entry(
                Code.BAD_SIGNATURE,
                403,
                "The signature does not match",
                "Sign the exact bytes and URL with the current secret, and check the clock.",
            ),
            _entry(
                Code.NOT_FOUND,
                404,
                "There is no such thing here",
                "Check the id and that the key belongs to the account that owns it.",
            ),
            _entry(
                Code.METHOD_NOT_ALLOWED,
                405,
                "This path does not take that method",
                "Use one of the methods in the Allow header.",
            ),
            _entry(
                Code.NOT_ACCEPTABLE,
                406,
                "None of the accepted types can be answered",
                "Accept application/json, or the type that the path documents.",
            ),
            _entry(
                Code.BAD_REQUEST,
                400,
                "The request cannot be read",
                "Check the syntax of the body and its Content-Type.",
            ),
            _entry(
                Code.VALIDATION,
                422,
                "Some fields are not right",
                "Correct each field that is named, and send it again.",
            ),
            _entry(
                Code.BAD_CURSOR,
                400,
                "This page cursor is not valid",
                "Start again from the first page; a cursor ends when the hub is restored from a backup.",
            ),
            _entry(
                Code.BODY_TOO_LARGE,
                413,
                "The body is too large",
                "Send less in one request; the detail names the limit.",
            ),
            _entry(
                Code.UNSUPPORTED_MEDIA_TYPE,
                415,
                "The body is of a type this path does not read",
                "Send application/json, or the type that the path documents.",
            ),
            _entry(
                Code.CONFLICT,
                409,
                "It is no longer in the state this needs",
                "Read it again and decide from its present state.",
            ),
            _entry(
                Code.IDEMPOTENCY_CONFLICT,
                409,
                "This Idempotency-Key was used for another request",
                "Use a new key for a new request, and the same key only to repeat the same one.",
            ),
            _entry(
                Code.BAD_RECIPIENT,
                422,
                "The recipient is not a number one can text",
                "Write the number with + and its country code, like +491701234567.",
            ),
            _entry(Code.TEXT_EMPTY, 422, "The text is empty", "Give at least one character."),
            _entry(
                Code.TEXT_TOO_LONG,
                422,
                "The text is too long",
                "Shorten it to the number of segments named in the detail, or send it as several texts.",
            ),
            _entry(
                Code.TOO_MANY_RECIPIENTS,
                422,
                "Too many recipients in one request",
                "Split the list; the detail names the limit.",
            ),
            _entry(
                Code.UNKNOWN_SENDER,
                422,
                "No line answers to this sender",
                "Use the number, alias or pool of one of your lines, or leave the sender out.",
            ),
            _entry(Code.NO_LINE, 409, "No line can send this", "Enrol a phone, or enable one of your lines."),
            _entry(
                Code.NO_MMS_LINE,
                409,
                "No line can send attachments",
                "Send the text alone, or a link in it; or enrol a phone whose app sends MMS.",
            ),
            _entry(
                Code.SCHEDULE_OUT_OF_RANGE,
                422,
                "The time is too near or too far away",
                "Choose a time within the range named in the detail.",
            ),
            _entry(
                Code.CANCEL_TOO_LATE,
                409,
                "It is too late to cancel this",
                "Nothing: it was already sent or has ended. Its timeline says how.",
            ),
            _entry(
                Code.NOT_RETRYABLE,
                409,
                "This text cannot be sent again yet",
                "Wait until it has ended, or cancel it first: it may still be on its way.",
            ),
            _entry(
                Code.OPTED_OUT,
                409,
                "This number asked to hear no more",
                "Do not text it. It can come back by sending START, or lift it when the person asked you to.",
            ),
            _entry(
                Code.NO_CREDIT,
                402,
                "The balance does not pay for this",
                "Top the account up, or send fewer texts in one request. Nothing was stored.",
            ),
            _entry(
                Code.TOKEN_UNKNOWN,
                401,
                "This code is not known here",
                "Scan the code again; it may belong to another hub.",
            ),
            _entry(Code.TOKEN_USED, 409, "This code was already used", "Make a new one: a code enrols one phone."),
            _entry(Code.TOKEN_EXPIRED, 410, "This code is too old", "Make a new one and scan it within ten minutes."),
            _entry(Code.TOKEN_REVOKED, 410, "This code was withdrawn", "Make a new one."),
            _entry(
                Code.DEVICE_REVOKED,
                401,
                "This phone was removed from the hub",
                "Enrol it again; it keeps the texts it holds until then.",
            ),
            _entry(
                Code.DEVICE_SUSPENDED,
                403,
                "This phone is suspended",
                "An operator looks at its notice in the dashboard and lets it back in, or enrols it anew.",
            ),
            _entry(
                Code.NONCE_REUSED,
                403,
                "A second phone uses the same credentials",
                "The phone was suspended because its app was copied. Enrol it anew.",
            ),
            _entry(
                Code.SUPERSEDED,
                409,
                "A newer connection of this phone has taken over",
                "Connect again after a wait; only the newest connection counts.",
                retryable=True,
            ),
            _entry(
                Code.HELLO_OUTDATED,
                409,
                "This hello is older than one already seen",
                "Raise the connect counter and say hello again.",
                retryable=True,
            ),
            _entry(
                Code.VERSION_UNSUPPORTED,
                426,
                "The hub does not speak this protocol version",
                "Update the phone app, or the hub.",
            ),
            _entry(
                Code.BAD_FRAME, 400, "This frame cannot be read", "Send frames as the device protocol describes them."
            ),
            _entry(
                Code.TARGET_REFUSED,
                422,
                "The hub does not send to this address",
                "Use a public http or https address, or add the network to the hub's allow list.",
            ),
            _entry(
                Code.ENDPOINT_DISABLED,
                409,
                "This webhook is switched off",
                "Enable it, and choose whether the events held for it are sent.",
            ),
            _entry(
                Code.BAD_PATTERN,
                422,
                "This pattern cannot be used",
                "Use RE2 syntax: no look-around and no back-references.",
            ),
            _entry(Code.RATE_LIMITED, 429, "Too many requests", "Wait as long as Retry-After says.", retryable=True),
            _entry(
                Code.QUEUE_FULL,
                503,
                "The hub is taking in as much as it can",
                "Send the same request again after Retry-After, with the same Idempotency-Key.",
                retryable=True,
            ),
            _entry(
                Code.HELD,
                503,
                "The hub was restored from a backup and waits for its phones",
                "Wait until the phones are back, or let an operator run hub resume.",
                retryable=True,
            ),
            _entry(
                Code.SHUTTING_DOWN,
                503,
                "The hub is restarting",
                "Send the same request again after Retry-After.",
                retryable=True,
            ),
            _entry(
                Code.STORAGE_UNAVAILABLE,
                503,
                "The hub cannot reach its database",
                "Nothing was stored. Send the same request again after Retry-After.",
                retryable=True,
            ),
            _entry(
                Code.INTERNAL,
                500,
                "Something in the hub went wrong",
                "Send it again with the same Idempotency-Key; if it stays, give the trace id to whoever runs the hub.",
                retryable=True,
            ),
        )
    }
)


class HubError(Exception):
    """A problem of the catalogue, with what is particular to this case.

    `detail` is a sentence for the caller about this case; without one the entry's own advice stands. `fields` names what is wrong with
    which field. `retry_after_seconds` goes out as Retry-After.
    """

    def __init__(
        self,
        code: Code,
        detail: str | None = None,
        fields: tuple[FieldError, ...] = (),
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.code = code
        self.detail = detail or CATALOGUE[code].what_to_do
        self.fields = fields
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{code}: {self.detail}")

    @property
    def problem(self) -> Problem:
        """Its entry in the catalogue."""
        return CATALOGUE[self.code]

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.problem.status


def invalid(field: str, code: str, message: str) -> HubError:
    """A validation problem of one field."""
    return HubError(Code.VALIDATION, message, (FieldError(field, code, message),))
