"""From an HTTP client's exceptions to the words of the delivery log."""

import ssl

import aiohttp

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


def result_of_error(error: BaseException, trip: Trip) -> Result:
    """The word for an exception that ended a request before its answer."""
    if trip.blocked is not None or isinstance(error, aiohttp.InvalidURL):
        return Result.BLOCKED
    if isinstance(error, TimeoutError):
        return Result.TIMEOUT
    if isinstance(error, aiohttp.ClientResponseError):
        return Result.HEADERS_TOO_LARGE if _is_about_size(error) else Result.BAD_ANSWER
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Result.CLOSED
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        code = getattr(error.certificate_error, "verify_code", None)
        return _VERIFY.get(code, Result.TLS_UNTRUSTED) if isinstance(code, int) else Result.TLS_WRONG_NAME
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Result.BLOCKED if isinstance(error.os_error, AddressRefused) else Result.DNS
    if isinstance(error, OSError):
        return _of_os_error(error, trip)
    return Result.CONNECTION


def _of_os_error(error: OSError, trip: Trip) -> Result:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or ""
        return Result.TLS_VERSION if any(word in reason for word in _VERSION_REASONS) else Result.TLS_FAILED
    if isinstance(cause, ConnectionRefusedError):
        return Result.REFUSED
    if trip.tls_began is not None and trip.connected is None:
        return Result.TLS_RESET
    if isinstance(cause, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return Result.RESET
    return Result.UNREACHABLE if trip.connected is None else Result.CONNECTION


def _is_about_size(error: aiohttp.ClientResponseError) -> bool:
    return "Too many headers" in error.message or "when reading" in error.message or "Got more than" in error.message


def may_not_have_arrived(error: BaseException) -> bool:
    """Whether a kept connection was probably closed by the receiver before it saw this request: no byte of an answer came."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)
    return isinstance(error, aiohttp.ClientOSError | ConnectionResetError | BrokenPipeError) and not isinstance(
        error, aiohttp.ClientConnectorError
    )


def shown_error(error: BaseException, trip: Trip) -> str:
    """What the log keeps of an exception: one line, at most 300 characters."""
    text = trip.blocked or str(error) or type(error).__name__
    return text.partition("\n")[0][:300]
