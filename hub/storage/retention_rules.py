"""How long each table keeps its rows. Every table is named here: swept, ended by the room that owns it, or kept with a reason.

Nothing grows without bound. What is old is found through a key or an index that is there anyway, oldest first, so that a
sweep reads what it deletes and nothing else: ids are made from time, numbers rise with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from hub.config import Config

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that stay for ever."""

    because: str


@dataclass(frozen=True, slots=True)
class EndedElsewhere:
    """Rows that go with something else."""

    by: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """Rows that are deleted when they are old.

    `found` selects the keys (and whatever `before` and `after` need) of at most `:most` rows to delete, given `:cutoff` (ms)
    and `:cutoff_id` (the lowest id of that moment). Where only a rising number is indexed, it selects the next `:most` rows
    above `:above` instead, with `is_old` and `may_go` beside them, and the sweep goes on above the last one.
    """

    what: str
    seconds: Callable[[Config], float]
    """0 keeps them for ever."""
    key: tuple[str, ...]
    found: str
    before: tuple[str, ...] = ()
    """Deletes to run for each row before its own."""
    after: tuple[str, ...] = ()
    """Deletes to run for each row after its own."""
    still: str = ""
    """What has to hold of a row when it goes, besides its key. For rows that come into use again: on PostgreSQL what was found is locked
    before this is looked at, and a row that somebody has locked is left for another time."""

    @property
    def is_by_number(self) -> bool:
        """Whether `found` walks upwards instead of finding old rows at once."""
        return ":above" in self.found


Rule: TypeAlias = Kept | EndedElsewhere | Sweep


def _messages(config: Config) -> float:
    return config.keep_messages_days * DAY_SECONDS


def _events(config: Config) -> float:
    return config.keep_events_days * DAY_SECONDS


def _attempts(config: Config) -> float:
    return config.keep_attempts_days * DAY_SECONDS


def _device_events(config: Config) -> float:
    """At least 8 days: phones send again what they hold, up to 7 days back, and a duplicate is known by its stored event."""
    days = config.keep_device_events_days
    return max(days, 8) * DAY_SECONDS if days else 0


def _carried(config: Config) -> float:
    """As long as texts: what is posted to a gateway names no time, so a post that somebody kept would be as good as new later."""
    days = config.keep_messages_days
    return max(days, 7) * DAY_SECONDS if days else 0


def _days(days: float) -> Callable[[Config], float]:
    return lambda _config: days * DAY_SECONDS


_OLD_ID = "select id from {table} where id < :cutoff_id {unless} order by id limit :most"

MEDIA_GOES = (
    "delete from media_content where account_id = :account_id and sha256 = :sha256"
    " and (loose_since is null or loose_since < :cutoff) and not exists (select 1 from media"
    " where media.account_id = media_content.account_id and media.sha256 = media_content.sha256)",
    "delete from media_piece where account_id = :account_id and sha256 = :sha256 and not exists"
    " (select 1 from media_content where account_id = :account_id and sha256 = :sha256)",
)
"""After an attachment: its bytes, unless another one has them too, or they came in again a moment ago."""

