"""Why a try failed and why a delivery ended, as words for programs and as one plain sentence for people."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Result(StrEnum):
    """How one try ended."""

    OK = "ok"
    STATUS = "status"
    REDIRECT = "redirect"
    GONE = "gone"
    RATE_LIMITED = "rate_limited"
    BODY = "body"
    TIMEOUT = "timeout"
    DNS = "dns"
    BLOCKED = "blocked"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed"
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_VERSION = "tls_version"
    TLS_RESET = "tls_reset"
    TLS_FAILED = "tls_failed"
    BAD_ANSWER = "bad_answer"
    HEADERS_TOO_LARGE = "headers_too_large"
    NO_SENDER = "no_sender"
    RENDER = "render"
    CONNECTION = "connection"
    MAIL_LATER = "mail_later"
    MAIL_REFUSED = "mail_refused"
    MAIL_SERVER = "mail_server"


_SENTENCES: Mapping[Result, str] = MappingProxyType(
    {
        Result.OK: "The receiver took it.",
        Result.STATUS: "The receiver answered {status}, which is not a success.",
        Result.REDIRECT: "The receiver answered {status} and pointed to another address; webhooks follow no redirects: set the new URL.",
        Result.GONE: "The receiver answered 410 Gone: it wants no more events, so the endpoint was switched off.",
        Result.RATE_LIMITED: "The receiver answered 429: it gets too many requests, so the whole endpoint waits.",
        Result.BODY: "The receiver answered {status}, but its body does not begin with what this endpoint must answer.",
        Result.TIMEOUT: "The receiver did not answer within the endpoint's time limit.",
        Result.DNS: "The name of the receiver could not be looked up.",
        Result.BLOCKED: "The receiver's address is one the hub does not send to: {error}.",
        Result.REFUSED: "Nothing listens at the receiver's address and port.",
        Result.UNREACHABLE: "There is no way to the receiver's address.",
        Result.RESET: "The receiver broke the connection off before it answered.",
        Result.CLOSED: "The receiver closed the connection without an answer.",
        Result.TLS_EXPIRED: "The receiver's certificate has expired or is not valid yet.",
        Result.TLS_WRONG_NAME: "The receiver's certificate is for another name.",
        Result.TLS_UNTRUSTED: "The receiver's certificate is not signed by an authority this hub trusts.",
        Result.TLS_VERSION: "The receiver speaks only an outdated version of TLS; 1.2 is the least.",
        Result.TLS_RESET: "The receiver broke the connection off during the TLS handshake.",
        Result.TLS_FAILED: "The TLS handshake with the receiver failed.",
        Result.BAD_ANSWER: "What the receiver answered is not HTTP.",
        Result.HEADERS_TOO_LARGE: "The headers of the receiver's answer are larger than 8 kB.",
        Result.NO_SENDER: "This hub sends no mail: its operator has to name a mail server (HUB_SMTP_HOST).",
        Result.RENDER: "The event could not be written in this endpoint's format: {error}",
        Result.CONNECTION: "The connection to the receiver failed.",
        Result.MAIL_LATER: "The mail server did not take the mail now (it answered {status}): it is tried again.",
        Result.MAIL_REFUSED: "The mail server refused the mail for good (it answered {status}): {error}",
        Result.MAIL_SERVER: "The hub's own mail server did not let it in: {error}",
    }
)  # fmt: skip


def explain_try(result: str, status: int | None = None, error: str | None = None) -> str:
    """One sentence about a try."""
    try:
        sentence = _SENTENCES[Result(result)]
    except ValueError:
        return result
    return sentence.format(status=status, error=error or "unknown")


class Why(StrEnum):
    """Why a delivery ended, or what holds it."""

    OK = "ok"
    TRIES_USED_UP = "tries_used_up"
    TOO_OLD = "too_old"
    POISON = "poison"
    NOT_IN_FORMAT = "not_in_format"
    CANCELLED = "cancelled"
    DROPPED = "dropped"
    ENDPOINT_DELETED = "endpoint_deleted"
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_PAUSED = "endpoint_paused"
    EXPIRED = "expired"
    REFUSED = "refused"


_ENDINGS: Mapping[Why, str] = MappingProxyType(
    {
        Why.OK: "Delivered.",
        Why.TRIES_USED_UP: "Given up: every try of the endpoint's schedule failed. It can be replayed.",
        Why.TOO_OLD: "Given up: the next try would have come after the endpoint's maximum age. It can be replayed.",
        Why.POISON: "Given up: the hub stopped three times in a row while sending exactly this. Look at it before replaying it.",
        Why.NOT_IN_FORMAT: "Not sent: the endpoint's format has no words for this event.",
        Why.CANCELLED: "Cancelled by request.",
        Why.DROPPED: "Not sent: it was held while the endpoint was off, and dropped by choice when it was switched on.",
        Why.ENDPOINT_DELETED: "Not sent: the endpoint was deleted.",
        Why.ENDPOINT_DISABLED: "Held: the endpoint is switched off. Switch it on and choose what happens with held events.",
        Why.ENDPOINT_PAUSED: "Held: the endpoint was paused, and goes on in a moment.",
        Why.EXPIRED: "Not sent: it was held until the event itself was no longer kept.",
        Why.REFUSED: "Given up: the mail server refused it for good. Correct the address, then replay it.",
    }
)


def explain_delivery(state: str, why: str | None, attempts: int) -> str:
    """One sentence about where a delivery stands."""
    if why is not None and why in _ENDINGS:
        return _ENDINGS[Why(why)]
    if state == "pending":
        return (
            "Waiting for its first try."
            if attempts == 0
            else f"Failed {'once' if attempts == 1 else f'{attempts} times'} so far; waiting for the next try."
        )
    return why or state
