"""`hub webhook listen` and `forward`: tools for whoever writes a receiver. They need no database and run beside a hub or far from it."""

from __future__ import annotations

import asyncio
import secrets as random_secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from hub.config import ConfigurationError
from hub.core.errors import HubError
from hub.core.events import EventType

if TYPE_CHECKING:
    from hub.workbench.feed import Feed
    from hub.workbench.forward import Forwarder
    from hub.workbench.listen import Listener

app = typer.Typer(help="Webhooks, and tools for whoever writes a receiver of them.", no_args_is_help=True)

KEY_BYTES = 32

Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", envvar="WEBHOOK_SECRET", help="The webhook's secret, whsec_…; two while one is rotated."),
]


@app.command()
def listen(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8099,
    secret: Secrets = None,
    answers: Annotated[
        str,
        typer.Option(help="How to misbehave, such as 500*3,slow:10,hang,redirect,wrong-ack,drop,410,429:30; then 200."),
    ] = "",
    headers: Annotated[bool, typer.Option("--headers", help="Show all request headers too.")] = False,
) -> None:
    """Receive webhooks on this machine and look at each.

    Shows each, and says whether it is genuine.
    """
    from hub.clock import SystemClock
    from hub.workbench.faults import Plan
    from hub.workbench.listen import Listener
    from hub.workbench.verify import read_secret

    try:
        plan = Plan(answers)
        known = [read_secret(text) for text in secret or _asked("Secret of the webhook (empty: do not verify)")]
    except ValueError as error:
        _fail(str(error))
    listener = Listener(known, plan, SystemClock(), _say, with_headers=headers)
    with suppress(KeyboardInterrupt):
        asyncio.run(_listen(listener, port, verifies=bool(known)))


async def _listen(listener: Listener, port: int, *, verifies: bool) -> None:
    try:
        url = await listener.start(port)
    except (OSError, OverflowError) as error:
        _fail(f"cannot listen on 127.0.0.1:{port}: {getattr(error, 'strerror', None) or error}. Try --port 0.")
    _say(f"Listening on {url}   Ctrl-C stops it")
    _say("A hub on this machine sends here when it runs with HUB_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8;")
    _say("from a hub elsewhere: hub webhook forward " + url)
    _say("" if verifies else "No secret was given (--secret, or WEBHOOK_SECRET): signatures are not checked.\n")
    try:
        await asyncio.Event().wait()
    finally:
        await listener.stop()


@app.command()
def forward(
    url: Annotated[str, typer.Argument(help="Where to post, such as http://127.0.0.1:3000/hook")],
    hub: Annotated[str, typer.Option(envvar="HUB", help="The hub's address.")] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="KEY", help="API key with the scope events:read.")] = "",
    secret: Annotated[
        str, typer.Option(envvar="WEBHOOK_SECRET", help="Sign with this whsec_…; without it one is made and shown.")
    ] = "",
    format: Annotated[str, typer.Option(help="standard or smsgate.")] = "standard",
    type: Annotated[list[EventType] | None, typer.Option(help="Only these events; may be given several times.")] = None,
    after: Annotated[str, typer.Option(help="Begin after this cursor instead of now.")] = "",
    state: Annotated[
        Path | None, typer.Option(help="Keep the place in this file, and go on from it next time.", dir_okay=False)
    ] = None,
    tries: Annotated[int, typer.Option(min=1, max=50, help="Posts of one event before it is given up.")] = 8,
    ca: Annotated[
        Path | None, typer.Option(help="Trust this certificate of the hub (HUB_TLS=auto).", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Post a hub's events to a receiver it cannot reach.

    Such as a laptop behind NAT; each looks as a webhook would.
    """
    from hub.clock import SystemClock
    from hub.webhooks.formats import BUILT_IN
    from hub.webhooks.signing import secret_text
    from hub.webhooks.targets import Guard, check_url
    from hub.workbench.feed import Feed
    from hub.workbench.forward import LOCAL_NETWORKS, Cursor, Forwarder, Route
    from hub.workbench.verify import read_secret

    try:
        check_url(url, Guard(LOCAL_NETWORKS))
    except HubError as error:
        _fail(f"{url}: {error.detail}")
    if not hub.startswith(("http://", "https://")):
        _fail(f"--hub is {hub!r}: give a whole address such as https://hub.example.org")
    if format not in BUILT_IN:
        _fail(f"--format is {format!r}: use {' or '.join(BUILT_IN)}.")
    text = secret or secret_text(random_secrets.token_bytes(KEY_BYTES))
    try:
        hmac_key = read_secret(text).hmac_key
    except ValueError as error:
        _fail(str(error))
    if hmac_key is None:
        _fail("--secret has to be a webhook's secret: whsec_ and base64. Leave it out to have one made.")
    known = key or "".join(_asked("API key of the hub (hub_…)"))
    if not known.isascii() or not known.strip():
        _fail(
            "give an API key: --key, or KEY in the environment. Make one with: hub key create laptop --scope events:read"
        )
    try:
        cursor = Cursor(state, after or None)
    except OSError as error:
        _fail(f"cannot read {state}: {error.strerror}.")
    _say(f"Posting events of {hub} to {url}   Ctrl-C stops it")
    _say(f"Signed with the secret {text if not secret else '…' + text.rstrip('=')[-4:]}")
    _say(f"Beginning after {cursor.value}\n" if cursor.value else "Beginning with what happens from now on\n")
    clock = SystemClock()
    feed = Feed(
        hub,
        known.strip(),
        _say,
        cursor=cursor.value,
        types=[str(kind) for kind in type or ()],
        ca=str(ca) if ca else None,
    )
    _run(Forwarder(Route(url, BUILT_IN[format], hmac_key, tries), cursor, clock, _say), feed)
    if cursor.value:
        _say(f"\nTo go on from here: --after {cursor.value}")


def _run(forwarder: Forwarder, feed: Feed) -> None:
    from hub.workbench.feed import StreamRefused

    try:
        asyncio.run(forwarder.run(feed))
    except StreamRefused as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot keep the place: {error}")
    except KeyboardInterrupt:
        return


def _asked(question: str) -> list[str]:
    """What the person at the keyboard types, unseen; nothing when there is none."""
    if not sys.stdin.isatty():
        return []
    answer: str = typer.prompt(question, default="", hide_input=True, show_default=False)
    return [answer] if answer.strip() else []


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(sentence: str) -> NoReturn:
    raise ConfigurationError(sentence)
