"""A small phone written from docs/device-protocol.md alone, for fault tests: it shares no code with the hub or the protocol package.

    python tests/tiny_phone.py --hub http://127.0.0.1:8080 --token T --store DIR --radio FILE

The store is one SQLite file in DIR, committed with full sync before anything is said. The radio is a file: one JSON line per message
handed over, appended and synced before the next step, so that a test can kill the process at any instant and count. Commands come on
standard input (`sms FROM TEXT`, `stop`), what happens goes to standard output as JSON lines.

From Python: `TinyPhone(...)` and `await phone.run()`; `radio` may be any callable that returns one result code per segment.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import secrets
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

Frame = dict[str, Any]
Radio = Callable[[Frame], list[int]]

OK = -1
WINDOW = 64
MOST_JOBS = 400
MOST_UNACKED = 50_000
KEPT_SECONDS = 7 * 24 * 3600
KEPT_EVENTS = 5000
PING_SECONDS = 45.0
DEAD_SECONDS = 112.0
FORGET_SECONDS = 60.0
AT_RADIO = ("submitting", "sent", "partial", "uncertain", "expired", "cancelled")
FRAME_REFUSED = (4000, 4001, 1002, 1003, 1007, 1009)
STALE_HELLO, DIVERGED, RENUMBERED, SILENT = 4006, 4016, 4017, 4008

SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (
  place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, submission INTEGER NOT NULL, state TEXT NOT NULL,
  frame TEXT NOT NULL, results TEXT NOT NULL DEFAULT '{}', final_n INTEGER, finished_at REAL);
CREATE TABLE IF NOT EXISTS event (
  n INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, event TEXT NOT NULL, at TEXT NOT NULL, payload TEXT NOT NULL, stored_at REAL NOT NULL);
"""


def utc(seconds: float) -> str:
    """Wire time of seconds since the epoch."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class Store:
    """The phone's disk."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(directory / "phone.db", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
        if self.fact("stream") is None:
            with self.commit():
                self.put(stream=secrets.token_hex(8), connect=0, next=1, acked=0, diverged=0)
                self.put(secret=base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode())

    @contextlib.contextmanager
    def commit(self) -> Any:
        """One durable transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        row = self.db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def number(self, name: str) -> int:
        return int(self.fact(name) or 0)

    def put(self, **facts: object) -> None:
        rows = [(name, str(value)) for name, value in facts.items()]
        self.db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", rows)

    def job(self, id: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute("SELECT * FROM job WHERE id = ?", (id,)).fetchone()
        return row

    def unsettled(self) -> list[sqlite3.Row]:
        """Open jobs first, then the newest whose last event is not acknowledged."""
        return self.db.execute(
            "SELECT * FROM job WHERE state IN ('accepted', 'submitting') OR final_n > ? "
            "ORDER BY state IN ('accepted', 'submitting') DESC, final_n DESC LIMIT ?",
            (self.number("acked"), MOST_JOBS),
        ).fetchall()

    def log(self, event: str, payload: Frame, at: float) -> int:
        """Append an event inside the caller's commit; its number."""
        n = self.number("next")
        row = (n, secrets.token_hex(16), event, utc(at), json.dumps(payload), time.time())
        self.db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", row)
        self.put(next=n + 1)
        return n

    def end(self, id: str, state: str, event: str, payload: Frame, at: float) -> None:
        """A job is over: its record and its last event, in the caller's commit."""
        n = self.log(event, payload, at)
        self.db.execute(
            "UPDATE job SET state = ?, final_n = ?, finished_at = ? WHERE id = ?", (state, n, time.time(), id)
        )

    def oldest_held(self) -> int:
        row = self.db.execute("SELECT min(n) FROM event").fetchone()
        return int(row[0]) if row[0] is not None else self.number("next")

    def doubt(self, states: Iterable[str], reason: str, at: float) -> None:
        """These jobs may have been sent; nobody can tell."""
        for state in states:
            for row in self.db.execute("SELECT * FROM job WHERE state = ?", (state,)).fetchall():
                payload = {"id": row["id"], "submission": row["submission"], "reason": reason}
                self.end(row["id"], "uncertain", "sms:uncertain", payload, at)


