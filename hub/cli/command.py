"""The `hub` command itself: its words of one, and where the others hang."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hub.cli import (
    accounts,
    credits,
    devices,
    doctor,
    forwarding,
    gateways,
    keys,
    logins,
    subscriptions,
    users,
    webhooks,
)
from hub.cli.asking import AsJson, InAccount, ask, show
from hub.cli.progress import ProgressLine
from hub.clock import SystemClock
from hub.config import Config, ConfigurationError, as_markdown, read_config
from hub.core.errors import Code, HubError
from hub.log import configure_logs

app = typer.Typer(
    name="hub",
    help="Handset Hub: ordinary Android phones as one dependable SMS gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(accounts.app, name="account")
app.add_typer(keys.app, name="key")
app.add_typer(logins.app, name="login")
import_app = typer.Typer(help="Move in from another server.", no_args_is_help=True)
app.add_typer(import_app, name="import")
app.add_typer(users.app, name="user")
app.add_typer(gateways.app, name="gateway")
app.add_typer(forwarding.app, name="forward")
subscriptions.add_to(webhooks.app)
app.add_typer(webhooks.app, name="webhook")
app.add_typer(webhooks.app, name="webhooks", hidden=True)
app.add_typer(devices.app, name="device")
app.add_typer(credits.app, name="credits")


NO_WRITES = "The database takes no writes: look whether it runs, its disk is full, or another program holds it. Nothing was changed."


def main() -> None:
    """Entry point: errors are one sentence on standard error, without a traceback."""
    configure_logs("warning", "console", SystemClock().now)  # to standard error; `hub serve` sets what its settings say
    try:
        app()
    except ConfigurationError as error:
        _fail(str(error))
    except HubError as error:
        _fail(NO_WRITES if error.code is Code.STORAGE_UNAVAILABLE else error.detail)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}.")
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(sentence: str) -> NoReturn:
    print(f"hub: {sentence}", file=sys.stderr)
    sys.exit(1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HUB_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (HUB_PORT).")] = None,
    tls: Annotated[str | None, typer.Option(help="off, auto or files (HUB_TLS).")] = None,
    accept_lost_key: Annotated[
        bool,
        typer.Option(
            "--accept-lost-key",
            help="Start although the key file is another one: webhook secrets, gateway tokens and second factors are lost.",
        ),
    ] = False,
) -> None:
    """Run the hub until it is told to stop (Ctrl-C or SIGTERM)."""
    given = {"host": host, "port": port, "tls": tls}
    environ = {
        **os.environ,
        **{f"HUB_{name.upper()}": str(value) for name, value in given.items() if value is not None},
    }
    from hub.cli.serving import run

    run(read_config(environ), is_lost_key_accepted=accept_lost_key)


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit when the tour is done; 0 only if every step held.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the demo hub.")] = 8080,
) -> None:
    """Show the whole thing on this machine.

    A hub, an emulated phone, a text out, a reply in, signed webhooks.
    """
    from hub.demo.tour import run_demo

    sys.exit(run_demo(once=once, port=port))


@app.command()
def enrol(
    name: Annotated[str | None, typer.Option(help="What the phone will be called.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Show a one-time QR code that enrols a phone."""
    answer = ask("enrol", name=name, account=account)
    show(
        answer,
        as_json,
        f"{answer['picture']}\nScan this with the phone app before {answer['expires_at']}. It works once.\n{answer['text']}",
    )


@app.command()
def status(account: InAccount = None, as_json: AsJson = False) -> None:
    """Phones and how they are."""
    answer = ask("status", account=account)
    lines = [f"Account {answer['account']} on {answer['database']}"]
    if answer["held"]:
        lines.append("SENDING IS HELD: this hub was restored and waits for its phones (see: hub resume --help)")
    for phone in answer["phones"]:
        lines.append(f"  {phone['name']:24} {phone['state']:10} {', '.join(phone['lines'])}")
        lines += [f"    ! {risk}" for risk in phone["risks"]]
    if not answer["phones"]:
        lines.append("  No phone yet. Next: hub enrol")
    show(answer, as_json, "\n".join(lines))


app.command("doctor")(doctor.doctor)


@app.command()
def config(markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/configuration.md.")] = False) -> None:
    """The settings this hub would start with; secrets are not shown."""
    if markdown:
        print(as_markdown(), end="")
        return
    from dataclasses import fields

    from hub.config import variable

    current = read_config(os.environ)
    for item in fields(Config):
        value = getattr(current, item.name)
        shown = "[set]" if item.metadata["secret"] and value else value
        print(f"{variable(item.name)}={'' if shown is None else shown}")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of REST v1.

    It is what a running hub serves under /openapi.json.
    """
    from hub.dialects.native_v1.reference import api_document

    print(json.dumps(api_document()))


@app.command()
def migrate() -> None:
    """Bring the database to this version of the program.

    `hub serve` does the same at its start.
    """
    from hub.app import open_services
    from hub.storage.migrate import newest_revision, revision_of

    config = read_config(os.environ)
    before = revision_of(config.storage_url)
    open_services(config, SystemClock()).db.close()
    was = {None: "It is new", newest_revision(): "It was so already"}.get(before, f"It was at {before}")
    print(f"The database is up to date, at schema {newest_revision()}. {was}.")


@import_app.command("smsgate")
def import_smsgate(
    source: Annotated[
        str, typer.Argument(help="A dump made by mysqldump, or mysql://user:password@host:port/database.")
    ],
    account: Annotated[
        str | None,
        typer.Option("--account", help="Put all users into this account; without it each gets one of its own."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    send_pending: Annotated[
        bool,
        typer.Option("--send-pending", help="Send what waited there; a phone that had it already may send it twice."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move in from an sms-gate.app server.

    Users, phones, webhooks and messages. It may be repeated, and goes on where it stopped.
    """
    where = source if "://" in source else str(Path(source).resolve())
    answer = ask("import.smsgate", source=where, account=account, is_dry=dry_run, does_send=send_pending)
    lines = [
        f"{what:10} " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        for what, counts in answer["counts"].items()
    ]
    lines += [f"  {count} × {reason}" for reason, count in answer["reasons"].items()]
    done = (
        "Nothing was changed."
        if dry_run
        else "Next: let the server's name lead to this hub (docs/adapters/dialect-smsgate.md)."
    )
    show(answer, as_json, "\n".join([*lines, done]))


@app.command()
def backup(
    target: Path,
    with_key: Annotated[bool, typer.Option("--with-key", help="Put the key file into the backup too.")] = False,
) -> None:
    """Copy the data as it is now; works while the hub runs."""
    answer = ask("backup", target=str(target.resolve()), with_key=with_key)
    print(answer["text"])


@app.command()
def restore(source: Path) -> None:
    """Put a backup in place of this hub's data; the hub must not run. It then starts with sending held."""
    from hub.operations.upkeep import restore_here

    with ProgressLine() as line:
        text = restore_here(read_config(os.environ), source, line.tell)
    print(text)


@app.command()
def resume(
    accept_risk: Annotated[
        bool, typer.Option("--accept-risk", help="End it although phones are missing: some texts may go out twice.")
    ] = False,
) -> None:
    """End the hold of a restored hub."""
    print(ask("resume", is_risk_accepted=accept_risk)["text"])
