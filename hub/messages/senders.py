"""Which line a text would leave by, and why, before it is sent: the same choice that accepting it makes."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from hub.core.address import Address
from hub.core.clock import UtcMs
from hub.core.commands import ByLine, Sender
from hub.core.routing import Choice, NoLine
from hub.messages.lines import LineBook, Wish
from hub.storage.consent import OptOutRow, opted_out
from hub.storage.transaction import Tx


class SenderView(msgspec.Struct, frozen=True, kw_only=True):
    """The line, or none; what it waits for, when it cannot send now; and whether the peer asked for no more texts."""

    peer: str
    line_id: str | None
    why: str
    sentence: str
    obstacle: NoLine | None
    opted_out: OptOutRow | None


def preview_sender(
    conn: Connection,
    account_id: str,
    recipient: Address,
    sender: Sender,
    segments: int,
    *,
    needs_mms: bool = False,
    now: UtcMs,
    new_id: Callable[[], str],
) -> SenderView:
    """What accepting this text (an MMS, with `needs_mms`) now would choose. Nothing is stored."""
    tx = Tx(conn, now, "sqlite" if conn.dialect.name == "sqlite" else "postgresql", new_id)
    peer = recipient.value
    book = LineBook(tx)
    wish = Wish(account_id, sender, peer, needs_mms)
    book.read_for([wish])
    routed = book.choose_to_wait(wish, segments)
    out = opted_out(conn, [account_id], [peer]).get((account_id, peer))
    if isinstance(routed, NoLine):
        return SenderView(
            peer=peer, line_id=None, why=routed.reason, sentence=routed.sentence, obstacle=routed, opted_out=out
        )
    return SenderView(
        peer=peer,
        line_id=routed.line_id,
        why=routed.why,
        sentence=routed.sentence,
        obstacle=_obstacle(book, wish, routed, segments),
        opted_out=out,
    )


def _obstacle(book: LineBook, wish: Wish, choice: Choice, segments: int) -> NoLine | None:
    """Why the chosen line cannot send at once."""
    now = book.choose(wish._replace(sender=ByLine(choice.line_id)), segments)
    return now if isinstance(now, NoLine) else None
