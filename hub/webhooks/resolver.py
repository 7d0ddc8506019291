"""Names to addresses, in threads of our own: a dead name server must not stop every other lane.

asyncio's own look-ups share a handful of threads with everything else in the process. Here there are 64, a name is looked up once for
all who ask at that moment, an answer is kept for 30 s and a failure for 5 s, and nobody waits longer than 3 s. A name with any
refused address is refused as a whole (`hub.webhooks.targets`).
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hub.webhooks.targets import AddressRefused, Guard

THREADS = 64
LIMIT_SECONDS = 3.0
KEEP_SECONDS = 30.0
KEEP_FAILURE_SECONDS = 5.0
MOST_NAMES = 4096

Lookup = Callable[[str], list[str]]
"""A name's addresses, blocking; raises OSError."""


class NotResolved(OSError):
    """A name that could not be looked up."""


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: tuple[str, ...]
    error: str | None
    until: float


def system_lookup(host: str) -> list[str]:
    """What the operating system says."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Resolver:
    """Shared by all lanes of a process."""

    def __init__(
        self,
        guard: Guard,
        lookup: Lookup = system_lookup,
        *,
        keep_seconds: float = KEEP_SECONDS,
        threads: int = THREADS,
    ) -> None:
        self._guard = guard
        self._lookup = lookup
        self._keep_seconds = keep_seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hub-resolver")
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """All addresses of a name. Raises NotResolved, or AddressRefused if the hub does not send to one of them."""
        known = self._known.get(host)
        if known is None or known.until <= asyncio.get_running_loop().time():
            known = await self._ask(host)
        if known.error is not None:
            raise NotResolved(known.error)
        for address in known.addresses:
            what = self._guard.refusal(address)
            if what is not None:
                raise AddressRefused(f"{host} stands for {address}, which is refused: {what}")
        return known.addresses

    def close(self) -> None:
        """Look up no more; threads that wait for a name server end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, host: str) -> _Known:
        loop = asyncio.get_running_loop()
        asking = self._asking.get(host)
        if asking is None:
            asking = self._asking[host] = asyncio.wrap_future(self._threads.submit(self._lookup, host))
            asking.add_done_callback(lambda _done: self._asking.pop(host, None))
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                addresses = await asyncio.shield(asking)
        except TimeoutError:
            return self._keep(host, (), f"{host} could not be looked up within {LIMIT_SECONDS:g} s", loop.time())
        except (OSError, UnicodeError) as error:
            return self._keep(host, (), f"{host} could not be looked up: {_reason(error)}", loop.time())
        if not addresses:
            return self._keep(host, (), f"{host} has no address", loop.time())
        return self._keep(host, tuple(addresses), None, loop.time())

    def _keep(self, host: str, addresses: tuple[str, ...], error: str | None, now: float) -> _Known:
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        known = _Known(addresses, error, now + (self._keep_seconds if error is None else KEEP_FAILURE_SECONDS))
        self._known[host] = known
        return known


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
