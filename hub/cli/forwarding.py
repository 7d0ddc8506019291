"""`hub forward …`: where the inbound texts of a number go, by webhook or by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="Where a number's inbound texts go, by webhook or by mail.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(help="The number texts are sent to.")]
TimeZone = Annotated[str | None, typer.Option(help="Of the times that are told, such as Europe/Rome.")]


@app.command("webhook")
def forward_webhook(
    number: Number,
    url: Annotated[str | None, typer.Argument(help="Where texts are posted to; not needed the second time.")] = None,
    time_zone: TimeZone = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Post a number's texts to a URL.

    Also those that wait to be mailed.
    """
    answer = ask("forward.webhook", number=number, url=url, time_zone=time_zone, account=account)
    show(answer, as_json, _sentence(answer))


@app.command("mail")
def forward_mail(
    number: Number,
    address: Annotated[str | None, typer.Argument(help="Where to; not needed the second time.")] = None,
    time_zone: TimeZone = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Mail a number's texts, also those that wait to be posted."""
    answer = ask("forward.mail", number=number, address=address, time_zone=time_zone, account=account)
    show(answer, as_json, _sentence(answer))


@app.command("show")
def forward_show(number: Number, account: InAccount = None, as_json: AsJson = False) -> None:
    """How a number is forwarded, and what waits."""
    answer = ask("forward.show", number=number, account=account)
    show(answer, as_json, _sentence(answer))


@app.command("stop")
def forward_stop(number: Number, account: InAccount = None) -> None:
    """Forward a number's texts no more; what waits is cancelled."""
    answer = ask("forward.stop", number=number, account=account)
    print(f"Texts to {answer['number']} are no longer forwarded.")


def _sentence(answer: Mapping[str, Any]) -> str:
    to = f"posted to {answer['url']}" if answer["way"] == "webhook" else f"mailed to {answer['mail_to']}"
    lines = [f"Texts to {answer['number']} are {to}. {answer['waiting']} wait."]
    if answer["is_bypassed"]:
        lines.append("A rule of this number names other places only: nothing is told here.")
    if answer["alerts"]:
        lines.append(f"In the last hour: {', '.join(answer['alerts'])}.")
    return "\n".join(lines)
