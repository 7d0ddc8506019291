"""`hub account …`."""

from __future__ import annotations

import typer

from hub.cli.asking import AsJson, ask, show

app = typer.Typer(help="Accounts: each sees only its own phones, texts and webhooks.", no_args_is_help=True)


@app.command("create")
def account_create(name: str, as_json: AsJson = False) -> None:
    """Make an account."""
    answer = ask("account.create", name=name)
    show(answer, as_json, f"{answer['name']}  {answer['id']}\nNext: hub key create NAME --account {answer['name']}")


@app.command("list")
def account_list(as_json: AsJson = False) -> None:
    """All accounts."""
    answer = ask("account.list")
    rows = [f"{row['name']:24} {row['id']}  since {row['created_at']}" for row in answer["accounts"]]
    show(answer, as_json, "\n".join(rows) or "No account yet. Next: hub account create NAME")
