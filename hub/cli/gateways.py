"""`hub gateway …`: account SIDs and tokens for PBXs and for programs written against Twilio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli.asking import AsJson, InAccount, ask, show
from hub.webhooks.signing import DEFAULT_GRACE_SECONDS

app = typer.Typer(help="Twilio's account SIDs and tokens, for PBXs and programs.", no_args_is_help=True)

GatewayName = Annotated[str, typer.Argument(help="Letters and digits; it stands in URLs.")]


@app.command("create")
def gateway_create(
    name: GatewayName,
    inbound_url: Annotated[str | None, typer.Option(help="Where inbound texts are posted to.")] = None,
    fallback_url: Annotated[str | None, typer.Option(help="Tried when the inbound URL fails.")] = None,
    status_url: Annotated[str | None, typer.Option(help="Where statuses go when a text names no callback.")] = None,
    sender: Annotated[str | None, typer.Option(help="Number, alias or pool that sends by default.")] = None,
    account_sid: Annotated[str | None, typer.Option(help="The SID its platform has already.")] = None,
    auth_token: Annotated[
        str | None, typer.Option(help="The token its platform has already.", envvar="HUB_GATEWAY_TOKEN")
    ] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Make a gateway and print its token once."""
    answer = ask(
        "gateway.create",
        name=name,
        inbound_url=inbound_url,
        fallback_url=fallback_url,
        status_url=status_url,
        sender=sender,
        sid=account_sid,
        token=auth_token,
        account=account,
    )
    show(
        answer,
        as_json,
        f"Account SID     {answer['account_sid']}\nAuth token      {answer['auth_token']}\n"
        f"Provider's URL  {answer['provider_url']}\nWebhook URL     {answer['webhook_url']}\n"
        f"Status URL      {answer['delivery_status_url']}\n\nKeep the token: the hub cannot show it again.",
    )


@app.command("list")
def gateway_list(account: InAccount = None, as_json: AsJson = False) -> None:
    """All gateways of an account, without their tokens."""
    answer = ask("gateway.list", account=account)
    rows = [f"{row['name']:24} {row['account_sid']}  {row['provider_url']}" for row in answer["gateways"]]
    show(answer, as_json, "\n".join(rows) or "No gateway yet. Next: hub gateway create NAME")


@app.command("token")
def gateway_token(
    name: GatewayName,
    grace_seconds: Annotated[int, typer.Option(help="How long the old token works beside it.")] = DEFAULT_GRACE_SECONDS,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Give a gateway another token and print it once."""
    answer = ask("gateway.token", name=name, grace_seconds=grace_seconds, account=account)
    show(answer, as_json, answer["auth_token"])


@app.command("delete")
def gateway_delete(name: GatewayName, account: InAccount = None) -> None:
    """End a gateway at once; texts it sent are still told of."""
    answer = ask("gateway.delete", name=name, account=account)
    print(f"{answer['name']} no longer opens anything.")


@app.command("route")
def gateway_route(
    number: Annotated[str, typer.Argument(help="The number texts are sent to.")],
    gateway: Annotated[str | None, typer.Option(help="The gateway that is told, by name.")] = None,
    webhook: Annotated[list[str] | None, typer.Option(help="A webhook that is told, by id; several times.")] = None,
    user: Annotated[
        list[str] | None, typer.Option(help="Somebody limited to some lines who sees it too; several times.")
    ] = None,
    account: InAccount = None,
    as_json: AsJson = False,
) -> None:
    """Say where inbound texts to a number go: there and nowhere else."""
    answer = ask(
        "gateway.route", number=number, gateway=gateway, webhooks=webhook or [], users=user or [], account=account
    )
    show(answer, as_json, _rule_line(answer))


@app.command("routes")
def gateway_routes(account: InAccount = None, as_json: AsJson = False) -> None:
    """The rules of numbers."""
    answer = ask("gateway.routes", account=account)
    rows = [_rule_line(row) for row in answer["rules"]]
    show(answer, as_json, "\n".join(rows) or "No rule: every webhook and gateway is told of the lines it asks for.")


@app.command("unroute")
def gateway_unroute(
    number: Annotated[str, typer.Argument(help="The number whose rule goes.")], account: InAccount = None
) -> None:
    """Remove a number's rule."""
    answer = ask("gateway.unroute", number=number, account=account)
    print(f"Texts to {answer['number']} are everybody's again.")


def _rule_line(rule: Mapping[str, Any]) -> str:
    named = [rule["gateway_id"], *rule["webhook_ids"], *rule["user_ids"]]
    return f"{rule['number']:18} {'  '.join(name for name in named if name is not None)}"
