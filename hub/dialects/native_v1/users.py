"""People who use the dashboard: invited by a one-time link, with a role, and with all lines or some."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hub.accounts.roles import Role
from hub.accounts.scopes import Scope
from hub.accounts.user_links import MakePasswordLink, make_password_links, new_link, password_address
from hub.accounts.users import (
    LINK_SECONDS,
    CreateUser,
    RemoveUser,
    UpdateUser,
    create_users,
    remove_users,
    update_users,
    username_of,
)
from hub.core.errors import Code
from hub.dialects.native_v1.fields import (
    LineId,
    Model,
    Name,
    NextCursor,
    PageQuery,
    Request,
    UserId,
    UtcTime,
    bare,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.storage.users import UserRow, find_user
from hub.storage.users import list_users as read_users

Username = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="What they sign in with: a mail address, or a name without spaces."),
]
LineList = Annotated[
    list[LineId] | None, Meta(description="The lines they see and send by; null = all, also those to come.")
]


class User(Model):
    """A person who may use the dashboard."""

    id: UserId
    username: str
    name: str
    role: Role
    line_ids: LineList
    has_password: Annotated[bool, Meta(description="false = invited, and has not followed the link yet.")]
    has_second_factor: bool
    is_disabled: bool
    created_at: UtcTime
    last_seen_at: Annotated[UtcTime | None, Meta(description="To the minute.")]


class UserWithLink(Model):
    """A person, and the one-time address by which they choose a password."""

    user: User
    link: Annotated[str, Meta(description="Give it to them and to nobody else. It is in this answer and nowhere else.")]
    expires_at: UtcTime


class UserPage(Model):
    """People, newest first."""

    items: list[User]
    next_cursor: NextCursor


class UserToInvite(Request):
    """A new person."""

    username: Username
    name: Name
    role: Role
    line_ids: LineList = None


class UserChange(Request):
    """What to change; what is not named stays."""

    username: Username | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    line_ids: LineList | UnsetType = UNSET
    is_disabled: Annotated[bool, Meta(description="true = signed out everywhere and not let in.")] | UnsetType = UNSET


class LinkToMake(Request):
    """A link to a new password."""

    drops_second_factor: Annotated[bool, Meta(description="For somebody who lost their authenticator app.")] = False


def shown(row: UserRow) -> User:
    """A person as customers see them."""
    return User(
        id=out("user", row.id),
        username=row.username,
        name=row.name,
        role=Role(row.role),
        line_ids=None if row.lines is None else [out("line", line) for line in sorted(row.lines)],
        has_password=row.password_hash is not None,
        has_second_factor=row.totp_secret is not None,
        is_disabled=row.disabled_at is not None,
        created_at=time(row.created_at),
        last_seen_at=time_or_none(row.last_seen_at),
    )


def _lines(shown_ids: list[str] | None) -> frozenset[str] | None:
    return None if shown_ids is None else frozenset(bare("line", one, "line_ids") for one in shown_ids)


async def list_users(call: Call[PageQuery, None]) -> UserPage:
    """List people.

    Newest first.
    """
    limit = call.query.limit
    rows = await call.read(read_users, call.account_id, id_cursor(call.query.cursor), limit + 1)
    page, has_more = cut(rows, limit)
    return UserPage(items=[shown(row) for row in page], next_cursor=page[-1].id if has_more else None)


async def invite_user(call: Call[NoQuery, UserToInvite]) -> UserWithLink:
    """Invite a person.

    They choose a password by the link in the answer, within seven days. Nobody invites somebody who may do more than they
    may themselves.
    """
    body, link = call.body, new_link()
    command = CreateUser(
        id=call.new_id(),
        account_id=call.account_id,
        username=username_of(body.username),
        name=body.name,
        role=body.role,
        line_ids=_lines(body.line_ids),
        own=call.who.scopes,
        link_sha256=link.sha256,
    )
    return _with_link(call, await call.write(create_users, command), link.token)


def _with_link(
    call: Call[NoQuery, UserToInvite] | Call[NoQuery, LinkToMake | None], row: UserRow, token: str
) -> UserWithLink:
    link = password_address(call.services.config.base_url, token)
    return UserWithLink(user=shown(row), link=link, expires_at=time(call.now + LINK_SECONDS * 1000))


async def get_user(call: Call[NoQuery, None]) -> User:
    """Read one person."""
    return shown(found(await call.read(find_user, call.account_id, call.path["user_id"])))


async def change_user(call: Call[NoQuery, UserChange]) -> User:
    """Change a person.

    Their role and lines count from the next request on. The last administrator stays one.
    """
    body = call.body
    command = UpdateUser(
        account_id=call.account_id,
        user_id=call.path["user_id"],
        own=call.who.scopes,
        username=username_of(body.username) if isinstance(body.username, str) else UNSET,
        name=body.name,
        role=body.role,
        line_ids=UNSET if isinstance(body.line_ids, UnsetType) else _lines(body.line_ids),
        is_disabled=body.is_disabled,
    )
    return shown(await call.write(update_users, command))


async def remove_user(call: Call[NoQuery, None]) -> User:
    """Remove a person.

    They are signed out and forgotten. What they did stays.
    """
    command = RemoveUser(account_id=call.account_id, user_id=call.path["user_id"], own=call.who.scopes)
    return shown(await call.write(remove_users, command))


async def create_user_link(call: Call[NoQuery, LinkToMake | None]) -> UserWithLink:
    """Make a password link.

    For somebody who forgot theirs, or let the first link pass. The old password works until the link is used.
    """
    body, link = call.body or LinkToMake(), new_link()
    command = MakePasswordLink(
        account_id=call.account_id,
        user_id=call.path["user_id"],
        own=call.who.scopes,
        sha256=link.sha256,
        drops_totp=body.drops_second_factor,
    )
    return _with_link(call, await call.write(make_password_links, command), link.token)


_ALL = "/v1/users"
_ONE = "/v1/users/{user_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_users, scope=Scope.USERS_READ, query=PageQuery, body=NoBody, returns=UserPage,
    ),
    Operation(
        method="POST", path=_ALL, run=invite_user, scope=Scope.USERS_WRITE, query=NoQuery, body=UserToInvite,
        returns=UserWithLink, status=201, errors=(Code.CONFLICT,),
        example={"username": "max@example.org", "name": "Max", "role": "member"},
    ),
    Operation(method="GET", path=_ONE, run=get_user, scope=Scope.USERS_READ, query=NoQuery, body=NoBody, returns=User),
    Operation(
        method="PATCH", path=_ONE, run=change_user, scope=Scope.USERS_WRITE, query=NoQuery, body=UserChange, returns=User,
        errors=(Code.CONFLICT,), example={"role": "read_only"},
    ),
    Operation(
        method="DELETE", path=_ONE, run=remove_user, scope=Scope.USERS_WRITE, query=NoQuery, body=NoBody, returns=User,
        errors=(Code.CONFLICT,),
    ),
    Operation(
        method="POST", path=_ONE + "/link", run=create_user_link, scope=Scope.USERS_WRITE, query=NoQuery,
        body=LinkToMake, is_body_optional=True, returns=UserWithLink, status=201, errors=(Code.CONFLICT,),
        example={"drops_second_factor": True},
    ),
)  # fmt: skip
