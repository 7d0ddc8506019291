"""The `hub` command: thin words around what `hub.operations` does and `hub.app` runs."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from hub import cli_credits, cli_devices, cli_forwarding, cli_gateways, cli_users, cli_webhooks, operations, people
from hub.asking import AsJson, InAccount, ask, show
from hub.config import Config, ConfigurationError, as_markdown, read_config
from hub.core.errors import HubError

app = typer.Typer(
    name="hub",
    help="Handset Hub: ordinary Android phones as one dependable SMS gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
account_app = typer.Typer(help="Accounts: each sees only its own phones, texts and webhooks.", no_args_is_help=True)
key_app = typer.Typer(help="API keys.", no_args_is_help=True)
login_app = typer.Typer(help="Names and passwords for programs that know nothing else.", no_args_is_help=True)
app.add_typer(account_app, name="account")
app.add_typer(key_app, name="key")
app.add_typer(login_app, name="login")
import_app = typer.Typer(help="Move in from another server.", no_args_is_help=True)
app.add_typer(import_app, name="import")
app.add_typer(cli_users.app, name="user")
app.add_typer(cli_gateways.app, name="gateway")
app.add_typer(cli_forwarding.app, name="forward")
app.add_typer(cli_webhooks.app, name="webhooks")
app.add_typer(cli_devices.app, name="device")
app.add_typer(cli_credits.app, name="credits")

COLLECT_EVERY = 20_000
"""New objects that can be in cycles between two looks of the collector; Python's own default is 700."""


def main() -> None:
    """Entry point: errors are one sentence on standard error, without a traceback."""
    try:
        app()
    except ConfigurationError as error:
        _fail(str(error))
    except HubError as error:
        _fail(error.detail)
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
) -> None:
    """Run the hub until it is told to stop (Ctrl-C or SIGTERM)."""
    given = {"host": host, "port": port, "tls": tls}
    environ = {
        **os.environ,
        **{f"HUB_{name.upper()}": str(value) for name, value in given.items() if value is not None},
    }
    asyncio_run(_serve(read_config(environ)))


def asyncio_run(main: Any) -> None:
    """Run on uvloop, the loop the hub is measured and tested with."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def _serve(config: Config) -> None:
    from hub.app import Hub, open_services
    from hub.clock import SystemClock
    from hub.log import configure_logs
    from hub.server import listening_socket, make_server
    from hub.tls import TlsFiles, self_signed

    clock = SystemClock(float(os.environ.get("HUB_TEST_CLOCK_FACTOR", "1")))
    configure_logs(config.log_level, config.log_format, clock.now)
    try:
        listener = listening_socket(config.host, config.port)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {config.host}:{config.port}: {error.strerror}.") from None
    config = replace(config, port=listener.getsockname()[1])
    files: TlsFiles | None = None
    if config.tls == "auto":
        files = self_signed(config.data_dir, config.base_url, datetime.now(UTC))
    elif config.tls_certificate and config.tls_key:
        files = TlsFiles(config.tls_certificate, config.tls_key, None)
    services = open_services(config, clock, tls_pin=files.pin if files else None)
    await people.account_of(services, None) if not await _has_accounts(services) else None
    setup = await people.setup_link(services)
    hub = Hub(services)
    server = make_server(
        hub,
        hub.before_stop,
        shutdown_seconds=config.shutdown_seconds,
        request_seconds=config.request_seconds,
        certificate=files.certificate if files else None,
        key=files.key if files else None,
    )
    print(
        f"Handset Hub listens on {config.listen_url}   data: {config.data_dir.resolve()}   Ctrl-C stops it", flush=True
    )
    if setup is not None:
        print(f"Nobody can sign in yet. Open this once, to make the first user: {setup}", flush=True)
    collect_rarely()
    await server.serve(sockets=[listener])


def collect_rarely() -> None:
    """Tune Python's cycle collector to a server whose garbage is nearly all freed by reference counts.

    With the defaults the collector looks at the objects of requests in flight hundreds of times a second: a tenth of the cost
    of an accepted text. What start-up made lives as long as the process and need not be looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 20, 20)


