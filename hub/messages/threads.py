"""Which thread a message is in: one per line and peer, with an id that follows from them."""

import hashlib
from functools import lru_cache

from hub.core.ids import from_hex30
from hub.storage.conversations import Touch


@lru_cache(maxsize=8192)
def conversation_id(account_id: str, line_id: str, peer: str) -> str:
    """The id of the thread between this line and this peer.

    A hash, so that it is known without a look-up and two processes that open the thread at once mean the same row.
    """
    return from_hex30(hashlib.blake2b(f"{account_id}\n{line_id}\n{peer}".encode(), digest_size=15).hexdigest())


def merged(touches: list[Touch]) -> list[Touch]:
    """One touch per thread, the last message's with the unread texts of all; in the order of the messages given."""
    by_id: dict[str, Touch] = {}
    for touch in touches:
        before = by_id.get(touch.id)
        by_id[touch.id] = touch if before is None else touch._replace(unread=before.unread + touch.unread)
    return list(by_id.values())
