"""SMTP sessions: who signs in, how long a mail may take, and a certificate that is renewed under way. The judge is `aiosmtplib`."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from hub.accounts.scopes import Scope
from hub.core.errors import Code
from hub.core.ids import IdSource
from hub.dialects.mail import listener as listening
from hub.dialects.mail.session import SmtpSession
from tests.fakes import FakeClock
from tests.integration.api.hub_api import problem
from tests.integration.dialects.mail_house import ANNA, PEER, TYPE, House, a_house, letter
from tests.integration.messages.world import STRANGER

pytestmark = pytest.mark.anyio


async def hand_in(house: House, raw: bytes, key: str | None = None, *, name: str = "anybody") -> int:
    """By SMTP; the code of the data, or of what was refused before it."""
    async with house.client() as client:
        try:
            if key is not None:
                await client.login(name, key)
            await client.mail(ANNA)
            await client.rcpt(house.address())
            return (await client.data(raw)).code
        except aiosmtplib.SMTPResponseException as error:
            return error.code


async def test_a_mailbox_that_needs_a_key_takes_mails_of_those_who_sign_in_alone(tls_house: House) -> None:
    house, api = tls_house, tls_house.api
    await house.open(needs_key=True)
    weak = api.make_key(scopes=frozenset({Scope.KEYS_WRITE}))
    wrong = {None: 530, "x" * 40: 535, "hub_" + "x" * 43: 535, weak: 535, api.make_key(STRANGER): 554}
    assert {key: await hand_in(house, letter(), key) for key in wrong} == wrong
    assert not house.texts()
    assert await hand_in(house, letter(message_id="1"), api.key) == 250
    assert await hand_in(house, letter(sender="bert@example.org", message_id="2"), api.key) == 554
    async with house.client() as client:
        client.esmtp_extensions["auth"] = "LOGIN"
        client.server_auth_methods[:] = ["login"]
        await client.login("anybody", api.key)
        await client.mail(ANNA, options=["AUTH=<>"])
        assert (await client.rcpt(house.address()))[0] == 250
    assert len(house.texts()) == 1
    assert (await api.patch(f"/v1/mailboxes/{house.info['id']}", {"needs_key": False}))["needs_key"] is False
    assert await hand_in(house, letter(message_id="3")) == 250


async def test_the_same_key_opens_such_a_mailbox_by_http(house: House) -> None:
    api = house.api
    await house.open(needs_key=True)

    async def post(key: str | None) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await house.http.post(
            f"/mail/{house.local}", params={"to": PEER}, content=letter(), headers={**TYPE, **headers}
        )

    problem(await post(None), Code.WRONG_LOGIN)
    problem(await post("hub_" + "x" * 43), Code.UNAUTHENTICATED)
    problem(await post(api.make_key(STRANGER)), Code.SCOPE_MISSING)
    problem(await post(api.make_key(scopes=frozenset({Scope.MESSAGES_READ}))), Code.SCOPE_MISSING)
    assert not house.texts()
    assert (await post(api.key)).status_code == 200


async def test_signing_in_is_offered_inside_tls_alone_and_three_times(tls_house: House) -> None:
    house = tls_house
    plain = aiosmtplib.SMTP(hostname="127.0.0.1", port=house.listener.port, start_tls=False, timeout=60)
    async with plain:
        await plain.ehlo()
        assert (plain.supports_extension("starttls"), plain.supports_extension("auth")) == (True, False)
        assert (await plain.execute_command(b"AUTH", b"PLAIN", b"AHgAeA==")).code == 538
    async with house.client() as client:
        await client.ehlo()
        assert client.supports_extension("auth")
        answers = [(await client.execute_command(b"AUTH", b"PLAIN", b"AHgAeA==")).code for _ in range(4)]
        assert answers == [535, 535, 535, 421]


async def test_a_key_that_cannot_be_looked_up_now_is_not_called_wrong(
    tls_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_token: str) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(tls_house.api.services.credentials, "find", broken)
    assert await hand_in(tls_house, letter(), tls_house.api.key) == 454


# --- time --------------------------------------------------------------------------------------------------------------------------------


class Watched(SmtpSession):
    """Says of each piece that came when the session would be cut off for silence after it."""

    newest: "Watched"

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.came: asyncio.Queue[float] = asyncio.Queue()
        Watched.newest = self

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.came.put_nowait(self.ends_at())

    def ends_at(self) -> float:
        assert self._timeout_handle is not None
        return self._timeout_handle.when()


@asynccontextmanager
async def mailing(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a mail may be sent now."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.listener.port)
    for line in ("EHLO me", f"MAIL FROM:<{ANNA}>", f"RCPT TO:<{house.address()}>", "DATA"):
        writer.write(f"{line}\r\n".encode())
    while not (await reader.readline()).startswith(b"354"):
        pass
    yield reader, writer
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def test_each_piece_of_a_mail_gives_the_next_its_time_and_half_a_command_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "SmtpSession", Watched)
    async with mailing(house) as (reader, writer):
        session = Watched.newest
        session.came = asyncio.Queue()
        moments = [session.ends_at()]
        for piece in (letter(), b"slow", b"ly\r\n"):
            writer.write(piece)
            moments.append(await session.came.get())
        assert moments == sorted(set(moments))
        writer.write(b".\r\nNOOP\r\n")
        assert (await reader.readline()).startswith(b"250 2.0.0")
        assert (await reader.readline()).startswith(b"250 OK")
        session.came, before = asyncio.Queue(), session.ends_at()
        writer.write(b"NOOP")
        assert await session.came.get() == before
    assert len(house.texts()) == 1


async def test_a_mail_that_never_ends_is_cut_off_however_steadily_it_comes(
    sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path
) -> None:
    async with a_house(sqlite_url, clock, ids, tmp_path, request_seconds=0.05) as house, mailing(house) as connection:
        reader, writer = connection
        with suppress(OSError):
            for _ in range(2000):
                writer.write(b"more\r\n")
                await writer.drain()
                with suppress(TimeoutError):
                    if await asyncio.wait_for(reader.read(1), 0.01) == b"":
                        break
            else:
                pytest.fail("the session is still alive")
        assert not house.texts()


# --- certificates ------------------------------------------------------------------------------------------------------------------------


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tls_house: House) -> None:
    house = tls_house
    assert house.certificate is not None
    assert await hand_in(house, letter(message_id="1")) == 250
    first = house.trusted
    house.certify("second")
    assert await hand_in(house, letter(message_id="2")) == 250
    second, house.trusted = house.trusted, first
    with pytest.raises(ssl.SSLCertVerificationError):
        await hand_in(house, letter(message_id="3"))
    house.trusted = second
    key_of_second = house.certificate.read_text().partition("-----BEGIN CERTIFICATE")[0]
    house.certify("third")
    house.certificate.write_text(key_of_second + house.certificate.read_text().rpartition("KEY-----\n")[2])
    house.trusted = second
    assert await hand_in(house, letter(message_id="3")) == 250
    house.certificate.unlink()
    assert await hand_in(house, letter(message_id="4")) == 250
    house.certify("fourth")
    assert await hand_in(house, letter(message_id="5")) == 250
    assert len(house.texts()) == 5
