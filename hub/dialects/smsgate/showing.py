"""Messages as that API shows them: one state for all recipients, one for each, and when which state was reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from hub.core.clock import rfc3339
from hub.core.ids import BadId, from_smsgate21, time_of, to_smsgate21
from hub.dialects.smsgate import words
from hub.dialects.smsgate.names import Names
from hub.storage.smsgate_messages import (
    Listing,
    ParentRow,
    Part,
    find_parent,
    find_parent_of,
    list_ids,
    parents_by_id,
    parts_of,
    texts_by_id,
)


def read_one(conn: Connection, account_id: str, shown_id: str) -> tuple[ParentRow, list[Part]] | None:
    """The message with this id: one that came in by this door, or any outbound text of the account by its webhooks' id."""
    parent = find_parent(conn, account_id, shown_id) or _parent_of_text(conn, account_id, shown_id)
    if parent is not None:
        parts = parts_of(conn, account_id, [parent.id]).get(parent.id)
        return None if parts is None else (parent, parts)
    return _any_text(conn, account_id, shown_id)


def _parent_of_text(conn: Connection, account_id: str, shown_id: str) -> ParentRow | None:
    message_id = _text_id(shown_id)
    return None if message_id is None else find_parent_of(conn, account_id, message_id)


def _any_text(conn: Connection, account_id: str, shown_id: str) -> tuple[ParentRow, list[Part]] | None:
    message_id = _text_id(shown_id)
    part = None if message_id is None else texts_by_id(conn, account_id, [message_id]).get(message_id)
    return None if part is None or part.row.direction != "mt" else _alone(account_id, part)


def _alone(account_id: str, part: Part) -> tuple[ParentRow, list[Part]]:
    """A text of another door, as the message of one recipient that its webhooks tell of."""
    return ParentRow(part.row.id, account_id, to_smsgate21(part.row.id), None, False, None), [part]


def _text_id(shown_id: str) -> str | None:
    try:
        return from_smsgate21(shown_id)
    except BadId:
        return None


def read_page(
    conn: Connection, account_id: str, asked: Listing, offset: int, limit: int
) -> tuple[list[tuple[ParentRow, list[Part]]], int]:
    """A page of messages, whichever door they came in by, and how many there are in all."""
    listed, total = list_ids(conn, account_id, asked, offset, limit)
    own = [id_ for id_, is_own in listed if is_own]
    parents, parts = parents_by_id(conn, account_id, own), parts_of(conn, account_id, own)
    others = texts_by_id(conn, account_id, [id_ for id_, is_own in listed if not is_own])
    found = {id_: (parents[id_], parts[id_]) for id_ in own if id_ in parents and id_ in parts}
    found |= {id_: _alone(account_id, part) for id_, part in others.items()}
    return [found[id_] for id_, _ in listed if id_ in found], total


def state(
    parent: ParentRow, parts: Sequence[Part], names: Names, *, with_content: bool, is_before_cancel: bool
) -> dict[str, Any]:
    """A message as JSON."""
    rows = [part.row for part in parts]
    each = [words.word_of(row) for row in rows]
    all_ = words.together(each)
    shown = words.older if is_before_cancel else str
    device_id = next((part.device_id for part in parts if part.device_id), parent.device_id)
    times = {shown(word): rfc3339(at) for word, at in words.reached(rows, all_).items()}
    told: dict[str, Any] = {
        "id": parent.shown_id,
        "deviceId": "" if device_id is None else names.device(device_id),
        "state": shown(all_),
        "isHashed": parent.content_hash is not None,
        "isEncrypted": parent.is_encrypted,
        "recipients": [_recipient(part, shown(word)) for part, word in zip(parts, each, strict=True)],
        "states": times,
        "createdAt": rfc3339(time_of(parent.id)),
    }
    return told | _content(parent, parts[0]) if with_content else told


def _recipient(part: Part, word: str) -> dict[str, str]:
    told = {"phoneNumber": part.phone_number, "state": word}
    why = words.why(part.row)
    return told if why is None else told | {"error": why}


def _content(parent: ParentRow, first: Part) -> dict[str, Any]:
    if parent.content_hash is not None:
        return {"hashedMessage": {"hash": parent.content_hash}}
    row = first.row
    if row.data_port is not None:
        return {"dataMessage": {"data": row.text, "port": row.data_port}}
    return {"mmsMessage" if row.kind == "mms" else "textMessage": {"text": row.text}}
