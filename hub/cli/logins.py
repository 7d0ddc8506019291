"""`hub login …`: names and passwords for programs that know nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="Names and passwords for programs that know nothing else.", no_args_is_help=True)


@app.command("create")
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


@app.command("list")
def login_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All logins of an account, without their passwords."""
    answer = ask("login.list", account=account)
    rows = [f"{row['username']:24} {row['id']}  last used {row['last_used_at'] or 'never'}" for row in answer["logins"]]
    show(answer, as_json, "\n".join(rows) or "No login yet. Next: hub login create")


@app.command("password")
def login_password(name: str, account: InAccount = None, as_json: AsJson = False) -> None:
    """Give a login a new password and print it once; the old one ends."""
    answer = ask("login.password", username=name, account=account)
    show(answer, as_json, f"{answer['username']}  {answer['password']}")


@app.command("delete")
def login_delete(name: str, account: InAccount = None) -> None:
    """End a login at once."""
    answer = ask("login.delete", username=name, account=account)
    print(f"{answer['username']} no longer works.")
