"""Short ways to be a phone for the tests of phones: enrol, say hello, tell events; over the shared `World`."""

from typing import Any

import msgspec
from msgspec import Raw

from device_protocol.enrolment import DeviceDescription, secret_hash
from device_protocol.frames import Ack, App, Event, Gone, Hello, Sim
from device_protocol.payloads import Payload, SmsReceived, encode_payload, event_type_of
from device_protocol.wire_types import write_utc
from hub.core.errors import HubError
from hub.devices.connect import Greeted, SayHello, say_hello
from hub.devices.credentials import Exchanged, ExchangeSecret, exchange_secret
from hub.devices.enrol import Enrol, Enrolled, code_hash, create_enrolment, enrol, new_enrolment
from hub.devices.event_log import Stored, StoreTold, store_told
from hub.devices.reading import find_device
from hub.devices.views import DeviceView
from hub.storage.schema.devices import DeviceStream
from hub.storage.transaction import Done, Refused
from tests.fakes import seeded_bytes
from tests.integration.messages.world import ACCOUNT, World

EPOCH = "epoch1"
SECRET = "s" * 43
OTHER_SECRET = "t" * 43
PIXEL = DeviceDescription("1.0", "Google", "Pixel 9", "16")
MAY_SEE_SIMS = {"send_sms": True, "receive_sms": True, "read_phone_state": True}


def sim(
    slot: int = 0,
    subscription_id: int | None = None,
    *,
    carrier: str | None = "EE",
    number: str | None = None,
    country: str | None = "gb",
) -> Sim:
    """A SIM; its fingerprint is made as a phone makes it."""
    digits = "".join(character for character in number or "" if character.isdigit())
    fingerprint = f"{(carrier or '').lower()}/{digits[-4:]}"
    return Sim(slot, slot + 1 if subscription_id is None else subscription_id, fingerprint, carrier, number, country)


