"""`hub webhook create`, `list`, `test` …: an account's webhooks. The tools for receivers beside them are in `hub.cli.webhooks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from hub.cli.asking import AsJson, InAccount, ask, show
from hub.core.events import EventType

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, whk_…, from hub webhook list.")]


def webhook_create(
    url: Annotated[str, typer.Argument(help="Where events are posted: https://…, or mailto:…")],
    type: Annotated[list[EventType] | None, typer.Option(help="Only these events; may be given several times.")] = None,
    format: Annotated[
        str, typer.Option(help="standard, smsgate, or another that docs/webhooks.md names.")
    ] = "standard",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Make a webhook and print its secret once."""
    answer = ask(
        "webhook.create",
        url=url,
        event_types=[str(kind) for kind in type or ()],
        format=format,
        description=description,
        account=account,
    )
    text = f"{answer['id']}  {answer['url']}\nSecret  {answer['secret']}\n\n"
    text += f"Keep it: it verifies what comes. Next: hub webhook test {answer['id']}"
    show(answer, as_json, text)


def webhook_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All webhooks of an account and how they are."""
    answer = ask("webhook.list", account=account)
    rows = [line for row in answer["webhooks"] for line in _lines(row)]
    show(answer, as_json, "\n".join(rows) or "No webhook yet. Next: hub webhook create URL")


def _lines(row: Mapping[str, Any]) -> list[str]:
    kinds = ", ".join(row["event_types"]) or "all events"
    lines = [f"{row['id']}  {row['state']:8}  {row['url']}  ({kinds})"]
    if row["state_reason"]:
        lines.append(f"    ! {row['state_reason']}")
    if row["failing_since"]:
        lines.append(f"    ! It has been failing since {row['failing_since']}. See hub webhook log {row['id']}")
    if row["waiting"]:
        lines.append(f"    {row['waiting']} waiting to be sent")
    return lines


def webhook_test(
    webhook: WebhookId,
    type: Annotated[EventType, typer.Option(help="The sample event.")] = EventType.SMS_RECEIVED,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Send a sample event now and show the answer.

    The exit code is 1 when the receiver did not take it.
    """
    answer = ask("webhook.test", webhook_id=webhook, event_type=str(type), account=account)
    show(answer, as_json, f"{'ok' if answer['is_success'] else 'FAILED'}  {answer['explanation']}")
    if not answer["is_success"]:
        raise typer.Exit(1)


def webhook_rotate(webhook: WebhookId, account: InAccount = None, as_json: AsJson = False) -> None:
    """Make a new secret; for a while both sign."""
    answer = ask("webhook.rotate", webhook_id=webhook, account=account)
    old = f"\nThe old one signs too until {answer['old_expires_at']}." if answer["old_expires_at"] else ""
    show(answer, as_json, f"Secret  {answer['secret']}{old}")


def webhook_enable(webhook: WebhookId, account: InAccount = None, as_json: AsJson = False) -> None:
    """Switch one on again; what was held is sent."""
    answer = ask("webhook.enable", webhook_id=webhook, account=account)
    show(answer, as_json, "\n".join(_lines(answer)))


def webhook_delete(webhook: WebhookId, account: InAccount = None) -> None:
    """Remove one; what waits for it is cancelled."""
    answer = ask("webhook.delete", webhook_id=webhook, account=account)
    print(f"{answer['url']} ({answer['id']}) is told nothing any more.")


def webhook_log(
    webhook: Annotated[str | None, typer.Argument(metavar="[WEBHOOK]", help="Only this one's (whk_…).")] = None,
    most: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """The newest deliveries and how they went."""
    answer = ask("webhook.log", webhook_id=webhook, most=most, account=account)
    rows = [
        f"{row['created_at']}  {row['id']}  {row['state']:9}  {row['event_type']:15}  {row['explanation']}"
        for row in answer["deliveries"]
    ]
    show(answer, as_json, "\n".join(rows) or "Nothing was to be delivered yet.")


def webhook_replay(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, dlv_…, from hub webhook log.")],
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Send one delivery again."""
    answer = ask("webhook.replay", delivery_id=delivery, account=account)
    show(answer, as_json, f"{answer['event_type']} goes out again as {answer['id']}.")


def add_to(app: typer.Typer) -> None:
    """Add these words to `hub webhook`."""
    for name, command in _WORDS.items():
        app.command(name)(command)


_WORDS: Mapping[str, Callable[..., None]] = {
    "create": webhook_create,
    "list": webhook_list,
    "test": webhook_test,
    "rotate": webhook_rotate,
    "enable": webhook_enable,
    "delete": webhook_delete,
    "log": webhook_log,
    "replay": webhook_replay,
}
