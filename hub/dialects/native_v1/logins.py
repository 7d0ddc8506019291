"""Logins: names and passwords for programs that know nothing else, such as clients of the sms-gate.app API."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from hub.accounts.logins import LOGIN_SCOPES, LONGEST_NAME, LONGEST_PASSWORD, SHORTEST_PASSWORD
from hub.accounts.scopes import Scope, refuse_more_than
from hub.core.errors import Code
from hub.dialects.native_v1.fields import (
    LoginId,
    Model,
    NextCursor,
    PageQuery,
    Request,
    UtcTime,
    out,
    time,
    time_or_none,
)
from hub.dialects.native_v1.operation import AnyOperation, Call, NoBody, NoQuery, Operation, found
from hub.dialects.native_v1.pages import cut, id_cursor
from hub.storage.logins import LoginRow, find_login
from hub.storage.logins import list_logins as read_logins

Password = Annotated[
    str,
    Meta(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description="Without it the hub makes one of 20 characters.",
    ),
]


class Login(Model):
    """A login. Its password is not stored and cannot be shown again."""

    id: LoginId
    username: str
    created_at: UtcTime
    password_at: Annotated[UtcTime, Meta(description="When the password was set last.")]
    last_used_at: Annotated[UtcTime | None, Meta(description="To the minute.")]


class NewLogin(Model):
    """A login with its new password."""

    password: Annotated[str, Meta(description="It is in this answer and nowhere else.")]
    info: Login


class LoginPage(Model):
    """Logins, newest first."""

    items: list[Login]
    next_cursor: NextCursor


class LoginToMake(Request):
    """A new login."""

    username: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_NAME,
                description="Unique in the whole hub, whatever its case. Without it the hub makes one of six characters.",
            ),
        ]
        | None
    ) = None
    password: Password | None = None


class PasswordToSet(Request):
    """A new password."""

    password: Password | None = None


def shown(row: LoginRow) -> Login:
    """A login as its account sees it."""
    return Login(
        id=out("login", row.id),
        username=row.username,
        created_at=time(row.created_at),
        password_at=time(row.password_at),
        last_used_at=time_or_none(row.last_used_at),
    )


async def list_logins(call: Call[PageQuery, None]) -> LoginPage:
    """List logins.

    Newest first, the ones that phones were given at their registration included.
    """
    limit = call.query.limit
    rows = await call.read(read_logins, call.account_id, id_cursor(call.query.cursor), limit + 1)
    page, has_more = cut(rows, limit)
    return LoginPage(items=[shown(row) for row in page], next_cursor=page[-1].id if has_more else None)


async def create_login(call: Call[NoQuery, LoginToMake]) -> NewLogin:
    """Make a login.

    It may do all but manage keys and logins, so that the key that makes it must have those scopes itself.
    """
    body = call.body
    refuse_more_than(call.who.scopes, LOGIN_SCOPES)
    made = await call.services.logins.create(call.account_id, body.username, body.password)
    return NewLogin(password=made.password, info=shown(made.row))


async def set_login_password(call: Call[NoQuery, PasswordToSet | None]) -> NewLogin:
    """Set a login's password.

    The old one ends now, and so do the tokens that were made with it.
    """
    body = call.body or PasswordToSet()
    row = found(await call.read(find_login, call.account_id, call.path["login_id"]))
    refuse_more_than(call.who.scopes, LOGIN_SCOPES)
    made = await call.services.logins.set_password(row.account_id, row.id, body.password)
    return NewLogin(password=made.password, info=shown(made.row))


async def delete_login(call: Call[NoQuery, None]) -> Login:
    """Delete a login.

    It ends now; its name is free again.
    """
    return shown(await call.services.logins.delete(call.account_id, call.path["login_id"]))


_ALL = "/v1/logins"
_ONE = "/v1/logins/{login_id}"
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET", path=_ALL, run=list_logins, scope=Scope.KEYS_READ, query=PageQuery, body=NoBody, returns=LoginPage
    ),
    Operation(
        method="POST", path=_ALL, run=create_login, scope=Scope.KEYS_WRITE, query=NoQuery, body=LoginToMake,
        returns=NewLogin, status=201, errors=(Code.CONFLICT,), example={"username": "till-2"},
    ),
    Operation(
        method="POST", path=_ONE + "/password", run=set_login_password, scope=Scope.KEYS_WRITE, query=NoQuery,
        body=PasswordToSet, is_body_optional=True, returns=NewLogin,
    ),
    Operation(
        method="DELETE", path=_ONE, run=delete_login, scope=Scope.KEYS_WRITE, query=NoQuery, body=NoBody, returns=Login
    ),
)  # fmt: skip
