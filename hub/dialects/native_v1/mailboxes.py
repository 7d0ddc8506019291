"""Mailboxes: addresses whose mails go out as texts."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.accounts.scopes import Scope, refuse_more_than
from hub.core.errors import Code
from hub.dialects.native_v1.fields import LineId, MailboxId, Model, Name, Request, UtcTime, bare, out, out_or_none, time
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.mail import mailboxes
from hub.mail.mailboxes import MOST_SENDERS, WriteMailbox, checked_senders, local_part
from hub.storage.mailboxes import MailboxRow, find_mailbox

AllowedSenders = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=254)]],
    Meta(
        min_length=1,
        max_length=MOST_SENDERS,
        description="Who may write here: addresses, and `@example.org` for everybody there.",
        examples=[["anna@example.org", "@shop.example.org"]],
    ),
]
HasSubject = Annotated[bool, Meta(description="The subject is the first line of the text.")]
NeedsKey = Annotated[
    bool,
    Meta(
        description="Only those who sign in with a key of this account may write: SMTP with AUTH, HTTP with Authorization."
    ),
]


class Mailbox(Model):
    """A mailbox. Its address is not stored and cannot be shown again."""

    id: MailboxId
    name: str
    allowed_senders: list[str]
    line_id: Annotated[LineId | None, Meta(description="The line that sends; null = the hub chooses.")]
    has_subject: HasSubject
    needs_key: NeedsKey
    created_at: UtcTime
    updated_at: UtcTime


class NewMailboxAnswer(Model):
    """A mailbox with its address."""

    address: Annotated[
        str, Meta(description="Where to write to: put the number in. It is in this answer and nowhere else.")
    ]
    post_url: Annotated[str, Meta(description="Takes the same mails by HTTP, as `message/rfc822`.")]
    info: Mailbox


class MailboxList(Model):
    """All mailboxes, oldest first."""

    items: list[Mailbox]


class MailboxToMake(Request):
    """A mailbox to make."""

    name: Name
    allowed_senders: AllowedSenders
    line_id: LineId | None = None
    has_subject: HasSubject = False
    needs_key: NeedsKey = False


class MailboxToChange(Request):
    """What to change of one."""

    name: Name | UnsetType = UNSET
    allowed_senders: AllowedSenders | UnsetType = UNSET
    line_id: LineId | UnsetType | None = UNSET
    has_subject: HasSubject | UnsetType = UNSET
    needs_key: NeedsKey | UnsetType = UNSET


async def list_mailboxes(call: Call[NoQuery, None]) -> MailboxList:
    """List mailboxes, without their addresses."""
    return MailboxList(items=[_shown(row) for row in await call.read(mailboxes.list_mailboxes, call.account_id)])


async def create_mailbox(call: Call[NoQuery, MailboxToMake]) -> NewMailboxAnswer:
    """Make a mailbox.

    The key that makes it must itself have the right to send texts: whoever knows the address can.
    """
    refuse_more_than(call.who.scopes, (Scope.MESSAGES_SEND,))
    body = call.body
    command = WriteMailbox(
        account_id=call.account_id,
        mailbox_id=call.new_id(),
        name=body.name,
        allowed_senders=checked_senders(body.allowed_senders),
        line_id=_line(body.line_id),
        has_subject=body.has_subject,
        needs_key=body.needs_key,
        is_new=True,
    )
    return _with_address(call, await call.write(mailboxes.write_mailboxes, command))


async def change_mailbox(call: Call[NoQuery, MailboxToChange]) -> Mailbox:
    """Change a mailbox. Its address stays."""
    await _may_hand_out(call)
    body = call.body
    command = WriteMailbox(
        account_id=call.account_id,
        mailbox_id=call.path["mailbox_id"],
        name=body.name,
        allowed_senders=UNSET if isinstance(body.allowed_senders, UnsetType) else checked_senders(body.allowed_senders),
        line_id=UNSET if isinstance(body.line_id, UnsetType) else _line(body.line_id),
        has_subject=body.has_subject,
        needs_key=body.needs_key,
    )
    return _shown(await call.write(mailboxes.write_mailboxes, command))


async def renew_mailbox_address(call: Call[NoQuery, None]) -> NewMailboxAnswer:
    """Give a mailbox another address.

    The one before opens nothing from now on.
    """
    await _may_hand_out(call)
    command = WriteMailbox(account_id=call.account_id, mailbox_id=call.path["mailbox_id"], has_new_address=True)
    return _with_address(call, await call.write(mailboxes.write_mailboxes, command))


async def delete_mailbox(call: Call[NoQuery, None]) -> None:
    """Remove a mailbox."""
    command = mailboxes.DeleteMailbox(account_id=call.account_id, mailbox_id=call.path["mailbox_id"])
    await call.write(mailboxes.delete_mailboxes, command)


async def _may_hand_out(call: Call[Any, Any]) -> None:
    """Raises `not_found`, and `scope_missing` for who may not send texts: whoever knows the address can."""
    found(await call.read(find_mailbox, call.account_id, call.path["mailbox_id"]))
    refuse_more_than(call.who.scopes, (Scope.MESSAGES_SEND,))


def _line(shown: str | None) -> str | None:
    return None if shown is None else bare("line", shown, "line_id")


def _shown(row: MailboxRow) -> Mailbox:
    return Mailbox(
        id=out("mailbox", row.id),
        name=row.name,
        allowed_senders=msgspec.json.decode(row.allowed_senders, type=list[str]),
        line_id=out_or_none("line", row.line_id),
        has_subject=row.has_subject,
        needs_key=row.needs_key,
        created_at=time(row.created_at),
        updated_at=time(row.updated_at),
    )


def _with_address(call: Call[Any, Any], row: MailboxRow) -> NewMailboxAnswer:
    config = call.services.config
    local = local_part(call.services.secrets, row)
    return NewMailboxAnswer(
        address=f"{local}+NUMBER@{config.mail_host}", post_url=f"{config.base_url}/mail/{local}", info=_shown(row)
    )


_ALL = "/v1/mailboxes"
_ONE = "/v1/mailboxes/{mailbox_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_mailboxes, scope=Scope.KEYS_READ, query=NoQuery, body=NoBody,
        returns=MailboxList,
    ),
    Operation(
        method="POST", path=_ALL, run=create_mailbox, scope=Scope.KEYS_WRITE, query=NoQuery, body=MailboxToMake,
        returns=NewMailboxAnswer, status=201, errors=(Code.CONFLICT,),
        example={"name": "Anna's desk", "allowed_senders": ["anna@example.org"]},
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_mailbox, scope=Scope.KEYS_WRITE, query=NoQuery, body=MailboxToChange,
        returns=Mailbox, example={"allowed_senders": ["anna@example.org", "@shop.example.org"]},
    ),
    Operation(
        method="POST", path=_ONE + "/address", run=renew_mailbox_address, scope=Scope.KEYS_WRITE, query=NoQuery,
        body=NoBody, returns=NewMailboxAnswer,
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_mailbox, scope=Scope.KEYS_WRITE, query=NoQuery, body=NoBody,
        returns=NoBody, status=204,
    ),
)  # fmt: skip
