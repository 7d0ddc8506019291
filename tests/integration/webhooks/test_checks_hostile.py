"""Checks 17 to 20: receivers that send too much, too slowly, compressed, or over broken TLS."""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
import warnings
from contextlib import suppress
from pathlib import Path

import pytest

from hub.webhooks.records import Attempt
from tests.integration.webhooks.certificates import Authority
from tests.integration.webhooks.processes import Lookup, Nursery
from tests.integration.webhooks.receiver import Post, Receiver, Script, figure, says
from tests.integration.webhooks.world import World, eventually, world

pytestmark = pytest.mark.anyio

MIB = 1 << 20
KEPT = 4096


def sends(head: bytes, piece: bytes, count: int | None) -> Script:
    """A head, then a piece again and again (None: for ever), until the hub hangs up."""

    async def script(_post: Post, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        left = count
        while left is None or left > 0:
            writer.write(piece)
            await writer.drain()
            left = None if left is None else left - 1
        return False

    return script


PIECE = b"a" * 65_536
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
HUGE = {
    "/megabyte": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n", PIECE, 16),
    "/gigabyte": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", PIECE, 16_384),
    "/endless": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNK, None),
    "/until-close": sends(b"HTTP/1.1 200 OK\r\n\r\n", PIECE, None),
}


def by_path(scripts: dict[str, Script]) -> Script:
    async def script(post: Post, writer: asyncio.StreamWriter) -> bool | None:
        return await scripts[post.path](post, writer)

    return script


async def in_a_process(
    nursery: Nursery, url: str, receiver: Receiver, paths: list[str], rounds: int, most_growth: int
) -> None:
    """Deliver to each path `rounds` times from a process of its own, whose memory may not grow; every delivery succeeds, once."""
    async with world(url, running=False) as hub:
        for path in paths:
            await hub.endpoint(receiver.url(path), max_inflight=64, order_mode="none")
        account_id = hub.account_id
    async with nursery.over(url, account_id) as hubs:
        process = await hubs.start()

        async def settled() -> object:
            return (await process.ask(settled=True))["settled"] or len(receiver.posts)

        await process.publish(rounds, batch=rounds)
        await eventually(settled)
        warm = (await process.ask(rss=True))["rss"]
        for _ in range(3):
            await process.publish(rounds, batch=rounds)
            await eventually(settled)
        grown = (await process.ask(rss=True))["rss"] - warm
        figure("resident memory grew by", grown / MIB, most_growth / MIB, "MiB")
        await process.kill()
    assert len(receiver.posts) == len({(post.path, post.id) for post in receiver.posts}) == 4 * rounds * len(paths)
    async with world(url, running=False, account_id=account_id) as hub:
        for row in await hub.deliveries():
            assert row.state == "ok"
            for attempt in (await hub.webhooks.delivery(account_id, row.id)).attempts:
                assert len(attempt.response_body or "") <= KEPT


async def test_check_17_huge_and_endless_bodies_are_cut_and_count(nursery: Nursery, database_url: str) -> None:
    async with Receiver(script=by_path(HUGE)) as receiver:
        await in_a_process(nursery, database_url, receiver, list(HUGE), rounds=5, most_growth=5 * MIB)


BOMB = gzip.compress(bytes(50 * MIB))
GZIPPED = {
    "/bomb": says(200, BOMB, ("Content-Encoding", "gzip")),
    "/truncated": says(200, BOMB[:40], ("Content-Encoding", "gzip")),
    "/empty": says(200, b"", ("Content-Encoding", "gzip")),
}


async def test_check_18_gzip_bombs_stay_compressed_and_count(nursery: Nursery, database_url: str) -> None:
    async with Receiver(script=by_path(GZIPPED)) as receiver:
        await in_a_process(nursery, database_url, receiver, list(GZIPPED), rounds=34, most_growth=20 * MIB)


# --- 19: dripping ---------------------------------------------------------------------------------------------------------


def drips(head: bytes, dripped: bytes) -> Script:
    """Some at once, the rest a byte every 0.1 s."""

    async def script(_post: Post, writer: asyncio.StreamWriter) -> bool:
        writer.write(head)
        for byte in dripped * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)
        return True

    return script


