"""The pages of the documentation that are drawn from tables of this package; a test compares them with what is stored in `docs/`."""

from collections.abc import Iterable, Sequence

from hub.core import segments, status
from hub.core.errors import CATALOGUE
from hub.core.events import EVENT_OF
from hub.core.results import BY_CODE, BY_REASON, TP_REASONS, Action
from hub.core.status import FINAL, MOVES, Status

_MEANINGS = {
    Status.SCHEDULED: "Waits for its time.",
    Status.QUEUED: "In the hub, waiting for a phone.",
    Status.DISPATCHED: "A phone holds it as its own, not yet sent.",
    Status.UNCERTAIN: "It may have reached the radio; nobody knows. Never sent again by itself.",
    Status.RETRIED: "A try failed for a passing reason; waits for the next.",
    Status.SENT: "The network took every segment. Often the last thing a carrier tells.",
    Status.DELIVERED: "The handset confirmed every segment.",
    Status.UNDELIVERED: "It left, and the network gave up delivering it.",
    Status.FAILED: "Refused for good, in whole or in part.",
    Status.CANCELLED: "Stopped before the radio.",
    Status.EXPIRED: "Its time was over before the radio.",
    Status.DEAD_LETTER: "Tries used up; kept, and an operator may put it back into the queue.",
    Status.RECEIVED: "The single state of an inbound message.",
}
_ACTIONS = {
    Action.NONE: "nothing",
    Action.RETRY_LATER: "tried again after a wait",
    Action.RETRY_OTHER: "tried again, on another line first",
    Action.PAUSE_LINE: "the line is paused and slowed, then tried again",
    Action.DISABLE_LINE: "the line is taken out of routing; tried on another",
    Action.FAIL: "fails",
    Action.UNCERTAIN: "uncertain",
}


def states_page() -> str:
    """`docs/states.md`."""
    return "\n".join(
        [
            "# States of a message",
            "",
            "One message has one recipient and one state. Drawn from `hub/core/status.py`; do not edit this page by hand:",
            "`.venv/bin/python -c \"import hub.core.pages as p; print(p.states_page(), end='')\" > docs/states.md`",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *_diagram(),
            "```",
            "",
            *_table(("State", "Means", "May become", "Customer event"), map(_state_row, Status)),
            "## Rules",
            "",
            *_rules(status.__doc__ or "", "Rules of the table:"),
            "",
            "## From segments to one state",
            "",
            "A long text travels as several segments, and each is reported by itself.",
            "",
            *_rules(segments.__doc__ or "", "Rules of the whole:"),
            "",
            "## Reasons",
            "",
            "A retry happens only when every segment was refused before the air. Codes are Android's `SmsManager` results.",
            "",
            *_table(("Reason", "Why", "What follows", "Uses up a try", "Android codes"), map(_reason_row, BY_REASON)),
            "Any other code fails as `unknown_<code>`. A generic failure (1) with a network cause is `carrier_reject`; without one it is",
            "`generic_failure`, which is tried again only where the account has chosen `retry_generic`.",
            "",
            "Reasons of `undelivered` come from the network's delivery report (3GPP TS 23.040, TP-Status):",
            "",
            *_table(("Reason", "Why"), ((f"`{word}`", dlr.why) for word, dlr in TP_REASONS.items())),
        ]
    )


def errors_page() -> str:
    """`docs/errors.md`."""
    rows = (
        (
            f"`{problem.code}`",
            str(problem.status),
            problem.title,
            "yes" if problem.retryable else "no",
            problem.what_to_do,
        )
        for problem in CATALOGUE.values()
    )
    return "\n".join(
        [
            "# Problems",
            "",
            "Every error of the API is one of these. REST v1 answers `application/problem+json` (RFC 9457): `type` ends in the code,",
            "`title` and `status` are the ones below, `detail` says what is particular to this case, `errors` lists fields with a `field`,",
            "a `code` and a `message`. The other doors say the same in their vendor's words. Drawn from `hub/core/errors.py`; do not edit",
            "by hand: `.venv/bin/python -c \"import hub.core.pages as p; print(p.errors_page(), end='')\" > docs/errors.md`",
            "",
            '"Again" says whether the same request, unchanged, may succeed later.',
            "",
            *_table(("Code", "HTTP", "Title", "Again", "What to do"), rows),
        ]
    )


def _diagram() -> Iterable[str]:
    yield "    [*] --> scheduled"
    yield "    [*] --> queued"
    yield "    [*] --> received"
    for before in Status:
        for after in Status:
            if after in MOVES[before]:
                yield f"    {before} --> {after}"
    for ended in Status:
        if ended in FINAL:
            yield f"    {ended} --> [*]"


def _state_row(state: Status) -> tuple[str, ...]:
    targets = ", ".join(f"`{after}`" for after in Status if after in MOVES[state])
    event = EVENT_OF.get(state)
    return f"`{state}`", _MEANINGS[state], targets or "nothing: it has ended", f"`{event}`" if event else ""


def _reason_row(reason: str) -> tuple[str, ...]:
    result = BY_REASON[reason]
    codes = [str(code) for code in sorted(BY_CODE) if BY_CODE[code] is result]
    codes += {"sent": ["-1"], "generic_failure": ["1"], "carrier_reject": ["1 with a network cause"]}.get(reason, [])
    uses = "yes" if result.uses_try else ""
    return f"`{reason}`", result.why, _ACTIONS[result.action], uses, ", ".join(codes)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _rules(docstring: str, heading: str) -> list[str]:
    """The numbered rules under a heading of a module's docstring, as a Markdown list."""
    rules = docstring.split(heading, 1)[1].strip("\n").split("\n\n")[0]
    items: list[str] = []
    for line in rules.splitlines():
        number, dot, rule = line.strip().partition(". ")
        if dot and number.isdigit():
            items.append(f"{number}. {rule}")
        else:
            items[-1] += f" {line.strip()}"
    return items
