"""Snippets: texts that are sent often."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.accounts.scopes import Scope
from hub.contacts import snippets
from hub.core.errors import Code
from hub.dialects.native_v1.fields import Model, Name, Request, SnippetId, UtcTime, out, time
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation
from hub.storage.contacts import SnippetRow


class Snippet(Model):
    """A text that is sent often. `{name}` stands for the contact's name; who inserts it fills it in."""

    id: SnippetId
    name: str
    text: str
    updated_at: UtcTime


class SnippetList(Model):
    """All snippets, by name."""

    items: list[Snippet]


class SnippetToKeep(Request):
    """A snippet to make, or how it is from now on."""

    name: Name
    text: Annotated[str, Meta(min_length=1, max_length=4000)]


def _shown(row: SnippetRow) -> Snippet:
    return Snippet(id=out("snippet", row.id), name=row.name, text=row.text, updated_at=time(row.updated_at))


async def list_snippets(call: Call[NoQuery, None]) -> SnippetList:
    """List snippets."""
    return SnippetList(items=[_shown(row) for row in await call.read(snippets.list_snippets, call.account_id)])


async def create_snippet(call: Call[NoQuery, SnippetToKeep]) -> Snippet:
    """Make a snippet."""
    command = snippets.WriteSnippet(
        account_id=call.account_id, snippet_id=call.new_id(), name=call.body.name, text=call.body.text, is_new=True
    )
    return _shown(await call.write(snippets.write_snippets, command))


async def change_snippet(call: Call[NoQuery, SnippetToKeep]) -> Snippet:
    """Write a snippet anew."""
    command = snippets.WriteSnippet(
        account_id=call.account_id, snippet_id=call.path["snippet_id"], name=call.body.name, text=call.body.text
    )
    return _shown(await call.write(snippets.write_snippets, command))


async def delete_snippet(call: Call[NoQuery, None]) -> None:
    """Remove a snippet."""
    await call.write(
        snippets.delete_snippets,
        snippets.DeleteSnippet(account_id=call.account_id, snippet_id=call.path["snippet_id"]),
    )


_ALL = "/v1/snippets"
_ONE = "/v1/snippets/{snippet_id}"
_EXAMPLE = {"name": "Opening hours", "text": "We are open from 9:00 to 18:00, Saturdays until 16:00."}
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_snippets, knows_lines=True, scope=Scope.MESSAGES_READ, query=NoQuery, body=NoBody,
        returns=SnippetList,
    ),
    Operation(
        method="POST", path=_ALL, run=create_snippet, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=SnippetToKeep,
        returns=Snippet, status=201, errors=(Code.CONFLICT,), example=_EXAMPLE,
    ),
    Operation(
        method="PATCH", path=_ONE, run=change_snippet, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=SnippetToKeep,
        returns=Snippet, example=_EXAMPLE,
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_snippet, knows_lines=True, scope=Scope.CONVERSATIONS_WRITE, query=NoQuery, body=NoBody,
        returns=NoBody, status=204,
    ),
)  # fmt: skip
