"""`hub credits …`: what the texts of an account cost, and what it has left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(
    help="Credits: an account pays for its texts from a balance. Off until a price is set.", no_args_is_help=True
)


@app.command("price")
def credits_price(
    price: Annotated[str, typer.Argument(help="What one text costs, such as 0.05.")],
    currency: Annotated[str | None, typer.Option(help="Three letters; EUR at first.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Make an account pay for its texts, or change what they cost."""
    answer = ask("credits.price", price=price, currency=currency, account=account)
    show(answer, as_json, _balance(answer))


@app.command("off")
def credits_off(account: InAccount = None, as_json: AsJson = False) -> None:
    """Let an account send without paying; its balance stays."""
    answer = ask("credits.off", account=account)
    show(answer, as_json, _balance(answer))


@app.command("add", context_settings={"ignore_unknown_options": True})
def credits_add(
    amount: Annotated[str, typer.Argument(help="How much, such as 20; below zero takes away.")],
    note: Annotated[str | None, typer.Option(help="Why, for the ledger.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Top a balance up."""
    answer = ask("credits.add", amount=amount, note=note, account=account)
    show(answer, as_json, _balance(answer))


@app.command("show")
def credits_show(account: InAccount = None, as_json: AsJson = False) -> None:
    """The balance and the newest lines of its ledger."""
    answer = ask("credits.show", account=account)
    rows = [
        f"{row['at']}  {row['kind']:8} {row['amount']:>12}  {row['message_id'] or row['note'] or ''}"
        for row in answer["entries"]
    ]
    show(answer, as_json, "\n".join([_balance(answer), *rows]))


def _balance(answer: Mapping[str, Any]) -> str:
    price = f"{answer['price_per_sms']} {answer['currency']} a text" if answer["is_on"] else "texts cost nothing"
    return f"{answer['account']}: {answer['balance']} {answer['currency']} left, {price}"
