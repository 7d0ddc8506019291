"""The HTTP calls a phone makes to its hub: enrol, fetch an access token, and the two that stand in for a websocket."""

from http import HTTPStatus
from typing import Final

import msgspec

from android_emulator.http_call import Answer, http_call
from android_emulator.tls import trust
from device_protocol.enrolment import EnrolRequest, EnrolResponse, TokenRequest, TokenResponse
from device_protocol.limits import HTTP_WAIT_MAX_SECONDS

ENROL_PATH: Final = "/device/v1/enroll"
TOKEN_PATH: Final = "/device/v1/token"
EVENTS_PATH: Final = "/device/v1/events"
JOBS_PATH: Final = "/device/v1/jobs"
MEDIA_PATH: Final = "/device/v1/media/"
ANSWER_SECONDS: Final = 30
"""Time for any call; that one which waits for frames may wait 25 s of it."""


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
    """One hub, by its address and the keys its QR code named."""

    def __init__(self, hub_url: str, pins: tuple[str, ...] = ()) -> None:
        self.hub_url = hub_url.rstrip("/")
        self.pins = pins
        self.trust = trust(pins) if self.hub_url.startswith("https:") else None

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
        """The hub's next frames; an empty list of frames when none came in the time a call may wait."""
        path = f"{JOBS_PATH}?wait={HTTP_WAIT_MAX_SECONDS}&session_no={session_no}"
        return await self._call("GET", path, access_token)

    async def put_media(self, access_token: str, sha256: str, content_type: str, content: bytes) -> None:
        """The bytes of an attachment, before the event that names them. Raises HubError (413 `size`, 415 `type`) or HubUnreachableError."""
        await self._call("PUT", MEDIA_PATH + sha256, access_token, content, content_type)

    async def get_media(self, access_token: str, sha256: str) -> bytes:
        """The bytes of an attachment of a job. Raises HubError (404: it is not this phone's job any more) or HubUnreachableError."""
        return await self._call("GET", MEDIA_PATH + sha256, access_token)

    async def _post(self, path: str, body: bytes, access_token: str | None = None) -> bytes:
        return await self._call("POST", path, access_token, body)

    async def _call(
        self,
        method: str,
        path: str,
        access_token: str | None,
        body: bytes = b"",
        content_type: str = "application/json",
    ) -> bytes:
        headers = {"Content-Type": content_type} if body else {}
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        try:
            answer = await http_call(
                method, self.hub_url + path, headers=headers, body=body, trust=self.trust, seconds=ANSWER_SECONDS
            )
        except (OSError, ValueError) as error:
            raise HubUnreachableError(f"{path}: {error or type(error).__name__}") from error
        if answer.status == HTTPStatus.CONFLICT and path.startswith((EVENTS_PATH, JOBS_PATH)):
            # An older session: the body says so in a `bye` frame.
            return answer.body
        if answer.status != HTTPStatus.OK:
            raise _problem(answer)
        return answer.body


class _Problem(msgspec.Struct):
    """What is read of a problem document (RFC 9457)."""

    code: str = ""
    title: str = ""
    detail: str = ""


def _problem(answer: Answer) -> HubError:
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(detail=answer.body[:200].decode(errors="replace"))
    return HubError(answer.status, problem.code, problem.detail or problem.title)
