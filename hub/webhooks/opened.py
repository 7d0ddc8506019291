"""An endpoint as the engine works with it: its secrets opened, its schedule read, what never changes made once."""

from dataclasses import dataclass
from typing import Any

import msgspec

from hub.core.clock import UtcMs
from hub.core.retry import Schedule, schedule_of
from hub.storage.webhooks_due import ReadBy
from hub.storage.webhooks_lanes import LaneRow
from hub.webhooks.headers import auth_header
from hub.webhooks.sealer import Sealer
from hub.webhooks.signing import Keys, SigningKey

_READ_BY: dict[str, ReadBy] = {"message": "due", "none": "due", "conversation": "key", "endpoint": "number"}


@dataclass(frozen=True, slots=True, repr=False)
class OpenEndpoint:
    """Built from its row; replaced as a whole when that changes."""

    id: str
    account_id: str
    version: int
    kind: str
    url: str
    format: str
    state: str
    is_deleted: bool
    gateway_id: str | None
    settings: dict[str, str]
    keys: Keys
    own_headers: tuple[tuple[str, str], ...]
    """The customer's headers and credentials."""
    secret_names: frozenset[str]
    """Names of headers that the log masks, in lower case."""
    timeout_seconds: int
    max_inflight: int
    rate_per_second: int | None
    read_by: ReadBy
    schedule: Schedule
    success_prefix: bytes | None

    @property
    def is_sending(self) -> bool:
        """Whether its deliveries are tried at all."""
        return self.state == "active" and not self.is_deleted

    def alive_keys(self, now: UtcMs) -> tuple[SigningKey, ...]:
        """What signs now."""
        return self.keys.alive(now)


def open_endpoint(row: LaneRow, sealer: Sealer) -> OpenEndpoint:
    """Raises `SealBroken` when the key file is another one."""
    stored = row.endpoint
    endpoint_id = stored["id"]
    headers = sealer.headers(endpoint_id, stored["headers"])
    credentials = auth_header(sealer.auth(endpoint_id, stored["auth"]))
    own = tuple(headers.items()) + ((("authorization", credentials),) if credentials is not None else ())
    rule: str | None = stored["success_rule"]
    return OpenEndpoint(
        id=endpoint_id,
        account_id=stored["account_id"],
        version=stored["version"],
        kind=stored["kind"],
        url=stored["url"],
        format=stored["format"],
        state=stored["state"],
        is_deleted=stored["deleted_at"] is not None,
        gateway_id=stored["gateway_id"],
        settings=msgspec.json.decode(stored["settings"]),
        keys=_keys(row, sealer),
        own_headers=own,
        secret_names=frozenset(name.lower() for name, _ in own),
        timeout_seconds=stored["timeout_seconds"],
        max_inflight=stored["max_inflight"],
        rate_per_second=stored["rate_per_second"],
        read_by=_READ_BY[stored["order_mode"]],
        schedule=_schedule(stored),
        success_prefix=None if rule is None else rule.encode(),
    )


def _keys(row: LaneRow, sealer: Sealer) -> Keys:
    stored = row.endpoint
    if row.gateway_tokens is not None:
        return sealer.tokens(stored["gateway_id"], row.gateway_tokens)
    return sealer.keys(stored["id"], stored["secrets"])


def _schedule(stored: Any) -> Schedule:
    setting = msgspec.json.decode(stored["schedule"], type=str | tuple[float, ...])
    return schedule_of(setting, max_age_seconds=stored["max_age_seconds"])