class Handset:
    """One phone: its secret, its connect counter and its event stream."""

    def __init__(self, world: World, secret: str = SECRET, stream: str = "stream-a") -> None:
        self.world = world
        self.secret = secret
        self.stream = stream
        self.device_id = ""
        self.account_id = ACCOUNT
        self.session_no = 0
        self.connect = 0
        self.next = 1
        self.oldest_held = 1
        self.sims: tuple[Sim, ...] = ()
        self.credential_no = 1

    # --- coming in

    def enrol(self, token: str | None = None, **values: Any) -> Enrolled:
        """Use a code; without one, a new one is made."""
        code = token or make_code(self.world, account_id=self.account_id)
        given: dict[str, Any] = {
            "token_sha256": code_hash(code),
            "secret_sha256": secret_hash(self.secret),
            "device": msgspec.structs.replace(PIXEL, sims=self.sims, permissions=MAY_SEE_SIMS),
            "new_device_id": self.world.new_id(),
            "hub_epoch": EPOCH,
        }
        enrolled: Enrolled = self.world.do(enrol, Enrol(**{**given, **values}))
        self.device_id = enrolled.device_id
        return enrolled

    def exchange(self, nonce: str | None, fresh: str, *, secret: str | None = None, epoch: str = EPOCH) -> Exchanged:
        """Ask for an access token."""
        command = ExchangeSecret(
            device_id=self.device_id,
            secret_sha256=secret_hash(secret or self.secret),
            nonce=nonce,
            fresh_nonce=fresh,
            hub_epoch=epoch,
        )
        exchanged: Exchanged = self.world.do(exchange_secret, command)
        return exchanged

    # --- connecting

    def hello_command(self, **values: Any) -> SayHello:
        """The hello it would say now; `values` replace fields of the frame."""
        given: dict[str, Any] = {
            "connect": self.connect,
            "app": App("1.0", "16", "Google", "Pixel 9"),
            "stream": self.stream,
            "oldest_held": self.oldest_held,
            "next": self.next,
            "sims": self.sims,
            "permissions": MAY_SEE_SIMS,
        }
        return SayHello(
            account_id=self.account_id,
            device_id=self.device_id,
            credential_no=self.credential_no,
            hello=Hello(**{**given, **values}),
            fresh_stream=f"fresh-{self.connect}",
            hub_epoch=EPOCH,
            node="here",
        )

    def hello(self, **values: Any) -> Greeted:
        """Connect, raising the counter before."""
        self.connect += 1
        greeted: Greeted = self.world.do(say_hello, self.hello_command(**values))
        if greeted.is_welcome:
            self.session_no = greeted.session_no
        return greeted

    # --- events

    def event(self, payload: Payload | Raw | bytes, n: int | None = None, **values: Any) -> Event:
        """An event frame with the next number."""
        number = self.next if n is None else n
        self.next = max(self.next, number + 1)
        raw = (
            payload
            if isinstance(payload, Raw)
            else Raw(payload)
            if isinstance(payload, bytes)
            else encode_payload(payload)
        )
        given: dict[str, Any] = {
            "stream": self.stream,
            "n": number,
            "uuid": f"uuid-{self.stream}-{number}",
            "event_type": "sms:received" if isinstance(payload, Raw | bytes) else event_type_of(payload),
            "at": Raw(msgspec.json.encode(write_utc(self.world.clock.now()))),
            "payload": raw,
        }
        return Event(**{**given, **values})

    def text(self, text: str = "hi", n: int | None = None, sender: str = "+447700900123", **values: Any) -> Event:
        """An event that a text came in."""
        received = SmsReceived(sender, write_utc(self.world.clock.now()), 1, 0, text)
        return self.event(received, n, **values)

    def told(self, *frames: Event | Gone, raw: str | None = None, session_no: int | None = None) -> StoreTold:
        """The command for these frames."""
        return StoreTold(
            account_id=self.account_id,
            device_id=self.device_id,
            session_no=self.session_no if session_no is None else session_no,
            frames=frames,
            raw=raw,
        )

    def tell(self, *frames: Event | Gone, **values: Any) -> list[Any]:
        """Tell in one command; the frames that come back."""
        before = len(self.world.frames())
        stored: Stored = self.world.do(store_told, self.told(*frames, **values))
        self.new = stored.new
        return self.world.frames()[before:]

    def acked(self) -> Ack:
        """The last acknowledgement."""
        acks: list[Ack] = self.world.frames(Ack)
        return acks[-1]

    # --- looking

    def view(self) -> DeviceView:
        with self.world.conn.begin():
            view = find_device(self.world.conn, self.account_id, self.device_id, now=self.world.clock.now())
        assert view is not None
        return view

    def stream_row(self, stream: str | None = None) -> dict[str, Any]:
        rows = self.world.rows(DeviceStream)
        return next(
            row for row in rows if row["device_id"] == self.device_id and row["stream"] == (stream or self.stream)
        )


def make_code(world: World, *, account_id: str = ACCOUNT, device_id: str | None = None, seed: int | None = None) -> str:
    """A fresh code of the account."""
    random = seeded_bytes(seed if seed is not None else int(world.new_id()[-6:], 36)).randbytes
    made = new_enrolment(account_id, None, device_id=device_id, new_id=world.new_id, random=random)
    world.do(create_enrolment, made.command)
    return made.token


def enrolled(world: World, secret: str = SECRET, *, account_id: str = ACCOUNT, sims: tuple[Sim, ...] = ()) -> Handset:
    """A phone that has enrolled."""
    handset = Handset(world, secret)
    handset.account_id, handset.sims = account_id, sims
    handset.enrol()
    return handset


def connected(world: World, secret: str = SECRET, **values: Any) -> Handset:
    """A phone that has enrolled and said hello."""
    handset = enrolled(world, secret, **values)
    assert handset.hello().is_welcome
    return handset


def error_of(outcome: Done[Any] | Refused) -> HubError | None:
    """The refusal of an outcome."""
    return outcome.error if isinstance(outcome, Refused) else None
