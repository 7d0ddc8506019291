"""The command `handset-emulator`: one phone, a fleet, a bad link, or the process that remembers what the air saw."""

import argparse
import asyncio
import json
import signal
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from android_emulator.air import Air, MemoryAir, SocketAir, read_log
from android_emulator.cell_network import CellNetwork
from android_emulator.clock import PhoneClock
from android_emulator.console import Console, typed_lines
from android_emulator.failpoints import Failpoints
from android_emulator.fleet import Fleet
from android_emulator.hub_client import HubError, HubUnreachableError
from android_emulator.link import BadLink
from android_emulator.magic_numbers import BEHAVIOURS, RECOVERS
from android_emulator.phone import EmulatedPhone
from android_emulator.processes import RadioLogProcess
from android_emulator.report import texts_of
from android_emulator.sim import SimCard
from android_emulator.uplink import Timing
from device_protocol.enrolment import EnrolmentError, QrInvitation, build_qr_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. SIGTERM and SIGINT end it in order, with 0."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], Awaitable[None]] = options.run
    try:
        asyncio.run(_until_stopped(run(options)))
    except (EnrolmentError, HubError, HubUnreachableError, OSError, ValueError) as error:
        say(f"error: {error}")
        return 1
    return 0


def say(sentence: str) -> None:
    """One step, in plain words, at once."""
    print(sentence, flush=True)


async def _until_stopped(work: Awaitable[None]) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


# --- one phone


async def run_phone(options: argparse.Namespace) -> None:
    """Be one phone until stopped."""
    network = CellNetwork()
    if options.reply is not None:
        network.strangers_answer = lambda text: str(options.reply).replace("{text}", text)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(network.aclose)
        air = await _air(options.radio_log, stack)
        phone = EmulatedPhone(
            options.store,
            sims=[_card(text, options.carrier) for text in options.sim],
            network=network,
            air=air,
            clock=PhoneClock(round(options.clock_offset * 1000)),
            timing=Timing.hasty() if options.hasty else Timing(),
            transport=options.transport,
            os_segments_per_minute=options.os_limit,
            failpoints=Failpoints.from_environment(),
            say=say,
        )
        await stack.enter_async_context(phone)
        if (qr := _code(options)) is not None:
            await phone.enrol(qr)
        elif phone.device_id is None:
            raise EnrolmentError("this phone is not enrolled yet: pass --qr-text, --qr-png, or --hub with --token")
        if options.console:
            await Console(phone, say).run()
        else:
            await asyncio.Event().wait()


def _code(options: argparse.Namespace) -> str | bytes | None:
    if options.qr_png is not None:
        return Path(options.qr_png).read_bytes()
    if options.qr_text is not None:
        return str(options.qr_text)
    if options.qr_file is not None:
        return str(Path(options.qr_file).read_text(encoding="utf-8")).strip()
    if options.hub is not None and options.token is not None:
        return build_qr_text(QrInvitation(options.hub.rstrip("/"), options.token))
    return None


async def _air(radio_log: Path | None, stack: AsyncExitStack) -> Air:
    """A radio log that runs already when the path is a socket; else a file, kept by a process that this one starts."""
    if radio_log is None:
        return MemoryAir()
    if not _is_socket(radio_log):
        radio_log = (await stack.enter_async_context(RadioLogProcess(radio_log))).socket
    air = SocketAir(radio_log)
    stack.push_async_callback(air.aclose)
    return air


def _is_socket(path: Path) -> bool:
    return path.is_socket()


def _card(text: str, carrier: str) -> SimCard:
    """`NUMBER[,CARRIER][,hidden]`."""
    number, *more = text.split(",")
    named = next((word for word in more if word != "hidden"), carrier)
    return SimCard(f"sim-{number}", number, named, tells_number="hidden" not in more)


# --- a fleet


async def run_fleet(options: argparse.Namespace) -> None:
    """Enrol phones through the hub's REST API and keep them online; a report every minute and at the end."""

    async def invite(index: int) -> str:
        return await asyncio.to_thread(_make_enrolment, options.hub.rstrip("/"), options.api_key, f"Fleet {index}")

    async with Fleet(options.phones, invite, os_segments_per_minute=options.os_limit, say=say) as fleet:
        try:
            while True:
                await asyncio.sleep(60)
                _tell(fleet)
        finally:
            _tell(fleet)


def _tell(fleet: Fleet) -> None:
    for line in fleet.report().lines():
        say(line)