class Closed(Exception):
    """The phone hangs up, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class TinyPhone:
    """One phone. `key` is a file that stands for the hardware key the store is bound to."""

    def __init__(
        self,
        hub: str,
        store: Path,
        radio: Path,
        *,
        token: str | None = None,
        key: Path | None = None,
        send: Radio | None = None,
        fingerprint: str = "tiny/0001",
        longest_wait: float = 300.0,
        out: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        self.hub, self.token, self.radio_file = hub.rstrip("/"), token, radio
        self.store = Store(store)
        self.send = send or (lambda job: [OK] * max(1, -(-len(job.get("text") or "") // 153)))
        self.sim = {"slot": 0, "subscription_id": 1, "fingerprint": fingerprint}
        self.longest_wait, self.out = longest_wait, out
        self.is_running = True
        self.goes: set[tuple[str, int]] = set()
        self.socket: ClientConnection | None = None
        self.is_live = False
        self.sent = 0
        self.strikes = 0
        self.offset = 0.0
        self.failures = 0
        self.heard_at = self.pinged_at = self.forgot_at = time.monotonic()
        self.pings = 0
        self._start(key)

    # --- the process

    def _start(self, key: Path | None) -> None:
        """Rules 3 and 9: what was submitting is uncertain; a store that is not bound to this key says nothing."""
        is_own = self._is_own(key)
        with self.store.commit():
            if is_own:
                self.store.doubt(["submitting"], "restarted", self.now())
            else:
                self.store.doubt(["accepted", "submitting"], "store_mismatch", self.now())
                self.store.put(diverged=1)

    def _is_own(self, key: Path | None) -> bool:
        if key is None:
            return True
        known = self.store.fact("key")
        if known is None:
            if not key.exists():
                key.write_text(secrets.token_hex(16))
            with self.store.commit():
                self.store.put(key=key.read_text())
            return True
        return key.exists() and key.read_text() == known

    def now(self) -> float:
        """The hub's clock, as far as it is known."""
        return time.time() + self.offset

    async def run(self) -> None:
        """Enrol if need be, then connect again and again until `stop`."""
        while self.is_running:
            try:
                await self._enrol()
                await self._session(await self._access())
            except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError, ValueError) as error:
                self.out({"what": "lost", "why": f"{type(error).__name__}: {error}"})
            if self.is_running:
                wait = random.random() * min(self.longest_wait, 2**self.failures)
                self.failures = min(self.failures + 1, 16)
                await asyncio.sleep(wait)

    async def stop(self) -> None:
        """Hang up and stay away."""
        self.is_running = False
        if self.socket is not None:
            await self.socket.close()

    # --- HTTP

    def _post(self, path: str, body: Frame) -> Frame:
        request = urllib.request.Request(
            self.hub + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                decoded: Frame = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"{path}: {error.code} {error.read(300).decode(errors='replace')}") from None
        return decoded

    async def _enrol(self) -> None:
        if self.store.fact("device_id") is not None or self.token is None:
            return
        answer = await asyncio.to_thread(
            self._post,
            "/device/v1/enroll",
            {
                "token": self.token,
                "secret_sha256": hashlib.sha256((self.store.fact("secret") or "").encode()).hexdigest(),
                "device": {"app_version": "tiny", "model": "tiny", "sims": [self.sim]},
            },
        )
        with self.store.commit():
            self.store.put(device_id=answer["device_id"])
        self.out({"what": "enrolled", "device_id": answer["device_id"]})

    async def _access(self) -> str:
        """A fresh access token; the next nonce is on disk before the token is used."""
        body = {name: self.store.fact(name) for name in ("device_id", "secret", "nonce")}
        body = {name: value for name, value in body.items() if value is not None}
        answer = await asyncio.to_thread(self._post, "/device/v1/token", body)
        with self.store.commit():
            self.store.put(nonce=answer["next_nonce"])
        return str(answer["access_token"])

    # --- the connection

    async def _session(self, access: str) -> None:
        url = "ws" + self.hub.removeprefix("http") + "/device/v1/socket"
        headers = {"Authorization": f"Bearer {access}"}
        async with connect(
            url,
            subprotocols=[Subprotocol("handset.v1")],
            additional_headers=headers,
            compression=None,
            ping_interval=None,
            max_size=65_536,
            close_timeout=2,
        ) as socket:
            self.socket = socket
            try:
                await self._talk(socket)
            except Closed as closed:
                await self._say({"type": "bye", "code": closed.code, "reason": closed.reason})
                await socket.close(closed.code, closed.reason)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd is not None else None
                self.strikes += code in FRAME_REFUSED
                raise
            finally:
                self.socket, self.is_live = None, False

    async def _talk(self, socket: ClientConnection) -> None:
        await self._hello()
        self.heard_at = self.pinged_at = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(1.0):
                    text = await socket.recv()
            except TimeoutError:
                await self._tick()
                continue
            self.heard_at = time.monotonic()
            frame = json.loads(text)
            await self._take(frame)
            if frame["type"] == "bye":
                return
            await self._use_radio()
            await self._tick()

    async def _say(self, frame: Frame) -> None:
        if self.socket is not None:
            await self.socket.send(json.dumps(frame))

    async def _hello(self) -> None:
        """The counter is on disk before hello is said, and every permission is void."""
        self.goes.clear()
        self.sent = 0
        store = self.store
        with store.commit():
            store.put(connect=store.number("connect") + 1)
        frame: Frame = {
            "type": "hello",
            "connect": store.number("connect"),
            "app": {"version": "tiny"},
            "stream": store.fact("stream"),
            "oldest_held": store.oldest_held(),
            "next": store.number("next"),
            "jobs": [_held(row) for row in store.unsettled()],
            "sims": [self.sim],
        }
        if store.fact("hub_epoch"):
            frame["hub_epoch"] = store.fact("hub_epoch")
        if store.number("diverged"):
            frame["diverged"] = True
        await self._say(frame)

    async def _take(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "welcome":
            await self._welcome(frame)
        elif kind == "bye":
            self._bye(frame)
        elif not self.is_live:
            raise Closed(4000, "bad_frame")
        elif kind == "ack":
            if frame["stream"] == self.store.fact("stream"):
                self._ack(frame["n"], frame.get("uuid"))
                await self._flush()
        elif kind == "resend":
            await self._resend(frame)
        elif kind == "recall":
            await self._recall(frame)
        elif kind == "pong":
            if frame["n"] == self.pings:
                half_trip = (time.monotonic() - self.pinged_at) / 2
                self.offset = _seconds(frame["hub_time"]) + half_trip - time.time()
        else:
            await self._take_about_job(kind, frame)

    async def _take_about_job(self, kind: str, frame: Frame) -> None:
        """Frames this phone does not know are nothing to it."""
        if kind == "job":
            await self._job(frame)
        elif kind == "go":
            if self._accepted(frame) is not None:
                self.goes.add((frame["id"], frame["submission"]))
        elif kind == "drop":
            self._drop(frame)
        elif kind == "cancel":
            await self._cancel(frame)

    async def _welcome(self, frame: Frame) -> None:
        store = self.store
        self.failures = 0
        if "new_stream" in frame:
            settled = store.oldest_held() - 1
            with store.commit():
                store.put(stream=frame["new_stream"], acked=settled, diverged=0, hub_epoch=frame["hub_epoch"])
            raise Closed(RENUMBERED, "renumbered")
        point = frame["acks"].get(store.fact("stream"), {"n": 0})
        self._check(point["n"], point.get("uuid"))
        with store.commit():
            store.put(acked=point["n"], hub_epoch=frame["hub_epoch"])
        self.sent = point["n"]
        self.offset = _seconds(frame["hub_time"]) - time.time()
        self.is_live = True
        for ref in frame.get("drop", []):
            self._drop(ref)
        self.out({"what": "live", "session_no": frame["session_no"]})
        await self._flush()

    def _bye(self, frame: Frame) -> None:
        """A stale counter on a living connection: this store is older than this phone."""
        store = self.store
        self.out({"what": "bye", "code": frame["code"], "reason": frame["reason"]})
        told = frame.get("connect")
        if frame["code"] == STALE_HELLO and told is not None and told >= store.number("connect"):
            with store.commit():
                store.doubt(["accepted", "submitting"], "store_went_back", self.now())
                store.put(connect=told, diverged=1)

    # --- events

    def _check(self, n: int, uuid: str | None) -> None:
        """The hub has what this store never said: the store went back."""
        row = self.store.db.execute("SELECT uuid FROM event WHERE n = ?", (n,)).fetchone()
        is_other = row is not None and uuid is not None and row["uuid"] != uuid
        if n > 0 and (n >= self.store.number("next") or is_other):
            self._diverge()

    def _diverge(self) -> None:
        with self.store.commit():
            self.store.put(diverged=1)
        raise Closed(DIVERGED, "diverged")

    def _ack(self, n: int, uuid: str | None) -> None:
        self._check(n, uuid)
        if n > self.store.number("acked"):
            with self.store.commit():
                self.store.put(acked=n)
            self.strikes = 0
            self.out({"what": "acked", "n": n})

    async def _flush(self) -> None:
        """Events not sent in this connection, in order, a window ahead of the ack."""
        if not self.is_live:
            return
        acked = self.store.number("acked")
        self.sent = max(self.sent, acked)
        rows = self.store.db.execute(
            "SELECT * FROM event WHERE n > ? AND n <= ? ORDER BY n", (self.sent, acked + WINDOW)
        ).fetchall()
        for row in rows:
            self.sent = row["n"]
            if self.strikes >= 3 and row["n"] == acked + 1:
                await self._say(self._gone(row["n"], row["n"], "unreadable"))
            else:
                await self._say(self._event(row))

    def _event(self, row: sqlite3.Row) -> Frame:
        return {
            "type": "event",
            "stream": self.store.fact("stream"),
            "n": row["n"],
            "uuid": row["uuid"],
            "event": row["event"],
            "at": row["at"],
            "payload": json.loads(row["payload"]),
        }

    def _gone(self, first: int, last: int, reason: str, stream: str | None = None) -> Frame:
        stream = stream or self.store.fact("stream")
        return {"type": "gone", "stream": stream, "from": first, "to": last, "reason": reason}

    async def _resend(self, frame: Frame) -> None:
        first, last = frame["from"], frame["to"]
        if frame["stream"] != self.store.fact("stream"):
            await self._say(self._gone(first, last, "other_stream", frame["stream"]))
            return
        if last >= self.store.number("next"):
            self._diverge()
        rows = self.store.db.execute("SELECT * FROM event WHERE n BETWEEN ? AND ? ORDER BY n", (first, last)).fetchall()
        for row in rows:
            if row["n"] > first:
                await self._say(self._gone(first, row["n"] - 1, "aged"))
            await self._say(self._event(row))
            first = row["n"] + 1
        if first <= last:
            await self._say(self._gone(first, last, "aged"))

    async def _recall(self, frame: Frame) -> None:
        offset = frame.get("cursor") or 0
        rows = self.store.db.execute(
            "SELECT * FROM job WHERE state <> 'accepted' ORDER BY place LIMIT ? OFFSET ?", (MOST_JOBS + 1, offset)
        ).fetchall()
        answer: Frame = {"type": "recalled", "jobs": [_held(row) for row in rows[:MOST_JOBS]]}
        if len(rows) > MOST_JOBS:
            answer["cursor"] = offset + MOST_JOBS
        await self._say(answer)

    async def receive_sms(self, sender: str, text: str) -> None:
        """The world sends this phone a text."""
        payload = {"from": sender, "text": text, "received_at": utc(self.now()), "subscription_id": 1, "slot": 0}
        with self.store.commit():
            n = self.store.log("sms:received", payload, self.now())
        self.out({"what": "stored", "n": n})
        await self._flush()

    # --- jobs

    async def _job(self, frame: Frame) -> None:
        known = self.store.job(frame["id"])
        answer: Frame = {"id": frame["id"], "submission": frame["submission"]}
        if known is not None and not self._is_replaced(known, frame):
            if known["submission"] == frame["submission"] and known["state"] == "accepted":
                await self._say({"type": "accepted", **answer})
                return
            reason = "at_radio" if known["state"] in AT_RADIO else "stale_submission"
            await self._say({"type": "refused", **answer, "reason": reason, "held": _held(known)})
            return
        refusal = self._refusal(frame)
        if refusal is not None:
            await self._say({"type": "refused", **answer, "reason": refusal})
            return
        with self.store.commit():
            self.store.db.execute("DELETE FROM job WHERE id = ?", (frame["id"],))
            self.store.db.execute(
                "INSERT INTO job (id, submission, state, frame) VALUES (?, ?, 'accepted', ?)",
                (frame["id"], frame["submission"], json.dumps(frame)),
            )
        await self._say({"type": "accepted", **answer})

    def _is_replaced(self, known: sqlite3.Row, frame: Frame) -> bool:
        return bool(frame["submission"] > known["submission"]) and known["state"] in ("accepted", "failed")

    def _refusal(self, frame: Frame) -> str | None:
        line = frame["line"]
        if any(line[name] != self.sim[name] for name in ("subscription_id", "fingerprint")):
            return "no_such_sim"
        unacked = self.store.number("next") - 1 - self.store.number("acked")
        is_full = len(self.store.unsettled()) >= MOST_JOBS or unacked >= MOST_UNACKED
        return "full" if is_full else None

    def _accepted(self, ref: Frame) -> sqlite3.Row | None:
        row = self.store.job(ref["id"])
        is_meant = row is not None and row["submission"] == ref["submission"] and row["state"] == "accepted"
        return row if is_meant else None

    def _drop(self, ref: Frame) -> None:
        if self._accepted(ref) is not None:
            self.goes.discard((ref["id"], ref["submission"]))
            with self.store.commit():
                self.store.db.execute("DELETE FROM job WHERE id = ?", (ref["id"],))

    async def _cancel(self, frame: Frame) -> None:
        ref = {"id": frame["id"], "submission": frame["submission"]}
        if self._accepted(frame) is not None:
            self.goes.discard((ref["id"], ref["submission"]))
            with self.store.commit():
                self.store.end(ref["id"], "cancelled", "sms:cancelled", ref, self.now())
            await self._flush()
            return
        known = self.store.job(ref["id"])
        is_held = known is not None and known["submission"] == ref["submission"]
        await self._say(
            {"type": "too_late", **ref, **({"state": known["state"]} if known is not None and is_held else {})}
        )

    async def _use_radio(self) -> None:
        """Everything permitted, one after the other: `submitting` on disk, then the radio, then its results."""
        for id, submission in sorted(self.goes):
            row = self._accepted({"id": id, "submission": submission})
            self.goes.discard((id, submission))
            if row is not None:
                await self._hand_over(json.loads(row["frame"]))

    async def _hand_over(self, job: Frame) -> None:
        store, ref = self.store, {"id": job["id"], "submission": job["submission"]}
        if self.now() >= _seconds(job["issued"]) + job["ttl_seconds"]:
            with store.commit():
                store.end(ref["id"], "expired", "sms:expired", ref, self.now())
            await self._flush()
            return
        with store.commit():
            store.db.execute("UPDATE job SET state = 'submitting' WHERE id = ?", (ref["id"],))
        self._write_radio({**ref, "to": job["to"], "text": job.get("text")})
        await asyncio.sleep(0)
        codes = self.send(job)
        for segment, code in enumerate(codes):
            self._result(ref, segment, codes, code)
            await self._flush()
        if job.get("wants_delivery_report", True) and set(codes) == {OK}:
            await self._delivered(ref, len(codes))

    def _write_radio(self, line: Frame) -> None:
        """What a test counts: written through to the disk, as a radio wave cannot be taken back."""
        with self.radio_file.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _result(self, ref: Frame, segment: int, codes: list[int], code: int) -> None:
        payload = {**ref, "segment": segment, "segments": len(codes)}
        event = "sms:sent" if code == OK else "sms:failed"
        if code != OK:
            payload["result_code"] = code
        is_last = segment == len(codes) - 1
        taken = sum(one == OK for one in codes)
        state = "sent" if taken == len(codes) else "partial" if taken else "failed"
        with self.store.commit():
            if is_last:
                self.store.end(ref["id"], state, event, payload, self.now())
            else:
                self.store.log(event, payload, self.now())

    async def _delivered(self, ref: Frame, segments: int) -> None:
        for segment in range(segments):
            payload = {**ref, "segment": segment, "segments": segments, "tp_status": 0}
            with self.store.commit():
                self.store.log("sms:delivered", payload, self.now())
        await self._flush()

    # --- time

    async def _tick(self) -> None:
        clock = time.monotonic()
        if clock - self.heard_at >= DEAD_SECONDS:
            raise Closed(SILENT, "silent")
        if self.is_live and clock - self.pinged_at >= PING_SECONDS:
            self.pings += 1
            self.pinged_at = clock
            await self._say({"type": "ping", "n": self.pings})
        if self.is_live and clock - self.forgot_at >= FORGET_SECONDS:
            self.forgot_at = clock
            self._forget()

    def _forget(self) -> None:
        """Acknowledged events and finished jobs that are old enough; the low end only."""
        acked, old = self.store.number("acked"), time.time() - KEPT_SECONDS
        event = "DELETE FROM event WHERE n <= ? AND (n <= ? OR stored_at < ?)"
        job = "DELETE FROM job WHERE finished_at < ? AND final_n <= ?"
        self.store.db.execute(event, (acked, acked - KEPT_EVENTS, old))
        self.store.db.execute(job, (old, acked))


def _held(row: sqlite3.Row) -> Frame:
    return {"id": row["id"], "submission": row["submission"], "state": row["state"]}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _commands(phone: TinyPhone) -> None:
    """`sms FROM TEXT` and `stop`, until standard input ends."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        word, _, rest = line.decode().rstrip("\n").partition(" ")
        if word == "stop":
            await phone.stop()
        elif word == "sms":
            sender, _, text = rest.partition(" ")
            await phone.receive_sms(sender, text)


async def _main(options: argparse.Namespace) -> None:
    def out(line: Frame) -> None:
        print(json.dumps(line), flush=True)

    phone = TinyPhone(
        options.hub,
        options.store,
        options.radio,
        token=options.token,
        key=options.key,
        fingerprint=options.fingerprint,
        longest_wait=options.longest_wait,
        out=out,
    )
    commands = asyncio.create_task(_commands(phone))
    await phone.run()
    commands.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A small phone for fault tests.")
    parser.add_argument("--hub", required=True, help="http(s)://host:port")
    parser.add_argument("--token", help="enrolment token; needed once")
    parser.add_argument("--store", required=True, type=Path, help="directory of the phone's store")
    parser.add_argument("--radio", required=True, type=Path, help="file the radio appends to")
    parser.add_argument("--key", type=Path, help="file that stands for the phone's hardware key")
    parser.add_argument("--fingerprint", default="tiny/0001", help="of the only SIM, slot 0, subscription 1")
    parser.add_argument("--longest-wait", type=float, default=300.0, help="seconds between connections at most")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))
