"""`hub device …`: the phones of an account, and how those with apps of other makers come in. A code to scan: `hub enrol`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.asking import AsJson, InAccount, ask, show

app = typer.Typer(help="The phones of an account.", no_args_is_help=True)


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


DeviceId = Annotated[str, typer.Argument(metavar="PHONE", help="Its id, dev_…, from hub device list.")]


@app.command("list")
def device_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All phones of an account and how they are."""
    answer = ask("device.list", account=account)
    rows = [line for phone in answer["phones"] for line in _lines(phone)]
    show(answer, as_json, "\n".join(rows) or "No phone yet. Next: hub enrol")


def _lines(phone: Mapping[str, Any]) -> list[str]:
    seen = f"last seen {phone['last_seen_at']}" if phone["last_seen_at"] else "never seen"
    line = f"{phone['name']:24} {phone['id']}  {phone['state']:10} {seen}  {', '.join(phone['lines'])}"
    return [line, *(f"    ! {risk}" for risk in phone["risks"])]


@app.command("rename")
def device_rename(phone: DeviceId, name: str, account: InAccount = None) -> None:
    """Call a phone something else."""
    answer = ask("device.rename", device_id=phone, name=name, account=account)
    print(f"{answer['id']} is now called {answer['name']}.")


@app.command("suspend")
def device_suspend(phone: DeviceId, account: InAccount = None) -> None:
    """Keep a phone out until it is reinstated."""
    answer = ask("device.suspend", device_id=phone, account=account)
    print(f"{answer['name']} may not connect. To let it in again: hub device reinstate {answer['id']}")


@app.command("reinstate")
def device_reinstate(phone: DeviceId, account: InAccount = None) -> None:
    """Let a suspended phone in again."""
    answer = ask("device.reinstate", device_id=phone, account=account)
    print(f"{answer['name']} may connect again.")


@app.command("revoke")
def device_revoke(phone: DeviceId, account: InAccount = None) -> None:
    """Remove a phone for good; its texts stay."""
    answer = ask("device.revoke", device_id=phone, account=account)
    print(f"{answer['name']} was removed: its credentials never work again. Its texts and conversations stay.")
