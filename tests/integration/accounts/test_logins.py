"""Logins on real databases: names, passwords of two kinds, and how soon a change is known."""

import bcrypt
import pytest

from hub.accounts.account import CreateAccount, create_accounts
from hub.accounts.credentials import TOUCH_EVERY_MS, Credentials
from hub.accounts.keys import CreateKey, RevokeKey, create_keys, revoke_keys
from hub.accounts.login_desk import LoginDesk
from hub.accounts.logins import CreateLogin, create_logins
from hub.accounts.scopes import Scope
from hub.core.effects import CredentialsChanged, Effect
from hub.core.errors import Code, HubError
from hub.core.ids import IdSource
from hub.storage.database import Database
from hub.storage.logins import find_login, list_logins
from hub.storage.transaction import Done, Refused, Tx
from tests.fakes import FakeClock, seeded_bytes

pytestmark = pytest.mark.anyio


class Desk:
    """Two accounts, and the logins as two hub processes see them."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource) -> None:
        self.db, self.clock, self.ids = db, clock, ids
        self.account_id, self.other_id = ids.next(clock.now()), ids.next(clock.now())
        for account_id in (self.account_id, self.other_id):
            db.write_now(create_accounts, CreateAccount(id=account_id, name="Shop"))
        self.keys_here = Credentials(db, clock, requests_per_second=100)
        self.keys_elsewhere = Credentials(db, clock, requests_per_second=100)
        random = seeded_bytes(3).randbytes
        self.here = LoginDesk(db, clock, ids, self.keys_here, requests_per_second=100, random=random)
        self.elsewhere = LoginDesk(db, clock, ids, self.keys_elsewhere, requests_per_second=100, random=random)
        db.writer.on_effects = self._tell

    def _tell(self, effects: object) -> None:
        assert isinstance(effects, list)
        for effect in effects:
            one: Effect = effect
            if isinstance(one, CredentialsChanged):
                self.keys_here.forget(one)

    async def code_of(self, username: str, password: str, desk: LoginDesk | None = None) -> Code | None:
        """Why a login does not work; None when it does."""
        try:
            await (desk or self.here).check(username, password)
        except HubError as error:
            return error.code
        return None

    async def imported(self, username: str, password_hash: str) -> None:
        command = CreateLogin(
            id=self.ids.next(self.clock.now()),
            account_id=self.account_id,
            username=username,
            password_hash=password_hash,
        )
        await self.db.writer.submit(create_logins, command, *command.keys())


@pytest.fixture
def desk(db: Database, clock: FakeClock, ids: IdSource) -> Desk:
    return Desk(db, clock, ids)


async def test_a_login_acts_for_its_account_without_the_scopes_for_credentials(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id)
    principal = (await desk.here.check(made.row.username, made.password)).principal
    assert (principal.account_id, principal.key_id, principal.key_name) == (
        desk.account_id,
        made.row.id,
        made.row.username,
    )
    assert Scope.MESSAGES_SEND in principal.scopes
    assert Scope.KEYS_WRITE not in principal.scopes


async def test_made_up_names_and_passwords_are_easy_to_type(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id)
    assert len(made.row.username) == 6
    assert made.row.username.isupper() or made.row.username.isdigit()
    assert len(made.password) == 20
    assert made.password == made.password.lower()


async def test_the_password_is_stored_nowhere_and_shown_in_no_representation(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id, password="correct horse 1")
    dump = desk.db.read_now(lambda conn: conn.exec_driver_sql("select * from basic_login").all())
    assert "correct horse" not in str(dump)
    assert "correct horse" not in repr(made)
    assert made.row.password_hash not in repr(made.row)


async def test_a_name_is_taken_whatever_its_case_and_in_whatever_account(desk: Desk) -> None:
    await desk.here.create(desk.account_id, "Till", "long enough 1")
    with pytest.raises(HubError) as refused:
        await desk.here.create(desk.other_id, "tILL")
    assert refused.value.code is Code.CONFLICT
    assert await desk.code_of("TILL", "long enough 1") is None


async def test_a_made_up_name_that_is_taken_is_made_up_anew(desk: Desk) -> None:
    first = await desk.here.create(desk.account_id)
    again = LoginDesk(
        desk.db,
        desk.clock,
        desk.ids,
        desk.keys_here,
        requests_per_second=100,
        random=seeded_bytes(3).randbytes,
    )
    assert (await again.create(desk.account_id)).row.username != first.row.username


async def test_two_of_one_batch_cannot_have_the_same_name(desk: Desk) -> None:
    commands = [
        CreateLogin(id=desk.ids.next(1), account_id=desk.account_id, username=name, password_hash="x")
        for name in ("till", "Till")
    ]
    outcomes: list[object] = []
    with desk.db.write_engine.connect() as conn, conn.begin():
        outcomes += create_logins(Tx(conn, 1, desk.db.dialect, lambda: desk.ids.next(1)), commands)
    assert [type(outcome) for outcome in outcomes] == [Done, Refused]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "<b>", "a&b", "ä", "x" * 65, "a\n"])
async def test_a_name_that_basic_or_a_phone_cannot_show_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(HubError) as refused:
        await desk.here.create(desk.account_id, name)
    assert refused.value.code is Code.VALIDATION


@pytest.mark.parametrize("password", ["short", "x" * 129, "with a\nnewline in it"])
async def test_a_password_nobody_should_have_is_refused(desk: Desk, password: str) -> None:
    with pytest.raises(HubError) as refused:
        await desk.here.create(desk.account_id, "till", password)
    assert refused.value.code is Code.VALIDATION


@pytest.mark.parametrize(("name", "password"), [("till", "wrong password"), ("nobody", "long enough 1"), ("", "")])
async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(desk: Desk, name: str, password: str) -> None:
    await desk.here.create(desk.account_id, "till", "long enough 1")
    with pytest.raises(HubError) as refused:
        await desk.here.check(name, password)
    assert (refused.value.code, refused.value.fields) == (Code.WRONG_LOGIN, ())
    assert name not in refused.value.detail or not name


async def test_a_changed_password_ends_the_old_one_at_once_here_and_with_the_next_look_elsewhere(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id, "till", "the old one 1")
    await desk.keys_elsewhere.look()
    assert await desk.code_of("till", "the old one 1") is None
    assert await desk.code_of("till", "the old one 1", desk.elsewhere) is None
    await desk.here.set_password(desk.account_id, made.row.id, "the new one 1")
    assert await desk.code_of("till", "the old one 1") is Code.WRONG_LOGIN
    assert await desk.code_of("till", "the new one 1") is None
    assert await desk.code_of("till", "the old one 1", desk.elsewhere) is None
    await desk.keys_elsewhere.look()
    assert await desk.code_of("till", "the old one 1", desk.elsewhere) is Code.WRONG_LOGIN


async def test_a_deleted_login_ends_at_once_and_frees_its_name(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id, "till", "long enough 1")
    assert await desk.code_of("till", "long enough 1") is None
    await desk.here.delete(desk.account_id, made.row.id)
    assert await desk.code_of("till", "long enough 1") is Code.WRONG_LOGIN
    assert (await desk.here.create(desk.other_id, "till")).row.account_id == desk.other_id


async def test_nobody_changes_another_accounts_login(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id, "till", "long enough 1")
    for attempt in (desk.here.set_password(desk.other_id, made.row.id), desk.here.delete(desk.other_id, made.row.id)):
        with pytest.raises(HubError) as refused:
            await attempt
        assert refused.value.code is Code.NOT_FOUND
    assert desk.db.read_now(find_login, desk.other_id, made.row.id) is None
    assert desk.db.read_now(list_logins, desk.other_id, None, 10) == []
    assert await desk.code_of("till", "long enough 1") is None
    assert not await desk.here.is_password_of(desk.other_id, made.row.id, "long enough 1")
    assert await desk.here.is_password_of(desk.account_id, made.row.id, "long enough 1")


@pytest.mark.parametrize("kind", [b"2a", b"2b", b"2y"])
async def test_a_bcrypt_hash_that_was_moved_in_works(desk: Desk, kind: bytes) -> None:
    hashed = bcrypt.hashpw(b"moved password", bcrypt.gensalt(4)).replace(b"$2b$", b"$" + kind + b"$")
    await desk.imported("ABCDEF", hashed.decode())
    assert await desk.code_of("ABCDEF", "moved password") is None
    assert await desk.code_of("abcdef", "moved password") is None
    assert await desk.code_of("ABCDEF", "another password") is Code.WRONG_LOGIN


async def test_a_long_password_with_a_bcrypt_hash_is_compared_as_bcrypt_does(desk: Desk) -> None:
    await desk.imported("ABCDEF", bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())
    assert await desk.code_of("ABCDEF", "x" * 80) is None


@pytest.mark.parametrize("stored", ["", "plain", "$2a$99$" + "a" * 53, "$argon2id$broken"])
async def test_a_hash_that_is_none_lets_nobody_in(desk: Desk, stored: str) -> None:
    await desk.imported("ABCDEF", stored)
    assert await desk.code_of("ABCDEF", stored) is Code.WRONG_LOGIN


async def test_guessing_one_name_is_slowed_down_and_those_who_know_the_password_are_not(desk: Desk) -> None:
    await desk.here.create(desk.account_id, "till", "long enough 1")
    assert await desk.code_of("till", "long enough 1") is None
    guesses = [await desk.code_of("till", f"guess number {number}") for number in range(12)]
    assert guesses[0] is Code.WRONG_LOGIN
    assert guesses[-1] is Code.RATE_LIMITED
    assert await desk.code_of("till", "long enough 1") is None
    desk.clock.advance(10)
    assert await desk.code_of("till", "one more guess") is Code.WRONG_LOGIN


async def test_a_password_is_checked_once_and_then_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.here.create(desk.account_id, "till", "long enough 1")
    assert await desk.code_of("till", "long enough 1") is None
    monkeypatch.setattr("hub.accounts.login_desk.is_right", lambda _password, _stored: False)
    assert await desk.code_of("till", "long enough 1") is None
    assert await desk.code_of("till", "long enough 2") is Code.WRONG_LOGIN


async def test_a_key_that_changes_makes_the_desk_look_again_and_nothing_worse(desk: Desk) -> None:
    await desk.here.create(desk.account_id, "till", "long enough 1")
    assert await desk.code_of("till", "long enough 1") is None
    key = CreateKey(
        id=desk.ids.next(desk.clock.now()),
        account_id=desk.account_id,
        name="k",
        scopes=frozenset(Scope),
        sha256="0" * 64,
        hint="0000",
    )
    await desk.db.writer.submit(create_keys, key, *key.keys())
    revoke = RevokeKey(account_id=desk.account_id, key_id=key.id)
    await desk.db.writer.submit(revoke_keys, revoke, *revoke.keys())
    assert await desk.code_of("till", "long enough 1") is None


async def test_the_last_use_is_told_to_the_minute(desk: Desk) -> None:
    made = await desk.here.create(desk.account_id, "till", "long enough 1")

    def last_use() -> int | None:
        row = desk.db.read_now(find_login, desk.account_id, made.row.id)
        assert row is not None
        return row.last_used_at

    assert last_use() is None
    await desk.code_of("till", "long enough 1")
    first = last_use()
    assert first == desk.clock.now()
    desk.clock.advance(30)
    await desk.code_of("till", "long enough 1")
    assert last_use() == first
    desk.clock.advance(TOUCH_EVERY_MS / 1000)
    await desk.code_of("till", "long enough 1")
    assert last_use() == desk.clock.now()
