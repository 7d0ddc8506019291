"""What the world does to a phone, as event payloads: a text comes in, a call is missed, an MMS waits, the cards change."""

import hashlib
from dataclasses import dataclass

from android_emulator.segments import divide
from android_emulator.sim import InsertedSim
from device_protocol.limits import SEGMENTS_MAX
from device_protocol.payloads import CallMissed, MediaRef, MmsReceived, SmsReceived
from device_protocol.wire_types import write_utc


def text_received(sender: str, text: str, sim: InsertedSim, at_ms: int, network_ms: int) -> SmsReceived:
    """A text that came in on a card; `at_ms` is the phone's idea of the hub's time, `network_ms` the service centre's stamp.

    What no event holds (NUL, half a surrogate pair, more than a frame) is put right where the event is written.
    """
    return SmsReceived(
        sender=sender,
        received_at=write_utc(at_ms),
        subscription_id=sim.subscription_id,
        slot=sim.slot,
        text=text,
        service_centre_at=write_utc(network_ms),
        segments=min(len(divide(text)), SEGMENTS_MAX),
    )


def call_missed(caller: str | None, sim: InsertedSim, at_ms: int) -> CallMissed:
    """A call nobody took; a caller may hide the number."""
    return CallMissed(write_utc(at_ms), caller, sim.subscription_id, sim.slot)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One thing in an MMS."""

    content_type: str
    content: bytes
    name: str | None = None

    @property
    def sha256(self) -> str:
        """What its bytes are called on the wire."""
        return hashlib.sha256(self.content).hexdigest()

    def ref(self, why: str | None = None) -> MediaRef:
        """How the event names it; `why` says that its bytes could not be handed over."""
        return MediaRef(self.content_type, None if why else self.sha256, self.name, len(self.content), why)


def mms_received(
    sender: str | None, text: str | None, media: tuple[MediaRef, ...], sim: InsertedSim, at_ms: int
) -> MmsReceived:
    """A whole MMS, as the default app sees it."""
    return MmsReceived(
        write_utc(at_ms), sim.subscription_id, sender=sender, slot=sim.slot, text=text or None, media=media
    )


def mms_waits(sender: str | None, subject: str | None, size_bytes: int, sim: InsertedSim, at_ms: int) -> MmsReceived:
    """The notice that an MMS waits at the operator's server; an app that is not the default one never sees more."""
    return MmsReceived(
        write_utc(at_ms), sim.subscription_id, sender=sender, slot=sim.slot, subject=subject, size_bytes=size_bytes
    )
