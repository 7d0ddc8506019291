"""A closed-loop HTTP load: N keep-alive connections that each send the next request when the answer to the last one is whole.

Run as a program in its own process: `python -m bench.load --port 8080 --path /v1/messages --body FILE …`. It prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvloop


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._started = 0.0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        self._load.answered(int(self._buffer[9:12]), time.perf_counter() - self._started, self._buffer)
        self._buffer = b""
        if self._load.is_running:
            self._send()
        else:
            self._transport.close()


class Load:
    """Counts answers for a while."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.is_running = True
        self.statuses: dict[int, int] = {}
        self.latencies: list[float] = []
        self.sample = ""

    def answered(self, status: int, seconds: float, answer: bytes) -> None:
        """One whole answer came."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)
        if status >= 300 and not self.sample:
            self.sample = answer[:400].decode("latin-1")

    async def run(self, port: int, connections: int, seconds: float) -> dict[str, Any]:
        """Load for `seconds` and tell what happened."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        for _ in range(connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        await asyncio.sleep(seconds)
        self.is_running = False
        took = time.perf_counter() - started
        self.latencies.sort()
        return {
            "rate": len(self.latencies) / took,
            "answers": len(self.latencies),
            "statuses": self.statuses,
            "p50_ms": self.latencies[len(self.latencies) // 2] * 1000 if self.latencies else None,
            "p99_ms": self.latencies[int(len(self.latencies) * 0.99)] * 1000 if self.latencies else None,
            "sample": self.sample,
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    body = options.body.read_bytes()
    headers = "".join(f"{line}\r\n" for line in options.header)
    head = f"POST {options.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    print(json.dumps(uvloop.run(Load(head.encode() + body).run(options.port, options.connections, options.seconds))))


if __name__ == "__main__":
    main()
