"""Emulated Android gateway phones: the real device protocol over real sockets, for sandboxes, tests and load."""

from android_emulator.air import Aired, MemoryAir, SocketAir, read_log
from android_emulator.cell_network import CellNetwork, EchoCustomer, Text
from android_emulator.clock import PhoneClock
from android_emulator.link import BadLink, Direction
from android_emulator.phone import EmulatedPhone
from android_emulator.radio import Service
from android_emulator.sim import SimCard
from android_emulator.store import VolatileStore, copy_phone
from android_emulator.uplink import Timing

__all__ = [
    "Aired",
    "BadLink",
    "CellNetwork",
    "Direction",
    "EchoCustomer",
    "EmulatedPhone",
    "MemoryAir",
    "PhoneClock",
    "Service",
    "SimCard",
    "SocketAir",
    "Text",
    "Timing",
    "VolatileStore",
    "copy_phone",
    "read_log",
]
