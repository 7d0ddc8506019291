"""How a phone joins a hub: scan, keep a secret of its own, exchange the one-time token; and how it gets access tokens after that."""

import base64
import secrets

from msgspec import structs

from android_emulator.hub_client import HubClient, HubError
from android_emulator.qr import read_qr_png
from android_emulator.store import Enrolment, Store
from device_protocol.enrolment import (
    DeviceDescription,
    EnrolRequest,
    QrInvitation,
    TokenRequest,
    parse_qr_text,
    secret_hash,
)


def read_invitation(qr: str | bytes) -> QrInvitation:
    """The invitation in a QR text, or in a PNG picture of one. Raises QrError or EnrolmentError with a sentence for the user."""
    return parse_qr_text(read_qr_png(qr) if isinstance(qr, bytes) else qr)


def prepare(store: Store, invitation: QrInvitation) -> Enrolment:
    """Keep what the enrolment needs before the hub hears of it: the same token is always sent with the same secret, however often the
    answer is lost.
    """
    known = store.enrolment()
    if known is not None and known.token == invitation.token:
        return known
    proof = None if known is None else (known.secret if known.device_id else known.previous_secret)
    enrolment = Enrolment(invitation.hub_url, invitation.pins, new_secret(), invitation.token, previous_secret=proof)
    store.keep_enrolment(enrolment)
    return enrolment


async def complete(store: Store, enrolment: Enrolment, client: HubClient, device: DeviceDescription) -> Enrolment:
    """Send the token; returns the enrolment with its device id, kept. HubError (`token_used` …) or HubUnreachableError: not enrolled."""
    request = EnrolRequest(enrolment.token, secret_hash(enrolment.secret), device, enrolment.previous_secret)
    answer = await client.enrol(request)
    enrolled = structs.replace(enrolment, device_id=answer.device_id, nonce=None, previous_secret=None)
    store.keep_enrolment(enrolled)
    return enrolled


class AccessTokens:
    """The access token of one phone, fetched again when its time is nearly over; the nonce chain is kept on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._token = ""
        self._good_until = 0.0

    async def token(self, client: HubClient, elapsed_seconds: float) -> str:
        """A token that is good for a while. Raises HubError or HubUnreachableError."""
        if elapsed_seconds >= self._good_until:
            await self._fetch(client, elapsed_seconds)
        return self._token

    def forget(self) -> None:
        """The hub did not take it."""
        self._good_until = 0.0

    async def _fetch(self, client: HubClient, elapsed_seconds: float) -> None:
        enrolment = self._store.enrolment()
        if enrolment is None or enrolment.device_id is None:
            raise HubError(401, "not_enrolled", "this phone is not enrolled")
        answer = await client.fetch_token(TokenRequest(enrolment.device_id, enrolment.secret, enrolment.nonce))
        # The nonce is on disk before the token is used: whoever loses it looks like a copy of this phone.
        self._store.keep_enrolment(structs.replace(enrolment, nonce=answer.next_nonce))
        self._token = answer.access_token
        self._good_until = elapsed_seconds + answer.expires_in * 0.8


def new_secret() -> str:
    """256 random bits as base64url without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
