"""`hub demo`: the whole product on one machine, in front of your eyes, with judges that are not ours.

A hub on SQLite, a phone that reads the real QR picture (decoded by zxing-cpp) and speaks the real protocol over a real socket, a text
out, a reply in, and webhooks whose signatures the `standardwebhooks` package verifies. The phone is another program
(`android_emulator`), started as a process: the hub never imports it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

from hub.demo.shop import EVERY_SECONDS, WayIn, furnish, later_texts, make_person, text_in

HOME = Path(".demo")
PATIENCE_SECONDS = 45.0
SHOP, CUSTOMER = "+447700900001", "+447700900142"
QUESTION = "Your bicycle is ready. We are open until six. Shall we keep it for you?"
REPLY = "Yes please, I will be there at five!"
NEEDED = {"zxingcpp": "zxing-cpp", "standardwebhooks": "standardwebhooks", "android_emulator": "the Android emulator"}

T = TypeVar("T")


class DemoFailed(Exception):
    """A step of the tour did not hold; its text says which and what was seen."""


class Tour:
    """Prints the steps as they happen."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._step = 0

    def step(self, what: str) -> None:
        """A step that held."""
        self._step += 1
        print(f"  {self._step:2}  {time.monotonic() - self._started:5.1f} s  {what}", flush=True)

    @staticmethod
    def note(text: str) -> None:
        """A line beside the steps."""
        print(f"               {text}", flush=True)