_NO_DELIVERY = "not exists (select 1 from wh_delivery d where d.endpoint_id = wh_endpoint.id)"
# Rotating, choosing a key and switching on raise the version; but for the hub's own switching off, 1 says that nobody has done anything,
# and that nobody has seen the secret. A gateway's is not the endpoint's own.
_UNUSED_TARGET = (
    "(deleted_at is null and is_implicit and updated_at < :cutoff"
    " and (gateway_id is not null or version = 1 or (version = 2 and state = 'disabled'))"
    " and not exists (select 1 from wh_lane l where l.endpoint_id = wh_endpoint.id"
    " and (l.last_ok_at >= :cutoff or l.failing_since >= :cutoff or l.lease_until >= :cutoff)))"
)

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "account": Kept("one row per customer"),
        "gateway": Kept("one row per gateway; a deleted one still signs what its texts are told with"),
        "inbound_rule": Kept("one row per number that has a rule"),
        "mailbox": Kept("a handful per account"),
        "basic_login": Kept("one row per login; deleting a login deletes its row"),
        "api_key": Kept("one row per key: a revoked key still explains what was done with it"),
        "smsgate_settings": Kept("one row per account that set something"),
        "smsgate_alias": Kept("one row per phone and user moved in from another server: clients go on using those ids"),
        "smsgate_webhook": Kept("one row per webhook; deleting a webhook deletes its row"),
        "smsgate_token": Sweep(
            "Tokens of the sms-gate.app API, counted from when they were given (a refresh token lives 30 days)",
            _days(32),
            ("id",),
            "select id from smsgate_token where id < :cutoff_id order by id limit :most",
        ),
        "hub_fact": Kept("a handful of facts"),
        "hub_user": Kept("one row per person: their name explains what they did"),
        "device": Kept("one row per phone: its texts and threads name it"),
        "device_return": Kept("one row per phone that registers by itself: what stands in its settings"),
        "device_stream": Kept(
            "one row per event stream of a phone; a phone begins a new one only when its storage went back"
        ),
        "line": Kept("one row per SIM, or number of a carrier: its threads name it"),
        "contact": Kept("what people wrote down of a person"),
        "contact_number": Kept("with its contact"),
        "opt_out": Kept("one row per number that asked to hear no more"),
        "consent_change": Kept("proof of who asked for what and when"),
        "snippet": Kept("a handful per account"),
        "credit_account": Kept("one row per account that pays for its texts"),
        "credit_entry": Sweep(
            "The ledger of credits, once the text of an entry has ended; what is swept stays in the balance",
            _messages,
            ("id",),
            "select id, account_id, amount_micros from credit_entry where id < :cutoff_id"
            " and not exists (select 1 from message where message.id = credit_entry.message_id and final_at is null)"
            " order by id limit :most",
            before=(
                "update credit_account set settled_micros = settled_micros + :amount_micros where account_id = :account_id",
            ),
        ),
        "wh_lane": EndedElsewhere("with its endpoint"),
        "wh_delivery": EndedElsewhere("with its event"),
        "conversation": EndedElsewhere("with its last text"),
        "idempotency": EndedElsewhere("24 hours after the last text of the request has ended"),
        "message": Sweep(
            "Texts that have ended, counted from when they were accepted or received",
            _messages,
            ("id",),
            "select id, conversation_id from message where id < :cutoff_id and (final_at is not null or direction = 'mo')"
            " order by id limit :most",
            after=(
                "delete from conversation where id = :conversation_id and last_at < :cutoff"
                " and not exists (select 1 from message where conversation_id = :conversation_id)",
            ),
        ),
        "media": Sweep(
            "What was attached to texts, once those are gone",
            _messages,
            ("id",),
            "select id, account_id, sha256 from media where id < :cutoff_id"
            " and not exists (select 1 from message where message.id = media.message_id) order by id limit :most",
            after=MEDIA_GOES,
        ),
        "media_content": Sweep(
            "Bytes of attachments that no text names; the others go with the last text that does",
            _days(1),
            ("account_id", "sha256"),
            "select account_id, sha256 from media_content where loose_since < :cutoff and not exists (select 1 from media"
            " where media.account_id = media_content.account_id and media.sha256 = media_content.sha256)"
            " order by loose_since limit :most",
            before=("delete from media_piece where account_id = :account_id and sha256 = :sha256",),
        ),
        "media_piece": EndedElsewhere("with its `media_content`"),
        "media_pull": EndedElsewhere("when what a carrier attached is here, or given up after six hours"),
        "media_upload": Sweep(
            "What programs uploaded to attach: what was sent has rows of its own",
            _days(1),
            ("id",),
            _OLD_ID.format(table="media_upload", unless=""),
        ),
        "smsgate_recipient": EndedElsewhere("with its `smsgate_message`"),
        "smsgate_message": Sweep(
            "Messages as clients of the sms-gate.app API see them, once their texts are gone",
            _messages,
            ("id",),
            _OLD_ID.format(
                table="smsgate_message",
                unless="and not exists (select 1 from smsgate_recipient join message on message.id = smsgate_recipient.message_id"
                " where smsgate_recipient.parent_id = smsgate_message.id)",
            ),
            after=("delete from smsgate_recipient where parent_id = :id",),
        ),
        "timeline": Sweep(
            "What happened to a text, step by step",
            _messages,
            ("id",),
            "select id, at < :cutoff as is_old, true as may_go from timeline where id > :above order by id limit :most",
        ),
        "batch": Sweep(
            "Requests to many recipients, once their texts are gone",
            _messages,
            ("id",),
            _OLD_ID.format(
                table="batch", unless="and not exists (select 1 from message where message.batch_id = batch.id)"
            ),
            before=("delete from batch_row where batch_id = :id",),
        ),
        "carrier_text": Sweep(
            "By what a text that a carrier posts again is known, as long as the text (at least 7 days)",
            _carried,
            ("account_id", "door", "key"),
            "select account_id, door, key from carrier_text where received_at < :cutoff order by received_at limit :most",
        ),
        "batch_row": EndedElsewhere("with its batch"),
        "device_gap": Sweep(
            "Event numbers a phone no longer had", _messages, ("id",), _OLD_ID.format(table="device_gap", unless="")
        ),
        "device_notice": Sweep(
            "Notices about phones", _messages, ("id",), _OLD_ID.format(table="device_notice", unless="")
        ),
        "wh_event": Sweep(
            "Customer events with their deliveries; one whose delivery has not ended stays",
            _events,
            ("seq",),
            "select e.seq, e.created_at < :cutoff as is_old,"
            " not exists (select 1 from wh_delivery d where d.event_seq = e.seq and d.state < 2) as may_go"
            " from wh_event e where e.seq > :above order by e.seq limit :most",
            before=("delete from wh_delivery where event_seq = :seq and state >= 2",),
        ),
        "wh_attempt": Sweep(
            "Tries of webhook deliveries, with what was answered",
            _attempts,
            ("id",),
            "select id, started_at < :cutoff as is_old, true as may_go from wh_attempt where id > :above"
            " order by id limit :most",
        ),
        "wh_replay": Sweep(
            "Replays that have ended",
            _events,
            ("id",),
            _OLD_ID.format(table="wh_replay", unless="and state <> 'running'"),
        ),
        "wh_endpoint": Sweep(
            "Deleted endpoints, once nothing is left to show for them, and those that the hub made for texts' own targets, once those were "
            "not used for so long and no delivery is left. One whose signing secret somebody was given stays: it must not change",
            _days(90),
            ("id",),
            f"select id from wh_endpoint where (deleted_at < :cutoff or {_UNUSED_TARGET}) and {_NO_DELIVERY}"
            " order by id limit :most",
            still=_NO_DELIVERY,
            after=(
                "delete from wh_lane where endpoint_id = :id"
                " and not exists (select 1 from wh_endpoint where wh_endpoint.id = wh_lane.endpoint_id)",
            ),
        ),
        "wh_node": Sweep(
            "Hub processes that have stopped",
            _days(1),
            ("node",),
            "select node from wh_node where seen_at < :cutoff order by node limit :most",
        ),
        "device_event": Sweep(
            "Events as phones sent them (at least 8 days, so that one that is sent again is known)",
            _device_events,
            ("device_id", "uuid"),
            "select device_id, uuid from device_event where received_at < :cutoff order by received_at limit :most",
        ),
        "device_connection": Sweep(
            "Connections of phones",
            _days(90),
            ("device_id", "session_no"),
            "select device_id, session_no from device_connection where connected_at < :cutoff"
            " order by connected_at limit :most",
        ),
        "line_usage": Sweep(
            "Segments handed to a line, for pace and budgets (the longest budget is a month)",
            _days(40),
            ("line_id", "at"),
            "select line_id, at from line_usage where at < :cutoff order by at limit :most",
        ),
        "enrolment": Sweep(
            "Enrolment codes, counted from their expiry",
            _days(30),
            ("id",),
            "select id from enrolment where expires_at < :cutoff order by expires_at limit :most",
        ),
        "sign_in": Sweep(
            "Browsers people were signed in with, once that has ended",
            _days(1),
            ("id",),
            "select id from sign_in where expires_at < :cutoff order by expires_at limit :most",
        ),
        "user_link": Sweep(
            "One-time links of people, counted from their expiry",
            _days(1),
            ("token_sha256",),
            "select token_sha256 from user_link where expires_at < :cutoff order by expires_at limit :most",
        ),
        "sign_up": Sweep(
            "People who signed up and never confirmed their address",
            _days(1),
            ("token_sha256",),
            "select token_sha256 from sign_up where expires_at < :cutoff order by expires_at limit :most",
        ),
        "write_batch": Sweep(
            "Numbers of committed batches, asked for only after a commit whose answer was lost",
            _days(1 / 24),
            ("id",),
            _OLD_ID.format(table="write_batch", unless=""),
        ),
    }
)


def as_markdown(config: Config) -> str:
    """The table of docs/operate/retention.md."""
    rows = (f"| `{name}` | {_in_words(rule, config)} |" for name, rule in sorted(RULES.items()))
    return "\n".join(["| table | kept | what it holds |", "| --- | --- | --- |", *rows]) + "\n"


def _in_words(rule: Rule, config: Config) -> str:
    match rule:
        case Sweep():
            return f"{_span(rule.seconds(config))} | {rule.what}"
        case EndedElsewhere():
            return f"goes {rule.by} | "
        case Kept():
            return f"for ever | {rule.because}"


def _span(seconds: float) -> str:
    if not seconds:
        return "for ever"
    hours = round(seconds / 3600)
    if hours % 24:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return "1 day" if hours == 24 else f"{hours // 24} days"
