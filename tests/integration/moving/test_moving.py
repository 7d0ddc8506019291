"""Moving in from an sms-gate.app server: a dump made by a real MariaDB, a live one, an interruption, and nothing twice."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hub.core.errors import Code, HubError
from hub.core.ids import IdSource
from hub.core.progress import Step
from hub.devices.enrol import code_hash
from hub.dialects.smsgate import DIALECT
from hub.moving.smsgate import import_smsgate
from hub.services import Services
from hub.storage.database import Database
from hub.storage.mysql_dump import rows_of_dump
from hub.storage.schema.devices import Device, Line
from hub.storage.schema.messages import Message
from hub.storage.smsgate_staging import ROWS_AT_ONCE
from tests.databases import missing
from tests.fakes import FakeClock
from tests.integration.api.hub_api import make_services
from tests.integration.messages.world import ACCOUNT, World
from tests.integration.moving.mariadb import dump, is_installed, throw_away_server

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
SCRIPT, DUMP = HERE / "former_server.sql", HERE / "former_server_dump.sql"
FIRST, SECOND = ("ABCDEF", "first password"), ("SECOND", "other password")
PHONE = "PyDmBQZZXYmyxMwED8Fzy"

MOVED = {
    "users": {"new": 2, "left out": 2},
    "phones": {"new": 2, "left out": 1},
    "webhooks": {"new": 2, "left out": 3},
    "settings": {"new": 1},
    "messages": {"new": 6, "left out": 1},
}


class NewHub:
    """A hub somebody moves to."""

    def __init__(self, db: Database, clock: FakeClock, ids: IdSource, folder: Path) -> None:
        self.world = World(db, clock, ids)
        self.services: Services = make_services(db, clock, ids, folder, default_region="DE")
        self.app = Starlette(routes=list(DIALECT.routes(self.services)))

    def client(self, login: tuple[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://hub.test/3rdparty/v1", auth=login)

    async def move(self, source: Path | str = DUMP, **options: Any) -> dict[str, Any]:
        return (await import_smsgate(self.services, str(source), **options)).as_json()

    def everything(self) -> str:
        with self.services.db.write_engine.connect() as conn:
            tables = ("account", "basic_login", "device", "line", "message", "smsgate_message", "wh_endpoint")
            rows = {name: conn.exec_driver_sql(f"select * from {name} order by id").all() for name in tables}
            return str(rows)


@pytest.fixture
def new_hub(db: Database, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[NewHub]:
    hub = NewHub(db, clock, ids, tmp_path)
    yield hub
    hub.world.conn.close()


@pytest.fixture
def new_hub_on_sqlite(sqlite_url: str, clock: FakeClock, ids: IdSource, tmp_path: Path) -> Iterator[NewHub]:
    database = Database.open(sqlite_url, clock=clock, ids=ids, reader_threads=2, writer_window_ms=0.2)
    hub = NewHub(database, clock, ids, tmp_path)
    yield hub
    hub.world.conn.close()
    database.close()


async def test_everybody_finds_what_they_had(new_hub: NewHub) -> None:
    report = await new_hub.move()
    assert report["counts"] == MOVED
    first, second = new_hub.client(FIRST), new_hub.client(SECOND)
    (phone,) = (await first.get("/devices")).json()
    assert (phone["id"], phone["name"], phone["lastSeen"]) == (PHONE, "Google oriole", "2026-03-01T10:00:00.500Z")
    assert [sim["simNumber"] for sim in phone["simCards"]] == [1, 2]
    assert [one["id"] for one in (await second.get("/devices")).json()] == ["_secondsecondsecond_2"]
    tokens = {row["secret_sha256"] for row in new_hub.world.rows(Device)}
    assert tokens == {code_hash("tokentokentokentoken1"), code_hash("tokentokentokentoken2")}
    assert {row["transport"] for row in new_hub.world.rows(Device)} == {"smsgate"}
    assert len(new_hub.world.rows(Line)) == 3
    hooks = (await first.get("/webhooks")).json()
    assert {one["id"]: (one["url"], one["event"], one["deviceId"]) for one in hooks} == {
        "hook one": ("https://customer.example/in?secret=a%20b", "sms:received", None),
        "hook-2": ("https://customer.example/ping", "app:started", PHONE),
    }
    settings = (await first.get("/settings")).json()
    assert settings == {"messages": {"limit_period": "PerDay", "limit_value": 100}, "webhooks": {"retry_count": 5}}


async def test_messages_can_be_asked_for_by_their_ids(new_hub: NewHub) -> None:
    await new_hub.move()
    first, second = new_hub.client(FIRST), new_hub.client(SECOND)
    delivered = (await first.get("/messages/delivered-1")).json()
    assert delivered == {
        "id": "delivered-1", "deviceId": PHONE, "state": "Delivered", "isHashed": False, "isEncrypted": False,
        "recipients": [{"phoneNumber": "+491701234567", "state": "Delivered"}],
        "states": {
            "Pending": "2026-02-01T10:00:00.250Z", "Processed": "2026-02-01T10:00:01.000Z",
            "Sent": "2026-02-01T10:00:02.000Z", "Delivered": "2026-02-01T10:00:03.000Z",
        },
        "createdAt": "2026-02-01T10:00:00.250Z",
        "textMessage": {"text": 'It\'s "quoted",\nwith (brackets), a \\ and ✓'},
    }  # fmt: skip
    two = (await first.get("/messages/two-2")).json()
    assert [(one["state"], one.get("error")) for one in two["recipients"]] == [
        ("Delivered", None),
        ("Failed", "RESULT_ERROR_NO_SERVICE: it's off"),
    ]
    hashed = (await first.get("/messages/hashed-3")).json()
    assert (hashed["isHashed"], len(hashed["hashedMessage"]["hash"])) == (True, 64)
    listed = await first.get("/messages?includeContent=true&from=2026-02-01T11:00:00Z")
    assert [one["id"] for one in listed.json()] == ["hashed-3", "two-2"]
    assert (await second.get("/messages/data-4")).json()["dataMessage"] == {"data": "AP8=", "port": 53739}
    assert (await second.get("/messages/sealed-6")).json()["isEncrypted"] is True
    states = {one["id"]: one["state"] for one in (await second.get("/messages")).json()}
    assert states == {"data-4": "Processed", "pending-5": "Failed", "sealed-6": "Cancelled"}
    assert (await second.get("/messages/delivered-1")).status_code == 404


async def test_a_move_done_twice_moves_nothing_twice(new_hub: NewHub) -> None:
    await new_hub.move()
    before = new_hub.everything()
    again = await new_hub.move()
    assert new_hub.everything() == before
    assert {what: counts.get("new") for what, counts in again["counts"].items()} == dict.fromkeys(MOVED)
    assert {what: counts["there already"] for what, counts in again["counts"].items()} == {
        what: counts["new"] for what, counts in MOVED.items()
    }


async def test_a_dry_run_says_the_same_and_changes_nothing(new_hub_on_sqlite: NewHub) -> None:
    before = new_hub_on_sqlite.everything()
    report = await new_hub_on_sqlite.move(is_dry=True)
    assert new_hub_on_sqlite.everything() == before
    assert report == await new_hub_on_sqlite.move()


async def test_an_interrupted_move_goes_on(new_hub_on_sqlite: NewHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("hub.moving.smsgate.MESSAGES_AT_ONCE", 2)
        calls: list[int] = []
        real = import_smsgate.__globals__["moved"]

        def fails_later(*args: Any, **options: Any) -> Any:
            calls.append(1)
            if len(calls) == 4:
                raise ConnectionError("power cut")
            return real(*args, **options)

        broken.setattr("hub.moving.smsgate.moved", fails_later)
        with pytest.raises(ConnectionError):
            await new_hub_on_sqlite.move()
    assert len(new_hub_on_sqlite.world.rows(Message)) == 3
    report = await new_hub_on_sqlite.move()
    assert report["counts"]["messages"] == {"new": 4, "there already": 2, "left out": 1}
    assert len(new_hub_on_sqlite.world.rows(Message)) == 7


async def test_a_move_tells_how_far_it_is_to_the_last_row(
    new_hub_on_sqlite: NewHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.moving.smsgate.MESSAGES_AT_ONCE", 2)
    packed = tmp_path / "dump.sql.gz"
    packed.write_bytes(gzip.compress(DUMP.read_bytes()))
    told: list[Step] = []
    await new_hub_on_sqlite.move(packed, tell=told.append)
    last = {step.what: step for step in told}
    assert last == {
        step.what: step
        for step in (
            Step("Reading the dump", packed.stat().st_size, packed.stat().st_size, "bytes"),
            Step("Moving users", 4, 4),
            Step("Moving phones", 3, 3),
            Step("Moving webhooks", 5, 5),
            Step("Moving settings", 1, 1),
            Step("Moving messages", 7, 7),
        )
    }
    assert [step.done for step in told if step.what == "Moving messages"] == [2, 4, 6, 7]
    assert [step.done for step in told if step.what == "Moving phones"] == [0, 1, 2, 3]


def test_reading_a_dump_tells_how_much_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.storage.mysql_dump.TOLD_BYTES", 1)
    told: list[Step] = []
    assert len(list(rows_of_dump(DUMP, ("users",), told.append))) == 4
    size = DUMP.stat().st_size
    assert 0 < told[0].done < size
    assert told[-1] == Step("Reading the dump", size, size, "bytes")


async def test_what_waited_there_is_sent_only_when_that_is_asked_for(new_hub_on_sqlite: NewHub) -> None:
    report = await new_hub_on_sqlite.move()
    assert any("left waiting" in reason for reason in report["reasons"])
    (waiting,) = [row for row in new_hub_on_sqlite.world.rows(Message) if row["text"] == "still here"]
    assert waiting["state"] == "dead_letter"


async def test_with_send_pending_it_waits_for_its_phone(new_hub_on_sqlite: NewHub) -> None:
    await new_hub_on_sqlite.move(does_send=True)
    (waiting,) = [row for row in new_hub_on_sqlite.world.rows(Message) if row["text"] == "still here"]
    assert (waiting["state"], waiting["final_at"], waiting["device_id"]) == ("queued", None, None)
    assert '"slot":1' in waiting["sender"]
    second = new_hub_on_sqlite.client(SECOND)
    assert (await second.get("/messages/pending-5")).json()["state"] == "Pending"


async def test_the_old_id_of_a_phone_is_understood_wherever_one_is_given(new_hub_on_sqlite: NewHub) -> None:
    await new_hub_on_sqlite.move()
    first, second = new_hub_on_sqlite.client(FIRST), new_hub_on_sqlite.client(SECOND)
    body = {"phoneNumbers": ["+491701234567"], "message": "a", "deviceId": PHONE}
    sent = await first.post("/messages", json=body)
    assert (sent.status_code, sent.json()["deviceId"]) == (202, PHONE)
    assert (await second.post("/messages", json=body)).status_code == 400
    assert len((await first.get(f"/messages?deviceId={PHONE}")).json()) == 4
    hook = {"url": "https://customer.example/", "event": "sms:sent", "deviceId": PHONE}
    assert (await first.post("/webhooks", json=hook)).json()["deviceId"] == PHONE
    assert (await first.delete(f"/devices/{PHONE}")).status_code == 204
    assert (await first.get("/devices")).json() == []


async def test_all_users_can_be_moved_into_one_account(new_hub_on_sqlite: NewHub) -> None:
    await new_hub_on_sqlite.move(account_id=ACCOUNT)
    assert len((await new_hub_on_sqlite.client(FIRST).get("/devices")).json()) == 2
    assert {row["account_id"] for row in new_hub_on_sqlite.world.rows(Device)} == {ACCOUNT}


async def test_a_name_that_is_taken_leaves_its_user_out_and_says_so(new_hub_on_sqlite: NewHub) -> None:
    await new_hub_on_sqlite.services.logins.create(ACCOUNT, "abcdef")
    report = await new_hub_on_sqlite.move()
    assert report["counts"]["users"] == {"new": 1, "left out": 3}
    assert any("another login called ABCDEF" in reason for reason in report["reasons"])
    assert report["counts"]["phones"] == {"new": 1, "left out": 2}


async def test_no_secret_is_in_a_report_and_no_token_in_the_database(new_hub_on_sqlite: NewHub) -> None:
    report = str(await new_hub_on_sqlite.move())
    everything = new_hub_on_sqlite.everything()
    for secret in ("tokentoken", "old-key", "stays on the phone"):
        assert secret not in report
        assert secret not in everything


async def test_a_packed_dump_and_one_with_long_lines_are_read_too(new_hub_on_sqlite: NewHub, tmp_path: Path) -> None:
    one_line = DUMP.read_text(encoding="utf-8").replace("),\n(", "),(").replace(" VALUES\n(", " VALUES (")
    packed = tmp_path / "dump.sql.gz"
    packed.write_bytes(gzip.compress(one_line.encode()))
    assert (await new_hub_on_sqlite.move(packed))["counts"] == MOVED
    assert ROWS_AT_ONCE > 1


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda text: text[: text.index("INSERT INTO `messages`") + 200], "cut off"),
        (lambda text: text.replace("INSERT INTO `users` VALUES\n(", "INSERT INTO `users` VALUES\n(1,"), "columns"),
        (lambda text: "hello", "no user"),
        (lambda text: "INSERT INTO `users` VALUES (1);", "does not describe"),
    ],
)
async def test_a_file_that_is_no_dump_is_refused_with_a_reason(
    new_hub_on_sqlite: NewHub, tmp_path: Path, change: Any, part: str
) -> None:
    path = tmp_path / "broken.sql"
    path.write_text(change(DUMP.read_text(encoding="utf-8")), encoding="utf-8")
    before = new_hub_on_sqlite.everything()
    with pytest.raises(HubError) as refused:
        await new_hub_on_sqlite.move(path)
    assert refused.value.code is Code.VALIDATION
    assert part in refused.value.detail
    assert new_hub_on_sqlite.everything() == before


async def test_a_source_that_is_not_there_is_told(new_hub_on_sqlite: NewHub, tmp_path: Path) -> None:
    for source in (str(tmp_path / "absent.sql"), "mysql://hub:pw@127.0.0.1:1/sms"):
        with pytest.raises(HubError) as refused:
            await new_hub_on_sqlite.move(source)
        assert refused.value.code is Code.VALIDATION
        assert "pw@" not in refused.value.detail


async def test_a_live_database_and_a_fresh_dump_of_it_move_the_same(new_hub_on_sqlite: NewHub, tmp_path: Path) -> None:
    if not is_installed():
        missing("mariadb", "install mariadb-server to move from a live database")
    with throw_away_server(SCRIPT) as url:
        fresh = tmp_path / "fresh.sql"
        dump(url, fresh)
        assert await new_hub_on_sqlite.move(fresh, is_dry=True) == await new_hub_on_sqlite.move(DUMP, is_dry=True)
        told: list[Step] = []
        report = await new_hub_on_sqlite.move(url, tell=told.append)
    assert [step.what for step in told[:2]] == ["Reading users", "Reading devices"]
    assert report["counts"] == MOVED
    again = await new_hub_on_sqlite.move(DUMP)
    assert {what: counts.get("new") for what, counts in again["counts"].items()} == dict.fromkeys(MOVED)
