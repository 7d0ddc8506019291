"""`Idempotency-Key`: the same request again is answered with what it was answered first, and makes nothing.

A key counts within (account, door). It is kept for 24 hours, and as long as a message of its request has not ended plus 24
hours: whoever does not know whether a text went out may ask again for as long as that is open. The stored body is the
`Accepted` record; every door renders it with the same code as the first time, so the answer is the same to the byte.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.commands import SentMedium
from hub.core.errors import Code, HubError
from hub.messages.prepare import PreparedSend, RecipientError
from hub.storage.messages import ends_of
from hub.storage.messages_batches import KeyRow, find_keys, forget_keys, keys_until, renew_keys
from hub.storage.transaction import Done, Refused, Tx

KEPT_MS = 24 * 3600 * 1000
LOOK_AGAIN_MS = 3600 * 1000
"""How soon a key is looked at again whose messages have not all ended."""
ACCEPTED_STATUS = 202

KeyId = tuple[str, str, str]


class RecipientResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one recipient: a message, or an error."""

    to: str
    """As the request wrote it."""
    peer: str | None = None
    message_id: str | None = None
    state: str | None = None
    line_id: str | None = None
    line_why: str | None = None
    conversation_id: str | None = None
    error: RecipientError | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request was answered: one result per recipient, in the request's order."""

    results: tuple[RecipientResult, ...]
    batch_id: str | None = None
    encoding: str = "gsm7"
    segments: int = 1
    created_at: UtcMs = 0
    due_at: UtcMs = 0
    expires_at: UtcMs = 0
    is_replay: bool = False
    """The request was answered before; nothing was made now."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Accepted)


def key_of(command: PreparedSend) -> KeyId | None:
    """The key a request counts under, if it has one."""
    request = command.request
    return None if request.idempotency_key is None else (request.account_id, request.door, request.idempotency_key)


def key_row(command: PreparedSend, accepted: Accepted, now: UtcMs) -> KeyRow:
    """What to store of an answer."""
    request = command.request
    return KeyRow(
        account_id=request.account_id,
        door=request.door,
        key=request.idempotency_key or "",
        request_sha256=request.request_sha256 or "",
        status=ACCEPTED_STATUS,
        body=_ENCODER.encode(accepted),
        created_at=now,
        expires_at=now + KEPT_MS,
    )


def answer_again(row: KeyRow, command: PreparedSend) -> Done[Accepted] | Refused:
    """The stored answer, or the conflict when it was another request's."""
    if row.request_sha256 != (command.request.request_sha256 or ""):
        return Refused(HubError(Code.IDEMPOTENCY_CONFLICT))
    return Done(msgspec.structs.replace(_DECODER.decode(row.body), is_replay=True))


def stored_answers(tx: Tx, commands: Iterable[PreparedSend]) -> dict[KeyId, KeyRow]:
    """The answers that still stand for these requests' keys; those whose time is over are removed."""
    wanted = {key for command in commands if (key := key_of(command)) is not None}
    if not wanted:
        return {}
    found = find_keys(tx.conn, {key[0] for key in wanted}, {key[2] for key in wanted})
    found = {key: row for key, row in found.items() if key in wanted}
    over = [row for row in found.values() if row.expires_at <= tx.now and _kept_until(tx, row) <= tx.now]
    forget_keys(tx.conn, over)
    gone = {row[:3] for row in over}
    return {key: row for key, row in found.items() if key not in gone}


def forget_old_keys(tx: Tx, commands: Sequence[int]) -> list[Done[int] | Refused]:
    """Remove keys whose time is over, and put off those whose messages have not ended. A command is how many to look at.

    Returns how many were looked at, so that the caller knows whether more wait.
    """
    looked_at = []
    for most in commands:
        rows = keys_until(tx.conn, tx.now, most)
        until = {row: _kept_until(tx, row) for row in rows}
        forget_keys(tx.conn, [row for row in rows if until[row] <= tx.now])
        renew_keys(tx.conn, [row._replace(expires_at=until[row]) for row in rows if until[row] > tx.now])
        looked_at.append(Done(len(rows)))
    return list(looked_at)


def _kept_until(tx: Tx, row: KeyRow) -> UtcMs:
    """Until when a key is kept at least, as far as it can be told now."""
    accepted = _DECODER.decode(row.body)
    ids = [result.message_id for result in accepted.results if result.message_id is not None]
    ends = ends_of(tx.conn, row.account_id, ids)
    if any(end is None for end in ends.values()):
        return tx.now + LOOK_AGAIN_MS
    last = max((end for end in ends.values() if end is not None), default=row.created_at)
    return max(row.created_at, last) + KEPT_MS


ANSWERED = SentMedium("", "", 0)
"""Stands for the attachments of a request that was answered before: they may be gone by now, and nothing is stored of it again."""


def is_answered(conn: Connection, account_id: str, door: str, key: str) -> bool:
    """Whether an answer is stored under this key."""
    return (account_id, door, key) in find_keys(conn, {account_id}, {key})
