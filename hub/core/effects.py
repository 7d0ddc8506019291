"""What must happen outside the database, as records: returned by use cases, run after the commit, never before."""

from typing import Literal, TypeAlias

import msgspec

from hub.core.clock import UtcMs


class ToPhone(msgspec.Struct, frozen=True, tag=True):
    """Send a frame to a phone, on the connection its input came on. Dropped when another session has taken over."""

    device_id: str
    session_no: int
    frame: object
    """A frame of the device protocol."""


class ClosePhone(msgspec.Struct, frozen=True, tag=True):
    """Close a phone's connection. `session_no` None = whichever there is."""

    device_id: str
    code: str
    reason: str
    session_no: int | None = None


class WakeDispatch(msgspec.Struct, frozen=True, tag=True):
    """Messages may be due. None = for any account."""

    account_id: str | None = None
    line_ids: tuple[str, ...] = ()
    """On these lines; empty = any line of the account."""
    is_room: bool = False
    """Nothing new is due: a phone has answered an offer and has room for another, if it was left with less than there was."""


class WakeDelivery(msgspec.Struct, frozen=True, tag=True):
    """Webhook deliveries may be due for these endpoints; empty = look at all."""

    endpoint_ids: tuple[str, ...] = ()


class Publish(msgspec.Struct, frozen=True, tag=True):
    """Customer events were stored: feeds that wait for them may read on."""

    account_id: str
    event_ids: tuple[str, ...]
    types: tuple[str, ...] = ()
    """What they are, for who counts them; other processes are not told."""


class LiveHint(msgspec.Struct, frozen=True, tag=True):
    """Something an open dashboard shows has changed; it reads the thing itself."""

    account_id: str
    kind: Literal["message", "conversation", "device", "line", "batch", "endpoint", "delivery", "enrolment", "notice"]
    id: str


class CredentialsChanged(msgspec.Struct, frozen=True, tag=True):
    """A key, login or phone credential was revoked or changed, or the settings of an account that are cached beside them: caches forget
    it at once, in every process."""

    account_id: str
    kind: Literal["key", "user", "login", "gateway", "device", "account"]
    id: str


class PhoneSettingsChanged(msgspec.Struct, frozen=True, tag=True):
    """What the account's customers set for its phones changed (`hub.storage.smsgate_accounts`): phones that read settings are told."""

    account_id: str


class ExportAsked(msgspec.Struct, frozen=True, tag=True):
    """A customer wants phones of the account to look through their inbox again and tell what they find."""

    account_id: str
    since: UtcMs
    until: UtcMs
    device_id: str | None = None
    """None = every phone of the account."""
    message_types: tuple[str, ...] = ("SMS",)
    """`SMS`, `MMS`."""
    webhook_delivery: Literal["Disabled", "Individual", "Batch"] = "Individual"


class WakeAt(msgspec.Struct, frozen=True, tag=True):
    """A timer has something to do at this time: dispatch looks again then at the latest."""

    at: UtcMs


Effect: TypeAlias = (
    ToPhone
    | ClosePhone
    | WakeDispatch
    | WakeDelivery
    | Publish
    | LiveHint
    | CredentialsChanged
    | PhoneSettingsChanged
    | ExportAsked
    | WakeAt
)
