"""Texts as CSV: all of the filter, and nothing a spreadsheet would run."""

import csv
import io

import pytest

from hub.dialects.native_v1.export import PAGE, harmless
from tests.integration.api.hub_api import Api

pytestmark = pytest.mark.anyio


async def rows_of(api: Api, **query: str) -> list[dict[str, str]]:
    answer = await api.http.get("/v1/messages/export", params=query)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="texts-')
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_every_text_of_the_filter_is_in_the_file(api: Api) -> None:
    api.world.phone()
    numbers = [f"+49170{number:07d}" for number in range(PAGE + 20)]
    await api.send(numbers, text="offer")
    await api.send("+491701234567", text="another")
    assert {row["peer"] for row in await rows_of(api, text="offer")} == set(numbers)
    assert [row["text"] for row in await rows_of(api, peer="+491701234567")] == ["another"]


async def test_texts_keep_their_lines_and_signs(api: Api) -> None:
    device = api.world.phone()
    words = 'one, "two"\nthree; ä ☂'
    await api.receive(device, words)
    (row,) = await rows_of(api)
    assert (row["text"], row["direction"], row["peer"]) == (words, "mo", "+447700900123")


async def test_a_text_that_would_be_a_formula_is_none(api: Api) -> None:
    device = api.world.phone()
    await api.receive(device, '=HYPERLINK("http://evil","x")')
    assert (await rows_of(api))[0]["text"].startswith("'=HYPERLINK")


@pytest.mark.parametrize("cell", ["=1", "+cmd|x", "-2+3", "@SUM(1)", "\t=1", "\r=1", "+49 170 =1"])
def test_what_starts_a_formula_is_marked(cell: str) -> None:
    assert harmless(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["+491701234567", "hello", "", "1-2", "a=b"])
def test_what_does_not_stays(cell: str) -> None:
    assert harmless(cell) == cell


async def test_another_account_exports_nothing_of_it(api: Api) -> None:
    api.world.phone()
    await api.send("+491701234567", text="private words")
    answer = await api.stranger().get("/v1/messages/export")
    assert len(answer.content.decode("utf-8-sig").splitlines()) == 1
