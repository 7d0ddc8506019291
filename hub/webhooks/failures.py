"""From the errors of sockets and TLS to the words of the delivery log."""

import ssl

from hub.webhooks.http1 import BadAnswer, HeadersTooLarge, NoAnswer
from hub.webhooks.resolver import NotResolved
from hub.webhooks.sentences import Result
from hub.webhooks.targets import AddressRefused
from hub.webhooks.trip import Trip

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64
_VERIFY = {
    _NOT_YET_VALID: Result.TLS_EXPIRED,
    _EXPIRED: Result.TLS_EXPIRED,
    _WRONG_NAME: Result.TLS_WRONG_NAME,
    _WRONG_ADDRESS: Result.TLS_WRONG_NAME,
}
_VERSION_REASONS = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "WRONG_VERSION_NUMBER", "NO_PROTOCOLS_AVAILABLE")
_BY_TYPE: tuple[tuple[type[BaseException], Result], ...] = (
    (AddressRefused, Result.BLOCKED),
    (NotResolved, Result.DNS),
    (HeadersTooLarge, Result.HEADERS_TOO_LARGE),
    (BadAnswer, Result.BAD_ANSWER),
    (ConnectionRefusedError, Result.REFUSED),
)


def result_of_error(error: BaseException, trip: Trip) -> Result:
    """The word for what ended a request before its answer."""
    if trip.blocked is not None:
        return Result.BLOCKED
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, Result.TLS_UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        return (
            Result.TLS_VERSION if any(word in (error.reason or "") for word in _VERSION_REASONS) else Result.TLS_FAILED
        )
    for kind, result in _BY_TYPE:
        if isinstance(error, kind):
            return result
    is_in_handshake = trip.tls_began is not None and trip.connected is None
    if isinstance(error, TimeoutError) and not is_in_handshake:
        return Result.TIMEOUT
    if is_in_handshake:
        return Result.TIMEOUT if type(error) is TimeoutError else Result.TLS_RESET
    if isinstance(error, NoAnswer):
        return Result.CLOSED
    if isinstance(error, ConnectionError):
        return Result.RESET
    return Result.UNREACHABLE if trip.up is None and trip.dialled is not None else Result.CONNECTION


def shown_error(error: BaseException, trip: Trip) -> str:
    """What the log keeps of an error: one line, at most 300 characters."""
    text = trip.blocked or str(error) or type(error).__name__
    return text.partition("\n")[0][:300]
