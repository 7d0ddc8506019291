"""`hub key …`: what programs sign in with."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="API keys.", no_args_is_help=True)


@app.command("create")
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


@app.command("list")
def key_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All keys of an account, without the keys themselves."""
    answer = ask("key.list", account=account)
    rows = [
        f"{row['name']:24} {row['id']}  …{row['ends_with']}  {'revoked' if row['revoked_at'] else 'alive'}"
        for row in answer["keys"]
    ]
    show(answer, as_json, "\n".join(rows) or "No key yet. Next: hub key create NAME")


@app.command("revoke")
def key_revoke(key_id: str, account: InAccount = None) -> None:
    """End a key at once."""
    answer = ask("key.revoke", key_id=key_id, account=account)
    print(f"{answer['name']} ({answer['id']}) no longer works.")
