"""The first schema. Until the first release it is kept equal to the tables of `hub/storage/schema`; after it, it never changes.
It is as long as there are tables: a program writes a function for each, and no part of it could be changed without the others.

Where a row is updated several times in its life, PostgreSQL pages keep room for its new versions (`fillfactor`), so that an
update that touches no index stays on its page. The tables that queues live in are vacuumed after 2 % of dead rows instead of
20 %: the indexes that dispatch and delivery claim from are short, and dead entries at their head are what makes a claim slow.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

QUEUE = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0.02"
)
STORAGE = {
    "message": f"fillfactor = 85, {QUEUE}",
    "wh_delivery": f"fillfactor = 85, {QUEUE}",
    "conversation": "fillfactor = 85",
    "device": "fillfactor = 50",
    "device_stream": "fillfactor = 50",
    "line": "fillfactor = 70",
    "line_usage": "fillfactor = 70",
    "wh_lane": "fillfactor = 50",
    "write_batch": "autovacuum_vacuum_scale_factor = 0.1",
}


def upgrade() -> None:
    """Create every table."""
    for create in CREATE:
        create()
    if op.get_bind().dialect.name == "postgresql":
        for table, settings in STORAGE.items():
            op.execute(f"alter table {table} set ({settings})")
        # The inserting transaction: the feed of events is ordered by it, because commits are not in the order of numbers.
        op.execute("alter table wh_event alter column txid set default (pg_current_xact_id()::text::bigint)")


# From here on: written by hub/storage/migrations/draft.py.


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("sandbox_of", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sandbox_of"),
    )


def _batch() -> None:
    op.create_table(
        "batch",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("options", TEXT, nullable=True),
        sa.Column("rows_expected", sa.BigInteger(), nullable=True),
        sa.Column("upload_key", TEXT, nullable=True),
        sa.Column("upload_sha256", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("batch_account", "batch", ["account_id", "id"], unique=False)
    op.create_index(
        "batch_upload",
        "batch",
        ["account_id", "upload_key"],
        unique=True,
        sqlite_where=sa.text("upload_key is not null"),
        postgresql_where=sa.text("upload_key is not null"),
    )


def _batch_row() -> None:
    op.create_table(
        "batch_row",
        sa.Column("batch_id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("given", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=True),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("code", TEXT, nullable=True),
        sa.Column("sentence", TEXT, nullable=True),
        sa.Column("same_as", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "number"),
    )
    op.create_index("batch_row_peer", "batch_row", ["batch_id", "peer"], unique=False)
    op.create_index(
        "batch_row_refused",
        "batch_row",
        ["batch_id", "number"],
        unique=False,
        sqlite_where=sa.text("code is not null"),
        postgresql_where=sa.text("code is not null"),
    )


def _carrier_text() -> None:
    op.create_table(
        "carrier_text",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("door", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "door", "key"),
    )
    op.create_index("carrier_text_received", "carrier_text", ["received_at"], unique=False)


def _consent_change() -> None:
    op.create_table(
        "consent_change",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("is_out", sa.Boolean(), nullable=False),
        sa.Column("word", TEXT, nullable=True),
        sa.Column("by", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_change_peer", "consent_change", ["account_id", "peer", "id"], unique=False)


def _contact() -> None:
    op.create_table(
        "contact",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("notes", TEXT, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("contact_account", "contact", ["account_id", "id"], unique=False)


def _contact_number() -> None:
    op.create_table(
        "contact_number",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=False),
        sa.Column("contact_id", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("account_id", "peer"),
    )
    op.create_index("contact_number_of", "contact_number", ["contact_id"], unique=False)


def _conversation() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("line_id", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("last_message_id", TEXT, nullable=True),
        sa.Column("last_direction", TEXT, nullable=True),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.Column("read_up_to", TEXT, nullable=True),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.Column("muted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("conversation_peer", "conversation", ["account_id", "peer"], unique=False)
    op.create_index("conversation_recent", "conversation", ["account_id", "last_at", "id"], unique=False)


def _credit_account() -> None:
    op.create_table(
        "credit_account",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("balance_micros", sa.BigInteger(), nullable=False),
        sa.Column("settled_micros", sa.BigInteger(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
    )


def _credit_entry() -> None:
    op.create_table(
        "credit_entry",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("credit_entry_account", "credit_entry", ["account_id", "id"], unique=False)
    op.create_index(
        "credit_entry_message",
        "credit_entry",
        ["message_id", "turn", "kind"],
        unique=True,
        sqlite_where=sa.text("message_id is not null"),
        postgresql_where=sa.text("message_id is not null"),
    )


def _device_connection() -> None:
    op.create_table(
        "device_connection",
        sa.Column("device_id", TEXT, nullable=False),
        sa.Column("session_no", sa.BigInteger(), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("connected_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", TEXT, nullable=True),
        sa.Column("node", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "session_no"),
    )
    op.create_index("device_connection_at", "device_connection", ["connected_at"], unique=False)
    op.create_index(
        "device_connection_open",
        "device_connection",
        ["node"],
        unique=False,
        sqlite_where=sa.text("closed_at is null"),
        postgresql_where=sa.text("closed_at is null"),
    )


def _device_event() -> None:
    op.create_table(
        "device_event",
        sa.Column("device_id", TEXT, nullable=False),
        sa.Column("uuid", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=True),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("raw", TEXT, nullable=True),
        sa.Column("fingerprint", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("device_id", "uuid"),
    )
    op.create_index(
        "device_event_deferred",
        "device_event",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("outcome = 'deferred'"),
        postgresql_where=sa.text("outcome = 'deferred'"),
    )
    op.create_index(
        "device_event_fingerprint",
        "device_event",
        ["device_id", "fingerprint"],
        unique=False,
        sqlite_where=sa.text("fingerprint is not null"),
        postgresql_where=sa.text("fingerprint is not null"),
    )
    op.create_index("device_event_n", "device_event", ["device_id", "stream", "n"], unique=False)
    op.create_index(
        "device_event_quarantined",
        "device_event",
        ["device_id", "received_at"],
        unique=False,
        sqlite_where=sa.text("outcome = 'quarantined'"),
        postgresql_where=sa.text("outcome = 'quarantined'"),
    )
    op.create_index("device_event_received", "device_event", ["received_at"], unique=False)


def _device_gap() -> None:
    op.create_table(
        "device_gap",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("device_id", TEXT, nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("first_n", sa.BigInteger(), nullable=False),
        sa.Column("last_n", sa.BigInteger(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("device_gap_device", "device_gap", ["device_id", "at"], unique=False)


def _device_notice() -> None:
    op.create_table(
        "device_notice",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("device_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("device_notice_account", "device_notice", ["account_id", "id"], unique=False)
    op.create_index("device_notice_device", "device_notice", ["device_id", "at"], unique=False)


def _device_stream() -> None:
    op.create_table(
        "device_stream",
        sa.Column("device_id", TEXT, nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("contiguous", sa.BigInteger(), nullable=False),
        sa.Column("contiguous_uuid", TEXT, nullable=True),
        sa.Column("given_out", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("beyond", TEXT, nullable=False),
        sa.Column("used_no", sa.BigInteger(), nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("complete_up_to", sa.BigInteger(), nullable=True),
        sa.Column("clock_ahead_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "stream"),
    )


def _hub_fact() -> None:
    op.create_table(
        "hub_fact",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("door", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("request_sha256", TEXT, nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "door", "key"),
    )
    op.create_index("idempotency_expires", "idempotency", ["expires_at"], unique=False)


def _inbound_rule() -> None:
    op.create_table(
        "inbound_rule",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False),
        sa.Column("gateway_id", TEXT, nullable=True),
        sa.Column("webhook_ids", TEXT, nullable=False),
        sa.Column("user_ids", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "number"),
    )


def _line_usage() -> None:
    op.create_table(
        "line_usage",
        sa.Column("line_id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("line_id", "at"),
    )
    op.create_index("line_usage_at", "line_usage", ["at"], unique=False)


def _media() -> None:
    op.create_table(
        "media",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", TEXT, nullable=True),
        sa.Column("why", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("media_message", "media", ["message_id", "position"], unique=False)
    op.create_index("media_of_content", "media", ["account_id", "sha256"], unique=False)


def _media_content() -> None:
    op.create_table(
        "media_content",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("loose_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "sha256"),
    )
    op.create_index(
        "media_content_loose",
        "media_content",
        ["loose_since"],
        unique=False,
        sqlite_where=sa.text("loose_since is not null"),
        postgresql_where=sa.text("loose_since is not null"),
    )


def _media_piece() -> None:
    op.create_table(
        "media_piece",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "sha256", "number"),
    )


def _media_pull() -> None:
    op.create_table(
        "media_pull",
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("gateway_id", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False),
        sa.Column("urls", TEXT, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("tell_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("media_pull_due", "media_pull", ["next_at"], unique=False)
    op.create_index(
        "media_pull_untold",
        "media_pull",
        ["tell_at"],
        unique=False,
        sqlite_where=sa.text("tell_at is not null"),
        postgresql_where=sa.text("tell_at is not null"),
    )


def _media_upload() -> None:
    op.create_table(
        "media_upload",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("encoding", TEXT, nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("ttl_seconds", sa.BigInteger(), nullable=True),
        sa.Column("door", TEXT, nullable=False),
        sa.Column("trace_id", TEXT, nullable=True),
        sa.Column("batch_id", TEXT, nullable=True),
        sa.Column("conversation_id", TEXT, nullable=True),
        sa.Column("retry_of", TEXT, nullable=True),
        sa.Column("metadata_json", TEXT, nullable=True),
        sa.Column("callback", TEXT, nullable=True),
        sa.Column("want_dlr", sa.Boolean(), nullable=False),
        sa.Column("sender", TEXT, nullable=True),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("line_id", TEXT, nullable=True),
        sa.Column("line_why", TEXT, nullable=True),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("submission", sa.BigInteger(), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=True),
        sa.Column("bound_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("max_tries", sa.BigInteger(), nullable=False),
        sa.Column("segment_reports", TEXT, nullable=True),
        sa.Column("cancel_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("error_code", TEXT, nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("uncertain_at", sa.BigInteger(), nullable=True),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("device_event_uuid", TEXT, nullable=True),
        sa.Column("data_port", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("message_account", "message", ["account_id", "id"], unique=False)
    op.create_index(
        "message_batch",
        "message",
        ["batch_id", "id"],
        unique=False,
        sqlite_where=sa.text("batch_id is not null"),
        postgresql_where=sa.text("batch_id is not null"),
    )
    op.create_index(
        "message_cancel_waits",
        "message",
        ["cancel_requested_at"],
        unique=False,
        sqlite_where=sa.text(
            "cancel_requested_at is not null and (state = 'scheduled' or state = 'queued' or state = 'retried')"
        ),
        postgresql_where=sa.text(
            "cancel_requested_at is not null and (state = 'scheduled' or state = 'queued' or state = 'retried')"
        ),
    )
    op.create_index(
        "message_expiring",
        "message",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("(state = 'scheduled' or state = 'queued' or state = 'retried' or state = 'dispatched')"),
        postgresql_where=sa.text(
            "(state = 'scheduled' or state = 'queued' or state = 'retried' or state = 'dispatched')"
        ),
    )
    op.create_index(
        "message_offered",
        "message",
        ["offered_at"],
        unique=False,
        sqlite_where=sa.text("offered_at is not null"),
        postgresql_where=sa.text("offered_at is not null"),
    )
    op.create_index(
        "message_on_device",
        "message",
        ["device_id"],
        unique=False,
        sqlite_where=sa.text(
            "device_id is not null and (state = 'queued' or state = 'retried' or state = 'dispatched' or state = 'uncertain')"
        ),
        postgresql_where=sa.text(
            "device_id is not null and (state = 'queued' or state = 'retried' or state = 'dispatched' or state = 'uncertain')"
        ),
    )
    op.create_index(
        "message_scheduled",
        "message",
        ["scheduled_at"],
        unique=False,
        sqlite_where=sa.text("state = 'scheduled'"),
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_index("message_thread", "message", ["conversation_id", "id"], unique=False)
    op.create_index(
        "message_uncertain",
        "message",
        ["uncertain_at"],
        unique=False,
        sqlite_where=sa.text("state = 'uncertain'"),
        postgresql_where=sa.text("state = 'uncertain'"),
    )
    op.create_index(
        "message_waiting",
        "message",
        ["line_id", sa.literal_column("priority desc"), "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state in ('queued', 'retried')"),
        postgresql_where=sa.text("state in ('queued', 'retried')"),
    )


def _opt_out() -> None:
    op.create_table(
        "opt_out",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("peer", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("word", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("account_id", "peer"),
    )


def _sign_up() -> None:
    op.create_table(
        "sign_up",
        sa.Column("token_sha256", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index("sign_up_expires", "sign_up", ["expires_at"], unique=False)
    op.create_index("sign_up_username", "sign_up", ["username"], unique=False)


def _smsgate_alias() -> None:
    op.create_table(
        "smsgate_alias",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("shown_id", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "shown_id"),
    )
    op.create_index("smsgate_alias_id", "smsgate_alias", ["id"], unique=False)


def _smsgate_message() -> None:
    op.create_table(
        "smsgate_message",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("shown_id", TEXT, nullable=False),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("content_hash", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("smsgate_message_account", "smsgate_message", ["account_id", "id"], unique=False)
    op.create_index("smsgate_message_shown", "smsgate_message", ["account_id", "shown_id"], unique=True)


def _smsgate_recipient() -> None:
    op.create_table(
        "smsgate_recipient",
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("parent_id", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("phone_number", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("smsgate_recipient_parent", "smsgate_recipient", ["parent_id", "position"], unique=False)


def _smsgate_settings() -> None:
    op.create_table(
        "smsgate_settings",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("signing_key", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id"),
    )


def _smsgate_token() -> None:
    op.create_table(
        "smsgate_token",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("login_id", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("refresh_id", TEXT, nullable=False),
        sa.Column("family_id", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("refresh_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("smsgate_token_login", "smsgate_token", ["login_id"], unique=False)
    op.create_index("smsgate_token_refresh", "smsgate_token", ["refresh_id"], unique=True)


def _smsgate_webhook() -> None:
    op.create_table(
        "smsgate_webhook",
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("shown_id", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "shown_id"),
    )


def _snippet() -> None:
    op.create_table(
        "snippet",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("snippet_account", "snippet", ["account_id", "name", "id"], unique=False)


def _timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("message_id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("from_state", TEXT, nullable=True),
        sa.Column("to_state", TEXT, nullable=True),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("raw", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("timeline_message", "timeline", ["message_id", "id"], unique=False)


def _user_link() -> None:
    op.create_table(
        "user_link",
        sa.Column("token_sha256", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index("user_link_expires", "user_link", ["expires_at"], unique=False)
    op.create_index("user_link_user", "user_link", ["user_id"], unique=False)


def _wh_attempt() -> None:
    op.create_table(
        "wh_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("is_probe", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ms_dns", sa.BigInteger(), nullable=True),
        sa.Column("ms_connect", sa.BigInteger(), nullable=True),
        sa.Column("ms_tls", sa.BigInteger(), nullable=True),
        sa.Column("ms_first", sa.BigInteger(), nullable=True),
        sa.Column("ms_total", sa.BigInteger(), nullable=True),
        sa.Column("address", TEXT, nullable=True),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("error", TEXT, nullable=True),
        sa.Column("request_headers", TEXT, nullable=True),
        sa.Column("response_headers", TEXT, nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column("node", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("wh_attempt_delivery", "wh_attempt", ["delivery_id", "n"], unique=False)


def _wh_delivery() -> None:
    op.create_table(
        "wh_delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("endpoint_version", sa.BigInteger(), nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("template", TEXT, nullable=True),
        sa.Column("target", TEXT, nullable=True),
        sa.Column("target_key", TEXT, nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.BigInteger(), nullable=False),
        sa.Column("order_key", TEXT, nullable=False),
        sa.Column("state", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("why", TEXT, nullable=True),
        sa.Column("replay_id", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_seq", "endpoint_id", "run", "target_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "wh_dead",
        "wh_delivery",
        ["endpoint_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 3"),
        postgresql_where=sa.text("state = 3"),
    )
    op.create_index("wh_delivery_endpoint", "wh_delivery", ["endpoint_id", "id"], unique=False)
    op.create_index(
        "wh_delivery_replay",
        "wh_delivery",
        ["replay_id", "state"],
        unique=False,
        sqlite_where=sa.text("replay_id is not null"),
        postgresql_where=sa.text("replay_id is not null"),
    )
    op.create_index(
        "wh_due",
        "wh_delivery",
        ["endpoint_id", "queue", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_index(
        "wh_held",
        "wh_delivery",
        ["endpoint_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 1"),
        postgresql_where=sa.text("state = 1"),
    )
    op.create_index(
        "wh_order",
        "wh_delivery",
        ["endpoint_id", "order_key", "id"],
        unique=False,
        sqlite_where=sa.text("state < 2 and order_key <> ''"),
        postgresql_where=sa.text("state < 2 and order_key <> ''"),
    )


def _wh_event() -> None:
    op.create_table(
        "wh_event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=True),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("line_id", TEXT, nullable=True),
        sa.Column("peer", TEXT, nullable=True),
        sa.Column("message_id", TEXT, nullable=True),
        sa.Column("conversation_id", TEXT, nullable=True),
        sa.Column("trace_id", TEXT, nullable=True),
        sa.Column("data", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("wh_event_account", "wh_event", ["account_id", "txid", "seq"], unique=False)
    op.create_index(
        "wh_event_message",
        "wh_event",
        ["message_id"],
        unique=False,
        sqlite_where=sa.text("message_id is not null"),
        postgresql_where=sa.text("message_id is not null"),
    )


def _wh_lane() -> None:
    op.create_table(
        "wh_lane",
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("takeovers", TEXT, nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("breaker", TEXT, nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("last_ok_at", sa.BigInteger(), nullable=True),
        sa.Column("tries_since_ok", sa.BigInteger(), nullable=False),
        sa.Column("noticed", sa.BigInteger(), nullable=False),
        sa.Column("watch", TEXT, nullable=False),
        sa.Column("chore", TEXT, nullable=True),
        sa.Column("trying_id", sa.BigInteger(), nullable=True),
        sa.Column("trying_times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id"),
    )
    op.create_index(
        "wh_lane_chore",
        "wh_lane",
        ["endpoint_id"],
        unique=False,
        sqlite_where=sa.text("chore is not null"),
        postgresql_where=sa.text("chore is not null"),
    )


def _wh_node() -> None:
    op.create_table(
        "wh_node",
        sa.Column("node", TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )


def _wh_replay() -> None:
    op.create_table(
        "wh_replay",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("filter", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("wh_replay_account", "wh_replay", ["account_id", "id"], unique=False)
    op.create_index(
        "wh_replay_running",
        "wh_replay",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )


def _write_batch() -> None:
    op.create_table(
        "write_batch",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("key_sha256", TEXT, nullable=False),
        sa.Column("hint", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("replaces_id", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_sha256"),
    )
    op.create_index("api_key_account", "api_key", ["account_id"], unique=False)


def _basic_login() -> None:
    op.create_table(
        "basic_login",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("username_key", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("password_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username_key"),
    )
    op.create_index("basic_login_account", "basic_login", ["account_id"], unique=False)


def _device() -> None:
    op.create_table(
        "device",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("transport", TEXT, nullable=False),
        sa.Column("secret_sha256", TEXT, nullable=True),
        sa.Column("former_secret_sha256", TEXT, nullable=True),
        sa.Column("nonce", TEXT, nullable=True),
        sa.Column("nonce_before", TEXT, nullable=True),
        sa.Column("nonce_epoch", TEXT, nullable=True),
        sa.Column("credential_no", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.Column("suspended_reason", TEXT, nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("session_no", sa.BigInteger(), nullable=False),
        sa.Column("connect_counter", sa.BigInteger(), nullable=False),
        sa.Column("hub_epoch_seen", TEXT, nullable=True),
        sa.Column("stream", TEXT, nullable=True),
        sa.Column("recalled_epoch", TEXT, nullable=True),
        sa.Column("is_online", sa.Boolean(), nullable=False),
        sa.Column("online_since", sa.BigInteger(), nullable=True),
        sa.Column("offline_since", sa.BigInteger(), nullable=True),
        sa.Column("offline_reason", TEXT, nullable=True),
        sa.Column("is_announced", sa.Boolean(), nullable=False),
        sa.Column("pinged_at", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("quiet_seconds", sa.BigInteger(), nullable=True),
        sa.Column("manufacturer", TEXT, nullable=True),
        sa.Column("model", TEXT, nullable=True),
        sa.Column("os_version", TEXT, nullable=True),
        sa.Column("app_version", TEXT, nullable=True),
        sa.Column("permissions", TEXT, nullable=False),
        sa.Column("sends_mms", sa.Boolean(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("status_at", sa.BigInteger(), nullable=True),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("is_sandbox", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("device_account", "device", ["account_id", "id"], unique=False)
    op.create_index(
        "device_online",
        "device",
        ["id"],
        unique=False,
        sqlite_where=sa.text("is_online"),
        postgresql_where=sa.text("is_online"),
    )
    op.create_index("device_secret", "device", ["secret_sha256"], unique=False)
    op.create_index(
        "device_unannounced",
        "device",
        ["offline_since"],
        unique=False,
        sqlite_where=sa.text("is_announced and not is_online"),
        postgresql_where=sa.text("is_announced and not is_online"),
    )


def _device_return() -> None:
    op.create_table(
        "device_return",
        sa.Column("token_sha256", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index("device_return_device", "device_return", ["device_id"], unique=False)


def _enrolment() -> None:
    op.create_table(
        "enrolment",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("token_sha256", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_secret_sha256", TEXT, nullable=True),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("for_device_id", TEXT, nullable=True),
        sa.Column("is_sandbox", sa.Boolean(), nullable=False),
        sa.Column("transport", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_index("enrolment_account", "enrolment", ["account_id", "id"], unique=False)
    op.create_index("enrolment_expires", "enrolment", ["expires_at"], unique=False)


def _gateway() -> None:
    op.create_table(
        "gateway",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("sid", TEXT, nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.Column("sender", TEXT, nullable=True),
        sa.Column("line_ids", TEXT, nullable=False),
        sa.Column("status_url", TEXT, nullable=True),
        sa.Column("endpoint_id", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("gateway_account", "gateway", ["account_id", "id"], unique=False)
    op.create_index(
        "gateway_name",
        "gateway",
        ["name_key"],
        unique=True,
        sqlite_where=sa.text("deleted_at is null"),
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_index(
        "gateway_sid",
        "gateway",
        ["sid"],
        unique=True,
        sqlite_where=sa.text("deleted_at is null"),
        postgresql_where=sa.text("deleted_at is null"),
    )


def _hub_user() -> None:
    op.create_table(
        "hub_user",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("username", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("line_ids", TEXT, nullable=True),
        sa.Column("password_hash", TEXT, nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_pending", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("recovery_hashes", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username"),
    )
    op.create_index("hub_user_account", "hub_user", ["account_id"], unique=False)


def _line() -> None:
    op.create_table(
        "line",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("alias", TEXT, nullable=True),
        sa.Column("pool", TEXT, nullable=True),
        sa.Column("number", TEXT, nullable=True),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("device_id", TEXT, nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("slot", sa.BigInteger(), nullable=True),
        sa.Column("carrier", TEXT, nullable=True),
        sa.Column("fingerprint", TEXT, nullable=True),
        sa.Column("is_present", sa.Boolean(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("paused_reason", TEXT, nullable=True),
        sa.Column("awaiting_confirmation", sa.Boolean(), nullable=False),
        sa.Column("per_minute", sa.BigInteger(), nullable=False),
        sa.Column("per_hour", sa.BigInteger(), nullable=True),
        sa.Column("per_day", sa.BigInteger(), nullable=True),
        sa.Column("per_month", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("line_account", "line", ["account_id", "mark"], unique=False)
    op.create_index("line_device", "line", ["device_id"], unique=False)
    op.create_index("line_number", "line", ["account_id", "number"], unique=False)


def _mailbox() -> None:
    op.create_table(
        "mailbox",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("allowed_senders", TEXT, nullable=False),
        sa.Column("line_id", TEXT, nullable=True),
        sa.Column("has_subject", sa.Boolean(), nullable=False),
        sa.Column("needs_key", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("mailbox_account", "mailbox", ["account_id", "id"], unique=False)


def _wh_endpoint() -> None:
    op.create_table(
        "wh_endpoint",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("is_implicit", sa.Boolean(), nullable=False),
        sa.Column("gateway_id", TEXT, nullable=True),
        sa.Column("forwards_line_id", TEXT, nullable=True),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("template", TEXT, nullable=True),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("state_reason", TEXT, nullable=True),
        sa.Column("event_types", TEXT, nullable=False),
        sa.Column("device_ids", TEXT, nullable=False),
        sa.Column("line_ids", TEXT, nullable=False),
        sa.Column("peer_prefixes", TEXT, nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=True),
        sa.Column("auth", sa.LargeBinary(), nullable=True),
        sa.Column("signing", TEXT, nullable=False),
        sa.Column("timeout_seconds", sa.BigInteger(), nullable=False),
        sa.Column("max_inflight", sa.BigInteger(), nullable=False),
        sa.Column("rate_per_second", sa.BigInteger(), nullable=True),
        sa.Column("order_mode", TEXT, nullable=False),
        sa.Column("schedule", TEXT, nullable=False),
        sa.Column("max_age_seconds", sa.BigInteger(), nullable=True),
        sa.Column("success_rule", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("wh_endpoint_account", "wh_endpoint", ["account_id"], unique=False)
    op.create_index(
        "wh_endpoint_forwards",
        "wh_endpoint",
        ["account_id", "forwards_line_id"],
        unique=True,
        sqlite_where=sa.text("forwards_line_id is not null and deleted_at is null"),
        postgresql_where=sa.text("forwards_line_id is not null and deleted_at is null"),
    )


def _sign_in() -> None:
    op.create_table(
        "sign_in",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("account_id", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("token_sha256", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["hub_user.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_index("sign_in_expires", "sign_in", ["expires_at"], unique=False)
    op.create_index("sign_in_user", "sign_in", ["user_id"], unique=False)


CREATE = (
    _account,
    _batch,
    _batch_row,
    _carrier_text,
    _consent_change,
    _contact,
    _contact_number,
    _conversation,
    _credit_account,
    _credit_entry,
    _device_connection,
    _device_event,
    _device_gap,
    _device_notice,
    _device_stream,
    _hub_fact,
    _idempotency,
    _inbound_rule,
    _line_usage,
    _media,
    _media_content,
    _media_piece,
    _media_pull,
    _media_upload,
    _message,
    _opt_out,
    _sign_up,
    _smsgate_alias,
    _smsgate_message,
    _smsgate_recipient,
    _smsgate_settings,
    _smsgate_token,
    _smsgate_webhook,
    _snippet,
    _timeline,
    _user_link,
    _wh_attempt,
    _wh_delivery,
    _wh_event,
    _wh_lane,
    _wh_node,
    _wh_replay,
    _write_batch,
    _api_key,
    _basic_login,
    _device,
    _device_return,
    _enrolment,
    _gateway,
    _hub_user,
    _line,
    _mailbox,
    _wh_endpoint,
    _sign_in,
)
