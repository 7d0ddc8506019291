import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from android_emulator.link import BadLink, Direction

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    echoing: list[asyncio.Task[None] | None] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echoing.append(asyncio.current_task())
        with suppress(OSError):
            while piece := await reader.read(1024):
                writer.write(piece)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*filter(None, echoing))


@asynccontextmanager
async def linked() -> AsyncIterator[BadLink]:
    async with echo_server() as port, BadLink("127.0.0.1", port) as link:
        yield link


async def hang_up(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def connect(link: BadLink) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def test_a_good_link_passes_everything_on_and_the_end_too() -> None:
    async with linked() as link:
        reader, writer = await connect(link)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""
        await hang_up(writer)


async def test_a_cut_resets_both_ends() -> None:
    async with linked() as link:
        reader, writer = await connect(link)
        writer.write(b"x")
        await reader.readexactly(1)
        link.cut()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await hang_up(writer)
        assert link.accepted == 1


async def test_a_frozen_link_is_silent_and_open_while_new_ones_work() -> None:
    async with linked() as link:
        reader, writer = await connect(link)
        writer.write(b"x")
        await reader.readexactly(1)
        link.freeze()
        writer.write(b"late")
        answer = asyncio.create_task(reader.readexactly(4))
        fresh_reader, fresh_writer = await connect(link)
        fresh_writer.write(b"new")
        assert await fresh_reader.readexactly(3) == b"new"
        assert not answer.done()
        link.thaw()
        assert await answer == b"late"
        await hang_up(writer, fresh_writer)


async def test_a_connection_can_be_born_frozen() -> None:
    async with linked() as link:
        link.new_connections_frozen = True
        reader, writer = await connect(link)
        writer.write(b"hello")
        answer = asyncio.create_task(reader.readexactly(5))
        await asyncio.sleep(0)
        assert not answer.done()
        link.thaw()
        assert await answer == b"hello"
        await hang_up(writer)


async def test_a_cut_in_the_middle_of_a_message_delivers_its_beginning() -> None:
    async with linked() as link:
        reader, writer = await connect(link)
        link.cut_after(3, Direction.DOWN)
        writer.write(b"hello")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(4)
        await hang_up(writer)


async def test_a_link_that_is_down_refuses_and_comes_back_at_the_same_port() -> None:
    async with linked() as link:
        await link.go_down()
        with pytest.raises(ConnectionRefusedError):
            await connect(link)
        await link.come_up()
        reader, writer = await connect(link)
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        await hang_up(writer)


async def test_an_unreachable_target_ends_the_connection() -> None:
    async with echo_server() as port:
        pass
    async with BadLink("127.0.0.1", port) as link:
        reader, writer = await connect(link)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await hang_up(writer)
