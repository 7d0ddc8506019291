"""The HTTP calls a phone makes to its hub: enrol, fetch an access token, and the two that stand in for a websocket."""

from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
import msgspec

from android_emulator.tls import trust
from device_protocol.enrolment import EnrolRequest, EnrolResponse, TokenRequest, TokenResponse
from device_protocol.limits import HTTP_WAIT_MAX_SECONDS

ENROL_PATH: Final = "/device/v1/enroll"
TOKEN_PATH: Final = "/device/v1/token"
EVENTS_PATH: Final = "/device/v1/events"
JOBS_PATH: Final = "/device/v1/jobs"
ANSWER_SECONDS: Final = 30

_Answer = TypeVar("_Answer")


class HubError(Exception):
    """The hub said no. `code` is the word of its problem document, `status` the HTTP status."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Whether the same call may work later by itself."""
        return self.status >= 500 or self.status in (408, 425, 429)


class HubUnreachableError(Exception):
    """No answer came."""


class HubClient:
    """One hub, by its address and the keys its QR code named. Thousands of phones may share one `http`."""

    def __init__(self, hub_url: str, pins: tuple[str, ...] = (), http: httpx.AsyncClient | None = None) -> None:
        self.hub_url = hub_url.rstrip("/")
        self.pins = pins
        self.trust = trust(pins) if self.hub_url.startswith("https:") else None
        self._is_own = http is None
        # Environment proxies are for the machine, not for the phones on it.
        self._http = http or httpx.AsyncClient(verify=self.trust or False, timeout=ANSWER_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._is_own:
            await self._http.aclose()

    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        """Raises HubError or HubUnreachableError; the same request may be sent again."""
        return msgspec.json.decode(await self._post(ENROL_PATH, msgspec.json.encode(request)), type=EnrolResponse)

    async def fetch_token(self, request: TokenRequest) -> TokenResponse:
        """Raises HubError (401: the secret is not known, 403: suspended or removed) or HubUnreachableError."""
        return msgspec.json.decode(await self._post(TOKEN_PATH, msgspec.json.encode(request)), type=TokenResponse)

    async def post_frames(self, access_token: str, body: bytes) -> bytes:
        """Frames up, the hub's frames down; bodies as in `device_protocol.fallback`."""
        return await self._post(EVENTS_PATH, body, access_token)

    async def wait_for_frames(self, access_token: str, session_no: int) -> bytes:
        """The hub's next frames; an empty body of frames when none came in the time a call may wait."""
        parameters = {"wait": str(HTTP_WAIT_MAX_SECONDS), "session_no": str(session_no)}
        return await self._call("GET", JOBS_PATH, access_token, parameters=parameters)

    async def _post(self, path: str, body: bytes, access_token: str | None = None) -> bytes:
        return await self._call("POST", path, access_token, body=body)

    async def _call(
        self,
        method: str,
        path: str,
        access_token: str | None,
        *,
        body: bytes | None = None,
        parameters: dict[str, str] | None = None,
    ) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        try:
            answer = await self._http.request(
                method, self.hub_url + path, content=body, params=parameters, headers=headers
            )
        except httpx.TransportError as error:
            raise HubUnreachableError(f"{path}: {type(error).__name__} {error}".strip()) from error
        if answer.status_code == httpx.codes.CONFLICT and path in (EVENTS_PATH, JOBS_PATH):
            # An older session: the body says so in a `bye` frame.
            return answer.content
        if answer.status_code != httpx.codes.OK:
            raise _problem(answer)
        return answer.content


class _Problem(msgspec.Struct):
    """What is read of a problem document (RFC 9457)."""

    code: str = ""
    title: str = ""
    detail: str = ""


def _problem(answer: httpx.Response) -> HubError:
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(detail=answer.text[:200])
    return HubError(answer.status_code, problem.code, problem.detail or problem.title)
