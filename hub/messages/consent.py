"""Opt-outs: a peer that asked to hear no more gets nothing more, until it asks again or a person lifts it.

It holds for the whole account, over all its lines. What still waits in the hub for that peer is cancelled in the same transaction;
what a phone already has is asked back. Nothing is answered to the peer by the hub itself.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from hub.core.clock import UtcMs
from hub.core.consent import asked_by
from hub.core.effects import Effect, LiveHint
from hub.core.text import sanitise
from hub.messages.cancel import ask_phones, cancel_entry
from hub.messages.ledger import Entry, Ledger
from hub.storage import consent as stored
from hub.storage.consent import ChangeRow, OptOutRow
from hub.storage.transaction import Done, Refused, Tx

BY_PEER = "peer"
MOST_CHANGES = 50


class ChangeConsent(msgspec.Struct, frozen=True, kw_only=True):
    """Note that a peer wants no more texts, or wants them again. `by` names who of the account noted it."""

    account_id: str
    peer: str
    is_out: bool
    by: str

    def keys(self) -> tuple[str, ...]:
        """What orders this command."""
        return (f"consent:{self.account_id}:{self.peer}",)


class Heard(NamedTuple):
    """A text of a peer."""

    account_id: str
    peer: str
    text: str
    at: UtcMs


class ConsentView(msgspec.Struct, frozen=True):
    """Whether a peer may be texted, and how that came: the newest changes, oldest first."""

    peer: str
    out: OptOutRow | None
    changes: tuple[ChangeRow, ...]


def read_consent(conn: Connection, account_id: str, peer: str) -> ConsentView:
    """What a peer wants."""
    out = stored.opted_out(conn, [account_id], [peer]).get((account_id, peer))
    return ConsentView(peer, out, tuple(stored.list_changes(conn, account_id, peer, MOST_CHANGES)))


def change_consent(tx: Tx, commands: Sequence[ChangeConsent]) -> list[Done[ConsentView] | Refused]:
    """Note what people were told. Noting what is so already changes nothing."""
    wishes = [
        ChangeRow(tx.new_id(), one.account_id, one.peer, tx.now, one.is_out, None, sanitise(one.by)) for one in commands
    ]
    effects = _note(tx, wishes)
    outcomes: list[Done[ConsentView] | Refused] = []
    for command in commands:
        outcomes.append(Done(read_consent(tx.conn, command.account_id, command.peer), effects))
        effects = ()
    return outcomes


def hear(tx: Tx, texts: Sequence[Heard]) -> tuple[Effect, ...]:
    """Take texts that are nothing but a word for "no more" or "again" as what they ask for."""
    wishes = [
        ChangeRow(tx.new_id(), one.account_id, one.peer, one.at, asked == "out", one.text.strip(), BY_PEER)
        for one in texts
        if (asked := asked_by(one.text)) is not None
    ]
    return _note(tx, wishes) if wishes else ()


def _note(tx: Tx, wishes: Sequence[ChangeRow]) -> tuple[Effect, ...]:
    """Store what is news."""
    accounts, peers = {wish.account_id for wish in wishes}, {wish.peer for wish in wishes}
    out = set(stored.opted_out(tx.conn, accounts, peers))
    news: list[ChangeRow] = []
    for wish in wishes:
        who = (wish.account_id, wish.peer)
        if wish.is_out != (who in out):
            news.append(wish)
            out ^= {who}
    stored.write_consent(tx, news)
    threads = stored.threads_with(tx.conn, accounts, peers) if news else {}
    hints = tuple(
        LiveHint(account_id, "conversation", id_)
        for account_id, peer in dict.fromkeys((change.account_id, change.peer) for change in news)
        for id_ in threads.get((account_id, peer), ())
    )
    return (*_stop_waiting(tx, {(one.account_id, one.peer) for one in news if one.is_out} & out), *hints)


def _stop_waiting(tx: Tx, peers: Collection[tuple[str, str]]) -> tuple[Effect, ...]:
    """Cancel what still waits for these peers."""
    if not peers:
        return ()
    waiting = stored.waiting_for(tx.conn, {one[0] for one in peers}, {one[1] for one in peers})
    texts = [(account_id, id_) for account_id, peer, id_ in waiting if (account_id, peer) in peers]
    ledger = Ledger(tx, texts)
    asked: list[Entry] = []
    for account_id, id_ in texts:
        entry = ledger.find(account_id, id_)
        if entry is not None:
            cancel_entry(ledger, entry, "opt_out", asked)
    return (*ledger.close(), *ask_phones(tx, asked))
