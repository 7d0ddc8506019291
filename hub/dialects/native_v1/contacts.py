"""Contacts: a name, notes and tags for one number or several."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from hub.accounts.scopes import Scope
from hub.contacts import book
from hub.contacts.book import ContactView, Number
from hub.core.address import BadAddress, parse_recipient, peer_address
from hub.core.errors import invalid
from hub.dialects.native_v1.fields import (
    Address,
    ContactId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    out,
    time,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found

Tag = Annotated[str, Meta(min_length=1, max_length=40)]
Tags = Annotated[list[Tag], Meta(max_length=30)]
Notes = Annotated[str, Meta(max_length=4000)]
Label = Annotated[str, Meta(min_length=1, max_length=40, description="Which of them it is: work, home.")]


class ContactNumber(Model):
    """One of a contact's numbers."""

    peer: Annotated[str, Meta(description="E.164, or as it came.")]
    label: str | None


class Contact(Model):
    """A person or a shop."""

    id: ContactId
    name: str
    notes: str
    tags: list[str]
    numbers: list[ContactNumber]
    created_at: UtcTime
    updated_at: UtcTime


class ContactPage(Model):
    """Contacts, newest first."""

    items: list[Contact]
    next_cursor: NextCursor


class NumberToKeep(Request):
    """A number of a contact; one that another contact has becomes this one's."""

    peer: Address
    label: Label | None = None


Numbers = Annotated[list[NumberToKeep], Meta(max_length=20)]


class NewContact(Request):
    """A contact to make."""

    name: Name
    notes: Notes = ""
    tags: Tags = field(default_factory=list)
    numbers: Numbers = field(default_factory=list)


class ContactChange(Request):
    """What to change; what is not named stays. Tags and numbers are given whole."""

    name: Name | UnsetType = UNSET
    notes: Notes | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET


class ContactsQuery(PageQuery):
    """Which contacts to list."""

    text: Annotated[str, Meta(min_length=1, max_length=200, description="Part of a name, tag or number.")] | None = None
    peer: Annotated[Address | None, Meta(description="Whose number this is.")] = None


def shown(view: ContactView) -> Contact:
    """A contact as customers see it."""
    return Contact(
        id=out("contact", view.id),
        name=view.name,
        notes=view.notes,
        tags=list(view.tags),
        numbers=[ContactNumber(peer=one.peer, label=one.label) for one in view.numbers],
        created_at=time(view.created_at),
        updated_at=time(view.updated_at),
    )


async def _region(call: Call[Any, Any]) -> str | None:
    settings = await call.services.credentials.settings_of(call.account_id)
    return settings.default_region or call.services.config.default_region


def _numbers(given: list[NumberToKeep], region: str | None) -> tuple[Number, ...]:
    return tuple(Number(_address(one.peer, place, region), one.label) for place, one in enumerate(given))


def _address(text: str, place: int, region: str | None) -> str:
    """A number as texts are sent to it; a name, as texts come from it."""
    try:
        return parse_recipient(text, region).value
    except BadAddress as error:
        if any(one.isalpha() for one in text):
            return peer_address(text, region).value
        raise invalid(f"numbers[{place}].peer", error.fault.value, str(error)) from error


async def list_contacts(call: Call[ContactsQuery, None]) -> ContactPage:
    """List contacts.

    Who sees some lines only is shown those who have a conversation with one of them.
    """
    query = call.query
    peer = None if query.peer is None else peer_address(query.peer, await _region(call)).value
    page = await call.read(
        book.list_contacts, call.account_id, query.text, peer, query.cursor, query.limit, call.line_ids
    )
    return ContactPage(items=[shown(view) for view in page.items], next_cursor=page.next)


async def get_contact(call: Call[NoQuery, None]) -> Contact:
    """Read one contact."""
    return shown(found(await call.read(book.find_contact, call.account_id, call.path["contact_id"])))


async def create_contact(call: Call[NoQuery, NewContact]) -> Contact:
    """Make a contact."""
    body = call.body
    command = book.WriteContact(
        account_id=call.account_id,
        contact_id=call.new_id(),
        is_new=True,
        name=body.name,
        notes=body.notes,
        tags=tuple(body.tags),
        numbers=_numbers(body.numbers, await _region(call)),
    )
    return shown(await call.write(book.write_contacts, command))


async def change_contact(call: Call[NoQuery, ContactChange]) -> Contact:
    """Change a contact."""
    body = call.body
    command = book.WriteContact(
        account_id=call.account_id,
        contact_id=call.path["contact_id"],
        name=None if body.name is UNSET else body.name,
        notes=None if body.notes is UNSET else body.notes,
        tags=None if body.tags is UNSET else tuple(body.tags),
        numbers=None if body.numbers is UNSET else _numbers(body.numbers, await _region(call)),
    )
    return shown(await call.write(book.write_contacts, command))


async def delete_contact(call: Call[NoQuery, None]) -> None:
    """Forget a contact.

    What was said with its numbers stays.
    """
    await call.write(
        book.delete_contacts, book.DeleteContact(account_id=call.account_id, contact_id=call.path["contact_id"])
    )


_ALL = "/v1/contacts"
_ONE = "/v1/contacts/{contact_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_contacts, knows_lines=True, scope=Scope.MESSAGES_READ, query=ContactsQuery, body=NoBody,
        returns=ContactPage,
    ),
    Operation(
        method="POST", path=_ALL, run=create_contact, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=NewContact,
        returns=Contact, status=201, example={"name": "Maya Okafor", "numbers": [{"peer": "+447700900142"}]},
    ),
    Operation(
        method="GET", path=_ONE, run=get_contact, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody, returns=Contact,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_contact, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=ContactChange,
        returns=Contact, example={"notes": "Prefers Saturdays."},
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_contact, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=NoBody,
        returns=NoBody, status=204,
    ),
)  # fmt: skip
