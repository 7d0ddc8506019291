"""The ceiling of one core for accepting a text: uvicorn and Starlette, the body decoded and checked, an id made, the answer written as
JSON, nothing stored.

`uvicorn bench.baselines.accept_echo:app --loop uvloop --http httptools --no-access-log --ws none`
"""

import os
import time

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class NewMessage(msgspec.Struct):
    """The same request the hub is measured with."""

    to: str
    text: str


decode = msgspec.json.Decoder(NewMessage).decode
encode = msgspec.json.Encoder().encode


async def create(request: Request) -> Response:
    """202 with an id."""
    new = decode(await request.body())
    made = f"{int(time.time() * 1000):012x}{os.urandom(10).hex()}"
    answer = {"id": made, "to": new.to, "state": "queued", "hashed": False}
    return Response(encode(answer), 202, media_type="application/json")


async def ready(_request: Request) -> Response:
    """200."""
    return Response(b"ok")


app = Starlette(routes=[Route("/m", create, methods=["POST"]), Route("/readyz", ready)])
