"""`hub user …`: the people who use the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.accounts.roles import MEANING, Role
from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="People who use the dashboard.", no_args_is_help=True)

_ROLES = "; ".join(f"{role}: {meaning[0].lower()}{meaning[1:-1]}" for role, meaning in MEANING.items())
_LINK = "The link works once, for seven days. Give it to nobody else."


@app.command("add")
def user_add(
    username: Annotated[str, typer.Argument(help="What they sign in with: a mail address or a name.")],
    name: Annotated[str | None, typer.Option(help="What people call them.")] = None,
    role: Annotated[Role, typer.Option(help=f"{_ROLES}.")] = Role.ADMIN,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Add a person.

    Prints the one-time link by which they choose a password.
    """
    answer = ask("user.add", username=username, name=name, role=str(role), account=account)
    show(answer, as_json, f"{answer['link']}\n\n{_LINK}")


@app.command("list")
def user_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All people of an account."""
    answer = ask("user.list", account=account)
    rows = [
        f"{row['username']:32} {row['role']:10} {'disabled' if row['is_disabled'] else ''}"
        f"{'code' if row['has_second_factor'] else ''}  last seen {row['last_seen_at'] or 'never'}"
        for row in answer["users"]
    ]
    show(answer, as_json, "\n".join(rows) or "Nobody yet. Next: hub user add USERNAME")


@app.command("setup")
def user_setup(as_json: AsJson = False) -> None:
    """The link that makes the first person of a new hub.

    It works once; `hub serve` prints one too.
    """
    answer = ask("user.setup")
    show(answer, as_json, f"{answer['link']}\n\n{_LINK}")


@app.command("sign-ups")
def user_sign_ups(as_json: AsJson = False) -> None:
    """Who signed up and has not confirmed their address.

    With the link that does: pass it on where the hub sends no mail.
    """
    answer = ask("user.sign_ups")
    rows = [
        f"{row['username']:32} {row['asked_at']}  {row['link'] or 'sealed with another key'}"
        for row in answer["sign_ups"]
    ]
    show(answer, as_json, "\n".join(rows) or "Nobody waits.")


@app.command("reset")
def user_reset(
    username: str,
    without_code: Annotated[
        bool, typer.Option("--without-code", help="Also switch the second factor off, for a lost authenticator.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let somebody choose a new password by a one-time link.

    The old one works until then.
    """
    answer = ask("user.reset", username=username, drops_totp=without_code)
    show(answer, as_json, f"{answer['link']}\n\n{_LINK}")


@app.command("disable")
def user_disable(username: str) -> None:
    """Sign somebody out everywhere and let them in no more."""
    print(f"{ask('user.disable', username=username)['username']} is signed out and not let in any more.")


@app.command("enable")
def user_enable(username: str) -> None:
    """Let somebody in again."""
    print(f"{ask('user.disable', username=username, is_disabled=False)['username']} may sign in again.")
