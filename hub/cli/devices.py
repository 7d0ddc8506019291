"""`hub device …`: phones with apps of other makers, which scan no code."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="Phones with the sms-gate.app app.", no_args_is_help=True)


@app.command("add")
def device_add(
    name: Annotated[str | None, typer.Argument(help="What the phone will be called.")] = None,
    device: Annotated[str | None, typer.Option(help="Let this phone in again (dev_…): it keeps its place.")] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Add a phone with the sms-gate.app app.

    Makes its word, and says what to type there. For the hub's own app: hub enrol.
    """
    answer = ask("device.add", name=name, device_id=device, account=account)
    steps = [f"{number}. {step}" for number, step in enumerate(answer["steps"], 1)]
    warning = [f"\nWARNING: {answer['warning']}"] if answer["warning"] else []
    ways = [
        f"\nAPI URL        {answer['short_url']}",
        f"or API URL     {answer['api_url']}",
        f"with token     {answer['private_token']}   (Private Token, or the By Code tab)",
        f"\nIt lets one phone in before {answer['expires_at']}, and stays that phone's way back.",
    ]
    show(answer, as_json, "\n".join([*steps, *ways, *warning]))
