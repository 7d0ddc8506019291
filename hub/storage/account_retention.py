"""Accounts that keep their texts for less time than the hub does: what of theirs goes earlier, and who they are.

An account's own time is never longer than the hub's, so these sweeps only come before those of `retention_rules`. What else a text
leaves behind (the raw events of its phone, the tries of its webhooks) goes by the hub's times: it is the operator's, for finding faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from sqlalchemy import Connection

from hub.config import Config
from hub.storage.accounts import list_with_sandboxes
from hub.storage.retention_rules import DAY_SECONDS, MEDIA_GOES, Sweep


def _own(_config: Config) -> float:
    return 0


ACCOUNT_SWEEPS: Mapping[str, Sweep] = MappingProxyType(
    {
        "message": Sweep(
            "Texts that have ended, with their timeline and their events",
            _own,
            ("id",),
            "select id, conversation_id from message where account_id = :account_id and id < :cutoff_id"
            " and (final_at is not null or direction = 'mo') order by id limit :most",
            before=(
                "delete from timeline where message_id = :id",
                "delete from wh_delivery where state >= 2 and event_seq in (select seq from wh_event where message_id = :id)",
                "delete from wh_event where message_id = :id"
                " and not exists (select 1 from wh_delivery where wh_delivery.event_seq = wh_event.seq)",
            ),
            after=(
                "delete from conversation where id = :conversation_id and last_at < :cutoff"
                " and not exists (select 1 from message where conversation_id = :conversation_id)",
            ),
        ),
        "media": Sweep(
            "What was attached to texts, once those are gone",
            _own,
            ("id",),
            "select id, account_id, sha256 from media where account_id = :account_id and id < :cutoff_id"
            " and not exists (select 1 from message where message.id = media.message_id) order by id limit :most",
            after=MEDIA_GOES,
        ),
        "smsgate_message": Sweep(
            "Messages as clients of the sms-gate.app API see them, once their texts are gone",
            _own,
            ("id",),
            "select id from smsgate_message where account_id = :account_id and id < :cutoff_id"
            " and not exists (select 1 from smsgate_recipient join message on message.id = smsgate_recipient.message_id"
            " where smsgate_recipient.parent_id = smsgate_message.id) order by id limit :most",
            after=("delete from smsgate_recipient where parent_id = :id",),
        ),
        "batch": Sweep(
            "Requests to many recipients, once their texts are gone",
            _own,
            ("id",),
            "select id from batch where account_id = :account_id and id < :cutoff_id"
            " and not exists (select 1 from message where message.batch_id = batch.id) order by id limit :most",
            before=("delete from batch_row where batch_id = :id",),
        ),
    }
)
"""By table, as `retention_rules.RULES`; `found` names the account."""


class _Chosen(msgspec.Struct):
    """What matters here of an account's stored settings."""

    keep_messages_days: int | None = None


def own_seconds(conn: Connection) -> dict[str, float]:
    """For how long accounts keep texts that have chosen a time of their own, in seconds."""
    chosen = ((row.id, msgspec.json.decode(row.settings, type=_Chosen)) for row in list_with_sandboxes(conn))
    return {account_id: one.keep_messages_days * DAY_SECONDS for account_id, one in chosen if one.keep_messages_days}