class Receiver:
    """A customer's server: takes webhooks and verifies each with the `standardwebhooks` package before it believes it."""

    def __init__(self) -> None:
        self.verified: queue.Queue[Mapping[str, Any]] = queue.Queue()
        self.rejected: list[str] = []
        self.secret = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                self.send_response(outer.judge({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/webhooks"

    def judge(self, headers: dict[str, str], body: bytes) -> int:
        """204 for a webhook whose signature holds, else 400."""
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError

        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.rejected.append(str(error))
            return 400
        self.verified.put(json.loads(body))
        return 204

    def wait_for(self, wanted: set[str]) -> list[str]:
        """The types of the verified webhooks, once all wanted ones have come."""
        seen: list[str] = []
        end = time.monotonic() + PATIENCE_SECONDS
        while not wanted <= set(seen):
            try:
                seen.append(str(self.verified.get(timeout=max(0.1, end - time.monotonic()))["type"]))
            except queue.Empty:
                raise DemoFailed(f"webhooks {wanted - set(seen)} did not come; refused: {self.rejected}") from None
        return seen


def run_demo(*, once: bool, port: int) -> int:
    """The tour; returns the exit code. Without `once` the hub and the phone stay until Ctrl-C."""
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"hub demo needs {', '.join(missing)}: run it by `make demo`, which installs them.", file=sys.stderr)
        return 2
    print("\nHandset Hub, the tour\n")
    processes: list[subprocess.Popen[bytes]] = []
    tour = Tour()
    # SIGTERM must end the hub and the phone too, so it takes the same way out as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        address, way_in = _tour(tour, processes, port)
        if not once:
            _stay(address, way_in, processes)
        return 0
    except DemoFailed as failure:
        print(f"\n  This did not hold: {failure}\n  The logs are in {HOME.resolve()}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n  Stopped.")
        return 0 if not once else 130
    finally:
        for process in reversed(processes):
            _end(process)


def _tour(tour: Tour, processes: list[subprocess.Popen[bytes]], port: int) -> tuple[str, WayIn]:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    address = _start_hub(processes, port)
    tour.step(f"The hub runs on SQLite with full sync at {address}")
    with httpx.Client(base_url=address, timeout=30, headers={"Authorization": f"Bearer {_make_key()}"}) as api:
        receiver = Receiver()
        hook = _ok(api.post("/v1/webhooks", json={"url": receiver.url}))
        receiver.secret = hook["secret"]
        tour.step(f"A customer's server registered a webhook: {receiver.url}")
        picture, enrolment = _enrolment_picture(api)
        tour.step(f"A one-time QR code was made: {picture}")
        text = _read_qr(picture)
        tour.step(f"zxing-cpp read the picture: {text.split('#')[0]}#…")
        processes.append(_start_phone(text))
        device = _eventually("the phone is online", lambda: _online(api))
        tour.step(f"The phone enrolled by it and is online: {device['name']}, {SHOP}")
        if _status(api, f"/v1/enrolments/{enrolment}") != "used":
            raise DemoFailed("the code was not marked as used")
        cursor = _ok(api.get("/v1/inbox/wait", params={"timeout": 0}))["cursor"]
        _text_out(tour, api)
        _reply_in(tour, api, cursor)
        seen = receiver.wait_for({"sms:queued", "sms:sent", "sms:delivered", "sms:received"})
        if receiver.rejected:
            raise DemoFailed(f"a webhook's signature did not verify: {receiver.rejected}")
        tour.step(f"standardwebhooks verified {len(seen)} signed webhooks: {', '.join(dict.fromkeys(seen))}")
        way_in = make_person(address, HOME / "hub.log")
        furnish(api, processes[-1])
        _eventually("customers' texts are in", lambda: len(_ok(api.get("/v1/threads"))["items"]) >= 4)
        tour.step("The dashboard has its first user, and customers who wait for an answer")
    return address, way_in


def _text_out(tour: Tour, api: httpx.Client) -> None:
    sent = _ok(api.post("/v1/messages", json={"to": CUSTOMER, "text": QUESTION}))["results"][0]
    message = f"/v1/messages/{sent['message_id']}"
    tour.step(f"POST /v1/messages answered 202 after its commit: {sent['message_id']}")
    _eventually("the text is sent", lambda: _status(api, message) in ("sent", "delivered"))
    tour.step("The radio took it: sent")
    _eventually("the text is delivered", lambda: _status(api, message) == "delivered")
    tour.step("The customer's handset confirmed it: delivered")
    for hop in _ok(api.get(f"{message}/timeline"))["items"]:
        tour.note(f"{hop['at'][11:23]}  {hop['sentence']}")


def _reply_in(tour: Tour, api: httpx.Client, cursor: str) -> None:
    waited = _ok(api.get("/v1/inbox/wait", params={"sender": CUSTOMER, "timeout": 25, "after": cursor}))
    if waited["message"] is None:
        raise DemoFailed("no reply came in")
    tour.step(f"A reply came in from the customer: “{waited['message']['text']}”")
    threads = _ok(api.get("/v1/conversations"))["items"]
    if not threads or threads[0]["peer"] != CUSTOMER:
        raise DemoFailed(f"the conversation is not there: {threads}")
    tour.step("Both are in one conversation")


def _start_hub(processes: list[subprocess.Popen[bytes]], port: int) -> str:
    settings = {"HUB_PORT": str(port), "HUB_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8", "HUB_DEFAULT_REGION": "GB"}
    os.environ.update({"HUB_DATA_DIR": str(HOME / "data"), **settings})
    with (HOME / "hub.log").open("wb") as log:
        processes.append(subprocess.Popen([sys.executable, "-m", "hub", "serve"], stdout=log, stderr=log))
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        if processes[-1].poll() is not None:
            last = (HOME / "hub.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise DemoFailed(f"the hub did not start: {' '.join(last)}")
        with suppress(httpx.TransportError):
            return httpx.get(f"{address}/readyz").status_code == 200
        return False

    _eventually("the hub is ready", ready)
    return address


def _make_key() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "key", "create", "demo"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _enrolment_picture(api: httpx.Client) -> tuple[Path, str]:
    made = _ok(api.post("/v1/enrolments", json={"name": "Workshop"}))
    picture = HOME / "enrol.png"
    picture.write_bytes(api.get(made["qr_png_url"]).raise_for_status().content)
    return picture, made["enrolment"]["id"]


def _read_qr(picture: Path) -> str:
    import zxingcpp
    from PIL import Image

    codes = zxingcpp.read_barcodes(Image.open(picture))
    if len(codes) != 1:
        raise DemoFailed(f"zxing-cpp found {len(codes)} codes in {picture}")
    return str(codes[0].text)


def _start_phone(qr_text: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "android_emulator",
        "phone",
        "--qr-text",
        qr_text,
        "--store",
        str(HOME / "phone.db"),
    ]
    command += [
        "--number",
        SHOP,
        "--carrier",
        "EE",
        "--reply",
        REPLY,
        "--radio-log",
        str(HOME / "radio.log"),
        "--console",
    ]
    with (HOME / "phone.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)


def _online(api: httpx.Client) -> Mapping[str, Any] | None:
    devices = _ok(api.get("/v1/devices"))["items"]
    return devices[0] if devices and devices[0]["state"] == "online" else None


def _status(api: httpx.Client, path: str) -> str:
    return str(_ok(api.get(path))["state"])


def _ok(answer: httpx.Response) -> Any:
    if answer.status_code >= 300:
        raise DemoFailed(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text}"
        )
    return answer.json()


def _eventually(what: str, condition: Callable[[], T | None]) -> T:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise DemoFailed(f"{what}: not within {PATIENCE_SECONDS:.0f} s")


def _stay(address: str, way_in: WayIn, processes: list[subprocess.Popen[bytes]]) -> None:
    print(f"\n  The dashboard, until Ctrl-C: {address}/ui/")
    print(f"    Username {way_in.username}   Password {way_in.password}")
    print(f"  Customers text in while you look, and answer every text you send. Logs and data: {HOME.resolve()}")
    print("  A key of your own for the API:")
    print(f"    HUB_DATA_DIR={HOME}/data .venv/bin/hub key create mine\n", flush=True)
    coming, next_at = later_texts(), time.monotonic() + EVERY_SECONDS
    while all(process.poll() is None for process in processes):
        if time.monotonic() >= next_at:
            next_at += EVERY_SECONDS
            with suppress(StopIteration, OSError):
                text_in(processes[-1], *next(coming))
        time.sleep(0.5)
    raise DemoFailed("the hub or the phone ended")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