async def _has_accounts(services: Any) -> bool:
    return bool((await operations.account_list(services))["accounts"])


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit when the tour is done; 0 only if every step held.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the demo hub.")] = 8080,
) -> None:
    """Show the whole thing on this machine: a hub, an emulated phone, a text out, a reply in, signed webhooks."""
    from hub.demo import run_demo

    sys.exit(run_demo(once=once, port=port))


@app.command()
def enrol(
    name: Annotated[str | None, typer.Option(help="What the phone will be called.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-time code that enrols a phone, and show it as a QR code."""
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
    """Print the OpenAPI document of REST v1, as a running hub serves it under /openapi.json."""
    from hub.dialects.native_v1.reference import api_document

    print(json.dumps(api_document()))


@app.command()
def migrate() -> None:
    """Bring the database to this version of the program; `hub serve` does the same at its start."""
    from hub.app import open_services
    from hub.clock import SystemClock

    open_services(read_config(os.environ), SystemClock()).db.close()
    print("The database is up to date.")


@account_app.command("create")
def account_create(name: str, as_json: AsJson = False) -> None:
    """Make an account."""
    answer = ask("account.create", name=name)
    show(answer, as_json, f"{answer['name']}  {answer['id']}\nNext: hub key create NAME --account {answer['name']}")


@account_app.command("list")
def account_list(as_json: AsJson = False) -> None:
    """All accounts."""
    answer = ask("account.list")
    rows = [f"{row['name']:24} {row['id']}  since {row['created_at']}" for row in answer["accounts"]]
    show(answer, as_json, "\n".join(rows) or "No account yet. Next: hub account create NAME")


@key_app.command("create")
def key_create(
    name: str,
    account: InAccount = None,
    scope: Annotated[list[str] | None, typer.Option(help="May be given several times; without it, everything.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it once."""
    answer = ask("key.create", name=name, account=account, scopes=scope)
    if as_json or sys.stdout.isatty():
        show(answer, as_json, f"{answer['key']}\n\nKeep it: the hub stores only its hash and cannot show it again.")
    else:
        print(answer["key"])


@key_app.command("list")
def key_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All keys of an account, without the keys themselves."""
    answer = ask("key.list", account=account)
    rows = [
        f"{row['name']:24} {row['id']}  …{row['ends_with']}  {'revoked' if row['revoked_at'] else 'alive'}"
        for row in answer["keys"]
    ]
    show(answer, as_json, "\n".join(rows) or "No key yet. Next: hub key create NAME")


@key_app.command("revoke")
def key_revoke(key_id: str, account: InAccount = None) -> None:
    """End a key at once."""
    answer = ask("key.revoke", key_id=key_id, account=account)
    print(f"{answer['name']} ({answer['id']}) no longer works.")


@login_app.command("create")
def login_create(
    name: Annotated[str | None, typer.Argument(help="Without it the hub makes one.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Make a login and print its password once."""
    answer = ask("login.create", username=name, account=account)
    show(
        answer,
        as_json,
        f"{answer['username']}  {answer['password']}\n\nKeep it: the hub cannot show the password again.",
    )


@login_app.command("list")
def login_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All logins of an account, without their passwords."""
    answer = ask("login.list", account=account)
    rows = [f"{row['username']:24} {row['id']}  last used {row['last_used_at'] or 'never'}" for row in answer["logins"]]
    show(answer, as_json, "\n".join(rows) or "No login yet. Next: hub login create")


@login_app.command("password")
def login_password(name: str, account: InAccount = None, as_json: AsJson = False) -> None:
    """Give a login a new password and print it once; the old one ends."""
    answer = ask("login.password", username=name, account=account)
    show(answer, as_json, f"{answer['username']}  {answer['password']}")


@login_app.command("delete")
def login_delete(name: str, account: InAccount = None) -> None:
    """End a login at once."""
    answer = ask("login.delete", username=name, account=account)
    print(f"{answer['username']} no longer works.")


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
    """Users, phones, webhooks and messages of an sms-gate.app server; may be repeated, and goes on where it stopped."""
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
    from hub.upkeep import restore_here

    print(restore_here(read_config(os.environ), source))


@app.command()
def resume(
    accept_risk: Annotated[
        bool, typer.Option("--accept-risk", help="End it although phones are missing: some texts may go out twice.")
    ] = False,
) -> None:
    """End the hold of a restored hub."""
    print(ask("resume", is_risk_accepted=accept_risk)["text"])