async def only_attempt(hub: World, **asked: object) -> Attempt:
    (row,) = await hub.until_settled(**asked)
    (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
    return attempt


@pytest.mark.parametrize(
    ("head", "outcome", "status"),
    [
        (b"", "timeout", None),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", "timeout", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "ok", 200),
        (b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n", "status", 500),
    ],
    ids=["status-line", "header", "body", "body-of-500"],
)
async def test_check_19_a_dripping_answer_is_cut_at_the_deadline(
    sqlite_url: str, head: bytes, outcome: str, status: int | None
) -> None:
    async with (
        Receiver(script=drips(head, b"HTTP/1.1 200 OK\r\n" if not head else b"a")) as receiver,
        world(sqlite_url) as hub,
    ):
        await hub.endpoint(receiver.url(), timeout_seconds=1, schedule=())
        await hub.happen()
        attempt = await only_attempt(hub)
        assert (attempt.outcome, attempt.status) == (outcome, status)
        # Not before the deadline; and long before the receiver has dripped to its end, after 100 s.
        assert 1000 <= (attempt.timing.total or 0) <= 30_000


async def test_check_19_on_the_other_database(postgresql_url: str) -> None:
    async with Receiver(script=drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")) as receiver, world(postgresql_url) as hub:
        await hub.endpoint(receiver.url(), timeout_seconds=1, schedule=())
        await hub.happen()
        assert (await only_attempt(hub)).outcome == "timeout"


# --- 20: TLS --------------------------------------------------------------------------------------------------------------


class Breaker:
    """Accepts connections and breaks them off in the middle of the handshake."""

    def __init__(self) -> None:
        self.connections = 0
        self.received = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.received += await reader.read(100)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


def serve_old_tls(context: ssl.SSLContext, listener: socket.socket) -> None:
    """One handshake with blocking sockets: asyncio's server side hangs up before its alert is sent, which real servers do not."""
    raw, _ = listener.accept()
    with raw, suppress(OSError):
        context.wrap_socket(raw, server_side=True).recv(100)


async def test_check_20_every_tls_fault_has_its_own_reason_and_sees_no_body(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    old = authority.server("old.test")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1
    contexts = {
        "good.test": authority.server("good.test"),
        "expired.test": authority.server("expired.test", expired=True),
        "wrong.test": authority.server("other.test"),
        "self-signed.test": authority.server("self-signed.test", self_signed=True),
    }
    reasons = {
        "expired.test": "tls_expired",
        "wrong.test": "tls_wrong_name",
        "self-signed.test": "tls_untrusted",
        "old.test": "tls_version",
        "reset.test": "tls_reset",
    }
    receivers = {name: Receiver(ssl=context) for name, context in contexts.items()}
    breaker = Breaker()
    server = await asyncio.start_server(breaker, "127.0.0.1", 0)
    ancient = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve_old_tls, args=(old, ancient), daemon=True).start()
    lookup = Lookup({name: [["127.0.0.1"]] for name in (*contexts, "reset.test", "old.test")})
    async with world(database_url, lookup=lookup) as hub:
        ports = {"reset.test": server.sockets[0].getsockname()[1], "old.test": ancient.getsockname()[1]}
        for name, receiver in receivers.items():
            await receiver.listen()
            ports[name] = receiver.port
        for name, port in ports.items():
            await hub.endpoint(f"https://{name}:{port}/", schedule=())
        await hub.happen()
        rows = await hub.until_settled()
        found = {}
        for row in rows:
            (attempt,) = (await hub.webhooks.delivery(hub.account_id, row.id)).attempts
            found[row.url.split("/")[2].split(":")[0]] = attempt
        assert {name: attempt.outcome for name, attempt in found.items() if name != "good.test"} == reasons
        good = found["good.test"]
        assert (good.outcome, good.status) == ("ok", 200)
        assert good.timing.tls is not None
        assert good.timing.dns is not None
        assert len({attempt.explanation for attempt in found.values()}) == len(found)
        assert {name: len(receiver.posts) for name, receiver in receivers.items()} == {
            name: int(name == "good.test") for name in receivers
        }
        assert b"POST" not in breaker.received
        for receiver in receivers.values():
            await receiver.close()
        server.close()
        ancient.close()
