"""The highest id a database holds, so that a restarted hub goes on above it even when its clock was set back."""

from sqlalchemy import Connection, func, select

from hub.core.clock import UtcMs
from hub.core.ids import is_id, time_of
from hub.storage.schema import METADATA

MADE_FROM_TIME = (
    "account",
    "api_key",
    "basic_login",
    "batch",
    "consent_change",
    "contact",
    "credit_entry",
    "device",
    "device_gap",
    "device_notice",
    "enrolment",
    "gateway",
    "hub_user",
    "line",
    "mailbox",
    "media",
    "media_upload",
    "message",
    "snippet",
    "sign_in",
    "smsgate_message",
    "smsgate_token",
    "wh_event",
    "wh_replay",
    "write_batch",
)
"""Tables whose `id` is made from time, each behind an index."""

NOT_MADE_FROM_TIME = {
    "conversation": "a hash of account, line and peer",
    "smsgate_alias": "the id of a row of another table",
    "wh_endpoint": "a hash of account, format and origin where a message's own target made it",
}

_HIGHEST = [select(func.max(METADATA.tables[name].c.id)) for name in MADE_FROM_TIME]


def highest_id_ms(conn: Connection) -> UtcMs:
    """The latest millisecond in any stored id; 0 for an empty database."""
    found = (conn.execute(statement).scalar_one_or_none() for statement in _HIGHEST)
    return max((time_of(id_) for id_ in found if id_ is not None and is_id(id_)), default=0)
