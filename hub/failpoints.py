"""Named places where a test can kill the process, to prove what a crash there leaves behind.

`HUB_FAILPOINTS="bind.committed=3"` kills the process with SIGKILL at the third passage of that place. The variable is refused unless
`HUB_TEST_BUILD=1` says that this is a test: an installed hub cannot be made to kill itself by its environment alone.
"""

import os
import signal
import threading

NAMES = frozenset(
    {
        "accept.before_commit",
        "accept.after_commit",
        "offer.committed",
        "accepted.read",
        "bind.committed",
        "go.sent",
        "list.committed",
        "carried.stored",
        "mail.taken",
        "media.stored",
        "media.brought",
        "event.stored",
        "event.before_ack",
        "delivery.sent",
        "delivery.recorded",
        "batch.before_commit",
        "batch.after_commit",
    }
)
"""Every place there is; docs/contributing.md says what each one proves."""

_lock = threading.Lock()


def _armed() -> dict[str, int]:
    text = os.environ.get("HUB_FAILPOINTS", "")
    if not text:
        return {}
    if os.environ.get("HUB_TEST_BUILD") != "1":
        raise SystemExit("HUB_FAILPOINTS is for tests only: unset it, or set HUB_TEST_BUILD=1.")
    armed: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        if name not in NAMES:
            raise SystemExit(f"HUB_FAILPOINTS names {name!r}: there is {', '.join(sorted(NAMES))}.")
        armed[name] = int(count or "1")
    return armed


_passages = _armed()


def failpoint(name: str) -> None:
    """Kill this process here if the environment asked for it; otherwise nothing, at the cost of one truth test."""
    if not _passages or name not in _passages:
        return
    with _lock:
        _passages[name] -= 1
        if _passages[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
