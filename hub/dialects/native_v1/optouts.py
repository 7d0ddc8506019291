"""Opt-outs: numbers that asked to hear no more, by a text of their own (STOP) or through a person of the account."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.core.address import BadAddress, parse_recipient
from hub.core.errors import Code, FieldError, HubError
from hub.dialects.native_v1.fields import (
    Address,
    Model,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.messages.consent import ChangeConsent, ConsentView, change_consent, read_consent
from hub.storage.consent import list_opted_out, opted_out


class ConsentStep(Model):
    """One change of what a number wants."""

    at: UtcTime
    is_opted_out: bool
    word: Annotated[str | None, Meta(description="The text it asked with; null when a person noted it.")]
    by: Annotated[str, Meta(description="`peer`: by that text. Else who of the account noted it.")]


class Consent(Model):
    """Whether a number may be texted, and how that came."""

    peer: str
    is_opted_out: bool
    since: UtcTime | None
    word: str | None
    history: Annotated[list[ConsentStep], Meta(description="The newest 50 changes, oldest first.")]


class OptedOut(Model):
    """A number that may not be texted."""

    peer: str
    since: UtcTime
    word: str | None


class OptOutPage(Model):
    """Numbers that may not be texted, by number."""

    items: list[OptedOut]
    next_cursor: NextCursor


class WishOfNumber(Request):
    """What a number wants."""

    peer: Address
    is_opted_out: bool


class NumberToRead(Request):
    """Whose consent to read."""

    peer: Address


class NumbersToCheck(Request):
    """Recipients as they are written in a list."""

    to: Annotated[list[Address], Meta(min_length=1, max_length=1000)]


class CheckedNumber(Model):
    """One of them: as it would be sent to, or why it cannot be."""

    to: str
    peer: str | None
    opted_out_at: UtcTime | None
    error: str | None


class CheckedNumbers(Model):
    """One per recipient, in the order of the request."""

    items: list[CheckedNumber]


async def _region(call: Call[Any, Any]) -> str | None:
    settings = await call.services.credentials.settings_of(call.account_id)
    return settings.default_region or call.services.config.default_region


def _peer(text: str, region: str | None) -> str:
    try:
        return parse_recipient(text, region).value
    except BadAddress as error:
        raise HubError(Code.BAD_RECIPIENT, str(error), (FieldError("peer", error.fault.value, str(error)),)) from error


def _shown(view: ConsentView) -> Consent:
    return Consent(
        peer=view.peer,
        is_opted_out=view.out is not None,
        since=time_or_none(view.out.at if view.out else None),
        word=view.out.word if view.out else None,
        history=[
            ConsentStep(at=time(one.at), is_opted_out=bool(one.is_out), word=one.word, by=one.by)
            for one in view.changes
        ],
    )


async def list_opt_outs(call: Call[PageQuery, None]) -> OptOutPage:
    """List the numbers that asked to hear no more."""
    rows, next_ = await call.read(list_opted_out, call.account_id, call.query.cursor, call.query.limit)
    return OptOutPage(
        items=[OptedOut(peer=row.peer, since=time(row.at), word=row.word) for row in rows], next_cursor=next_
    )


async def read_number_consent(call: Call[NoQuery, NumberToRead]) -> Consent:
    """Read what a number wants, and how that came."""
    peer = _peer(call.body.peer, await _region(call))
    return _shown(await call.read(read_consent, call.account_id, peer))


async def set_number_consent(call: Call[NoQuery, WishOfNumber]) -> Consent:
    """Note what a number wants.

    Opted out: nothing more is accepted for it, on no line, and what waits for it is cancelled. The opposite lifts that; do it only when
    the person asked for it.
    """
    peer = _peer(call.body.peer, await _region(call))
    command = ChangeConsent(account_id=call.account_id, peer=peer, is_out=call.body.is_opted_out, by=call.who.key_name)
    return _shown(await call.write(change_consent, command))


async def check_numbers(call: Call[NoQuery, NumbersToCheck]) -> CheckedNumbers:
    """Check recipients before a list is sent.

    Which are numbers one can text, how they are written in full, and which asked to hear no more.
    """
    region = await _region(call)
    read = [_read(text, region) for text in call.body.to]
    out = await call.read(opted_out, [call.account_id], {peer for peer, _ in read if peer is not None})
    return CheckedNumbers(
        items=[
            CheckedNumber(
                to=text,
                peer=peer,
                opted_out_at=time_or_none(row.at if (row := out.get((call.account_id, peer or ""))) else None),
                error=error,
            )
            for text, (peer, error) in zip(call.body.to, read, strict=True)
        ]
    )


def _read(text: str, region: str | None) -> tuple[str | None, str | None]:
    try:
        return parse_recipient(text, region).value, None
    except BadAddress as error:
        return None, str(error)


_ALL = "/v1/optouts"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_opt_outs, scope=Scope.MESSAGES_READ, query=PageQuery, body=NoBody, returns=OptOutPage,
    ),
    Operation(
        method="POST", path=_ALL, run=set_number_consent, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE,
        query=NoQuery, body=WishOfNumber,
        returns=Consent, errors=(Code.BAD_RECIPIENT,), example={"peer": "+491701234567", "is_opted_out": True},
    ),
    Operation(
        method="POST", path=_ALL + "/read", run=read_number_consent, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery,
        body=NumberToRead, returns=Consent, errors=(Code.BAD_RECIPIENT,), example={"peer": "+491701234567"},
    ),
    Operation(
        method="POST", path=_ALL + "/check", run=check_numbers, scope=Scope.MESSAGES_READ, query=NoQuery, body=NumbersToCheck,
        returns=CheckedNumbers, example={"to": ["+491701234567", "0170 1234567"]},
    ),
)  # fmt: skip
