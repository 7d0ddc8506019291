"""Keys on real databases: rotation, revocation, and how soon the cache of every process knows."""

import secrets

import pytest

from hub.accounts.account import CreateAccount, UpdateAccount, create_accounts, update_accounts
from hub.accounts.credentials import TOUCH_EVERY_MS, Credentials
from hub.accounts.keys import (
    CreateKey,
    RevokeKey,
    RotateKey,
    UpdateKey,
    create_keys,
    new_secret,
    revoke_keys,
    rotate_keys,
    update_keys,
)
from hub.accounts.scopes import Scope
from hub.core.effects import CredentialsChanged, Effect
from hub.core.errors import Code, HubError
from hub.core.ids import IdSource
from hub.storage.accounts import KeyRow, find_key, list_keys
from hub.storage.database import Database
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio
ALL = frozenset(Scope)


class Accounts:
    """One account, and what is done with its keys."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource) -> None:
        self.db, self.clock, self.ids = db, clock, ids
        self.account_id = ids.next(clock.now())
        db.write_now(create_accounts, CreateAccount(id=self.account_id, name="Shop"))
        self.here = Credentials(db, clock, requests_per_second=100)
        self.elsewhere = Credentials(db, clock, requests_per_second=100)
        db.writer.on_effects = self._tell

    def _tell(self, effects: object) -> None:
        assert isinstance(effects, list)
        for effect in effects:
            one: Effect = effect
            if isinstance(one, CredentialsChanged):
                self.here.forget(one)

    async def make(self, scopes: frozenset[Scope] = ALL, expires_in: float | None = None) -> tuple[KeyRow, str]:
        made = new_secret(secrets.token_bytes)
        command = CreateKey(
            id=self.ids.next(self.clock.now()),
            account_id=self.account_id,
            name="Till",
            scopes=scopes,
            sha256=made.sha256,
            hint=made.hint,
            expires_at=None if expires_in is None else self.clock.now() + round(expires_in * 1000),
        )
        return await self.db.writer.submit(create_keys, command, *command.keys()), made.token

    async def rotate(self, key_id: str, overlap: int = 3600) -> tuple[KeyRow, str]:
        made = new_secret(secrets.token_bytes)
        command = RotateKey(
            account_id=self.account_id,
            key_id=key_id,
            own=ALL,
            new_id=self.ids.next(self.clock.now()),
            sha256=made.sha256,
            hint=made.hint,
            overlap_seconds=overlap,
        )
        return await self.db.writer.submit(rotate_keys, command, *command.keys()), made.token

    async def revoke(self, key_id: str) -> None:
        command = RevokeKey(account_id=self.account_id, key_id=key_id)
        await self.db.writer.submit(revoke_keys, command, *command.keys())

    async def code_of(self, token: str, credentials: Credentials | None = None) -> Code | None:
        """Why a key does not work; None when it does."""
        try:
            await (credentials or self.here).find(token)
        except HubError as error:
            return error.code
        return None


@pytest.fixture
def accounts(db: Database, clock: FakeClock, ids: IdSource) -> Accounts:
    return Accounts(db, clock, ids)


async def test_a_key_works_for_its_account_with_its_scopes(accounts: Accounts) -> None:
    row, token = await accounts.make(frozenset({Scope.MESSAGES_READ}))
    principal = (await accounts.here.find(token)).principal
    assert (principal.account_id, principal.key_id) == (accounts.account_id, row.id)
    assert principal.scopes == {Scope.MESSAGES_READ}
    with pytest.raises(HubError, match="messages:send"):
        principal.require(Scope.MESSAGES_SEND)


async def test_the_key_itself_is_stored_nowhere(accounts: Accounts) -> None:
    _, token = await accounts.make()
    dump = accounts.db.read_now(lambda conn: conn.exec_driver_sql("select * from api_key").all())
    assert token not in str(dump)
    assert token[4:30] not in str(dump)


async def test_an_unknown_key_is_unauthenticated(accounts: Accounts) -> None:
    assert await accounts.code_of("hub_" + "x" * 52) is Code.UNAUTHENTICATED


async def test_a_revoked_key_ends_at_once_here_and_with_the_next_look_elsewhere(accounts: Accounts) -> None:
    row, token = await accounts.make()
    await accounts.elsewhere.look()
    assert await accounts.code_of(token) is None
    assert await accounts.code_of(token, accounts.elsewhere) is None
    await accounts.revoke(row.id)
    assert await accounts.code_of(token) is Code.KEY_REVOKED
    assert await accounts.code_of(token, accounts.elsewhere) is None, "its own cache: nobody has told it yet"
    await accounts.elsewhere.look()
    assert await accounts.code_of(token, accounts.elsewhere) is Code.KEY_REVOKED


async def test_a_look_without_a_change_keeps_what_is_cached(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = await accounts.make()
    await accounts.here.look()
    await accounts.here.find(token)
    await accounts.here.look()
    monkeypatch.setattr(accounts.db, "read", None)
    assert await accounts.code_of(token) is None


async def test_a_key_revoked_while_it_was_being_read_is_not_remembered(accounts: Accounts) -> None:
    row, token = await accounts.make()
    read = accounts.db.read
    revoked = False

    async def read_then_revoke(fn: object, *args: object) -> object:
        nonlocal revoked
        found: object = await read(fn, *args)  # type: ignore[arg-type]
        if not revoked:
            revoked = True
            await accounts.revoke(row.id)
        return found

    accounts.db.read = read_then_revoke  # type: ignore[method-assign, assignment]
    assert await accounts.code_of(token) is Code.KEY_REVOKED


async def test_an_expired_key_ends_by_the_clock_alone(accounts: Accounts) -> None:
    _, token = await accounts.make(expires_in=60)
    assert await accounts.code_of(token) is None
    accounts.clock.advance(59.9)
    assert await accounts.code_of(token) is None
    accounts.clock.advance(0.1)
    assert await accounts.code_of(token) is Code.KEY_EXPIRED
    assert await accounts.code_of(token, accounts.elsewhere) is Code.KEY_EXPIRED


async def test_a_key_that_would_be_over_already_is_not_made(accounts: Accounts) -> None:
    with pytest.raises(HubError, match="ended already"):
        await accounts.make(expires_in=-1)


async def test_rotating_leaves_both_alive_for_the_overlap(accounts: Accounts) -> None:
    old, old_token = await accounts.make(frozenset({Scope.MESSAGES_READ}))
    new, new_token = await accounts.rotate(old.id, overlap=600)
    assert (new.name, new.scopes, new.replaces_id) == (old.name, old.scopes, old.id)
    assert await accounts.code_of(old_token) is None
    assert await accounts.code_of(new_token) is None
    accounts.clock.advance(600)
    assert await accounts.code_of(old_token) is Code.KEY_EXPIRED
    assert await accounts.code_of(new_token) is None


async def test_rotating_never_prolongs_a_key(accounts: Accounts) -> None:
    old, old_token = await accounts.make(expires_in=60)
    await accounts.rotate(old.id, overlap=3600)
    accounts.clock.advance(60)
    assert await accounts.code_of(old_token) is Code.KEY_EXPIRED


async def test_two_are_alive_at_most(accounts: Accounts) -> None:
    first, first_token = await accounts.make()
    second, second_token = await accounts.rotate(first.id)
    _, third_token = await accounts.rotate(second.id)
    assert await accounts.code_of(first_token) is Code.KEY_REVOKED
    assert await accounts.code_of(second_token) is None
    assert await accounts.code_of(third_token) is None


async def test_a_key_with_a_living_successor_is_not_rotated_again(accounts: Accounts) -> None:
    first, _ = await accounts.make()
    second, _ = await accounts.rotate(first.id)
    with pytest.raises(HubError, match="rotate that one"):
        await accounts.rotate(first.id)
    await accounts.revoke(second.id)
    await accounts.rotate(first.id)


async def test_an_ended_key_cannot_be_rotated_or_changed(accounts: Accounts) -> None:
    row, _ = await accounts.make()
    await accounts.revoke(row.id)
    with pytest.raises(HubError) as caught:
        await accounts.rotate(row.id)
    assert caught.value.code is Code.CONFLICT
    with pytest.raises(HubError):
        accounts.db.write_now(
            update_keys, UpdateKey(account_id=accounts.account_id, key_id=row.id, own=ALL, name="Other")
        )


async def test_changed_scopes_count_at_once(accounts: Accounts) -> None:
    row, token = await accounts.make(frozenset({Scope.MESSAGES_READ}))
    await accounts.here.find(token)
    command = UpdateKey(account_id=accounts.account_id, key_id=row.id, own=ALL, scopes=frozenset({Scope.MESSAGES_SEND}))
    await accounts.db.writer.submit(update_keys, command, *command.keys())
    assert (await accounts.here.find(token)).principal.scopes == {Scope.MESSAGES_SEND}


async def test_rotating_and_changing_hand_out_no_more_than_who_asks_has(accounts: Accounts) -> None:
    row, _ = await accounts.make()
    few = frozenset({Scope.KEYS_WRITE})
    rotate = RotateKey(
        account_id=accounts.account_id, key_id=row.id, own=few, new_id="n" * 24, sha256="0" * 64, hint="0000"
    )
    with pytest.raises(HubError) as caught:
        accounts.db.write_now(rotate_keys, rotate)
    assert caught.value.code is Code.SCOPE_MISSING
    change = UpdateKey(account_id=accounts.account_id, key_id=row.id, own=few, scopes=frozenset({Scope.ACCOUNT_WRITE}))
    with pytest.raises(HubError):
        accounts.db.write_now(update_keys, change)


async def test_another_accounts_key_is_not_there(accounts: Accounts) -> None:
    row, token = await accounts.make()
    other = accounts.ids.next(accounts.clock.now())
    accounts.db.write_now(create_accounts, CreateAccount(id=other, name="Other"))
    with pytest.raises(HubError) as caught:
        accounts.db.write_now(revoke_keys, RevokeKey(account_id=other, key_id=row.id))
    assert caught.value.code is Code.NOT_FOUND
    assert await accounts.db.read(find_key, other, row.id) is None
    assert await accounts.db.read(list_keys, other, None, 10) == []
    assert await accounts.code_of(token) is None


async def test_keys_are_listed_newest_first_in_pages(accounts: Accounts) -> None:
    made = [(await accounts.make())[0].id for _ in range(5)]
    first = await accounts.db.read(list_keys, accounts.account_id, None, 3)
    rest = await accounts.db.read(list_keys, accounts.account_id, first[-1].id, 3)
    assert [row.id for row in [*first, *rest]] == made[::-1]


async def test_last_use_is_written_at_most_once_a_minute_and_never_back(accounts: Accounts) -> None:
    row, token = await accounts.make()

    async def last_use() -> int | None:
        found = await accounts.db.read(find_key, accounts.account_id, row.id)
        assert found is not None
        return found.last_used_at

    await accounts.here.find(token)
    assert await last_use() is None
    await accounts.here.write_last_uses()
    first = await last_use()
    assert first == accounts.clock.now()
    accounts.clock.advance(30)
    await accounts.here.find(token)
    await accounts.here.write_last_uses()
    assert await last_use() == first
    accounts.clock.advance(TOUCH_EVERY_MS / 1000)
    await accounts.here.write_last_uses()
    assert await last_use() == first + 30_000, "the use is kept until it is time to write it"


async def test_a_key_that_asks_too_much_is_told_when_to_come_back(accounts: Accounts) -> None:
    _, token = await accounts.make()
    credential = await accounts.here.find(token)
    for _ in range(400):
        accounts.here.take(credential)
    with pytest.raises(HubError) as caught:
        accounts.here.take(credential)
    assert caught.value.code is Code.RATE_LIMITED
    assert caught.value.retry_after_seconds == pytest.approx(0.01)
    accounts.clock.advance(0.01)
    accounts.here.take(credential)


async def test_settings_are_remembered_and_forgotten_like_keys(accounts: Accounts) -> None:
    assert (await accounts.here.settings_of(accounts.account_id)).default_region is None
    await accounts.elsewhere.look()
    await accounts.elsewhere.settings_of(accounts.account_id)
    command = UpdateAccount(account_id=accounts.account_id, settings={"default_region": "GB"})
    await accounts.db.writer.submit(update_accounts, command, *command.keys())
    assert (await accounts.here.settings_of(accounts.account_id)).default_region == "GB"
    await accounts.elsewhere.look()
    assert (await accounts.elsewhere.settings_of(accounts.account_id)).default_region == "GB"