def _make_enrolment(hub_url: str, api_key: str, name: str) -> str:
    """`POST /v1/enrolments`; the QR text of a new code."""
    request = urllib.request.Request(
        f"{hub_url}/v1/enrolments",
        data=json.dumps({"name": name}).encode(),
        headers={"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["qr_text"])


# --- the rest


async def run_link(options: argparse.Namespace) -> None:
    """A bad link to a target, bent by words on standard input: cut, freeze, thaw, down, up, delay SECONDS."""
    host, _, port = options.target.rpartition(":")
    async with BadLink(host or "127.0.0.1", int(port)) as link:
        say(f"listening on 127.0.0.1:{link.port}, towards {options.target}")
        async for words in typed_lines():
            try:
                await _bend(link, words)
            except ValueError as error:
                say(f"error: {error}")
            else:
                say(f"done: {words}; {link.open_connections} connections")
        await asyncio.Event().wait()


async def _bend(link: BadLink, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word == "delay":
        link.delay_seconds = float(rest)
    elif word == "down":
        await link.go_down()
    elif word == "up":
        await link.come_up()
    elif word in ("cut", "freeze", "thaw"):
        getattr(link, word)()
    else:
        raise ValueError(f"no such word as {word!r}")


async def run_air(options: argparse.Namespace) -> None:
    """Say what a radio log holds."""
    texts = texts_of(read_log(options.file))
    say(f"{len(texts)} texts on air, {sum(times > 1 for times in texts.values())} of them twice or more")
    for (recipient, text), times in texts.items():
        if times > 1:
            say(f"{times} times to {recipient}: {text}")


async def run_numbers(_options: argparse.Namespace) -> None:
    """List the magic numbers."""
    say("+120255501NN  every segment is refused with Android result code NN")
    say("+120355501NN  the same with result code 100 + NN")
    for number, (what, _) in BEHAVIOURS.items():
        say(f"{number}  {what}")
    say(f"{RECOVERS}  no service for the first text, then all goes well")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="handset-emulator", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_phone(commands.add_parser("phone", help="be one phone"))
    fleet = commands.add_parser("fleet", help="be many phones")
    fleet.add_argument("--phones", type=int, default=100, help="how many; 100 when not given")
    fleet.add_argument("--hub", required=True, help="address of the hub")
    fleet.add_argument("--api-key", required=True, help="a key of the hub that may enrol phones")
    fleet.add_argument("--os-limit", type=int, default=0, help="Android's segments a minute; 0: none")
    fleet.set_defaults(run=run_fleet)
    link = commands.add_parser("link", help="a bad link in front of a hub or a webhook receiver")
    link.add_argument("target", help="HOST:PORT")
    link.set_defaults(run=run_link)
    air = commands.add_parser("air", help="say what a radio log holds")
    air.add_argument("file", type=Path)
    air.set_defaults(run=run_air)
    commands.add_parser("numbers", help="list the magic numbers").set_defaults(run=run_numbers)
    return parser


def _add_phone(phone: argparse.ArgumentParser) -> None:
    phone.add_argument("--store", type=Path, required=True, help="the phone's memory: a file, made when missing")
    phone.add_argument("--qr-text", help="enrol: what the QR code says")
    phone.add_argument("--qr-file", help="enrol: a file with what the QR code says, unseen by a list of processes")
    phone.add_argument("--qr-png", help="enrol: a picture of the QR code (needs zxing-cpp)")
    phone.add_argument("--hub", help="enrol without a QR code: the hub's address, with --token")
    phone.add_argument("--token", help="the one-time code")
    phone.add_argument(
        *("--sim", "--number"), action="append", default=[], help="NUMBER[,CARRIER][,hidden]; again for the next slot"
    )
    phone.add_argument("--carrier", default="Sandbox Mobile", help="carrier of cards that name none")
    phone.add_argument(
        "--radio-log", type=Path, help="file for every segment sent, or the socket of a running radio_log process"
    )
    phone.add_argument("--reply", help="customers answer every text with this; {text} is what they were told")
    phone.add_argument("--transport", choices=["auto", "websocket", "http"], default="auto")
    phone.add_argument("--clock-offset", type=float, default=0, help="seconds the phone's clock is ahead")
    phone.add_argument("--os-limit", type=int, default=30, help="Android's segments a minute; 0: none")
    phone.add_argument("--hasty", action="store_true", help="try again almost at once, for tests")
    phone.add_argument("--console", action="store_true", help="read what happens to the phone from standard input")
    phone.set_defaults(run=run_phone)


if __name__ == "__main__":
    sys.exit(main())
