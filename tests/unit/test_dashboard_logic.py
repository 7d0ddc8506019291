"""The dashboard's pure logic, run by Node: segments as the hub counts them, threads put together, texts shown safely."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from hub.core import encoding
from tests.databases import missing

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).parent / "dashboard_logic.mjs"
Call = tuple[str, str, list[Any]]


def run(*calls: Call) -> list[Any]:
    """The results of these functions of the dashboard, by module, name and arguments."""
    node = shutil.which("node")
    if node is None or not (ROOT / "web" / "node_modules" / "vite").exists():
        missing("chromium", "the dashboard's logic needs Node and web/node_modules (npm ci)")
    inside = ROOT / "web" / f".dashboard_logic-{uuid.uuid4().hex}.mjs"  # tests run side by side
    inside.write_text(RUNNER.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        done = subprocess.run(
            [str(node), inside.name],
            cwd=ROOT / "web",
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        inside.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def texts() -> list[str]:
    """Texts around every edge: both alphabets, pairs at the ends of segments, foreign signs."""
    source = random.Random(4)
    letters = "abc XYZ 0123 £€[]{}~^|\\ \n ’“…– äöü é 😀👍🏽 Ж中 \u200b\u200d"
    edges = ["a" * n for n in (0, 1, 159, 160, 161, 306, 307)] + ["Ж" * n for n in (69, 70, 71, 134, 135)]
    pairs = ["a" * n + "€" * 3 + "b" * 200 for n in range(150, 155)] + [
        "Ж" * n + "😀" * 3 + "Ж" * 70 for n in range(64, 69)
    ]
    return [*edges, *pairs, *("".join(source.choices(letters, k=source.randrange(400))) for _ in range(150))]


def test_segments_are_counted_as_the_hub_counts_them() -> None:
    given = texts()
    measured = run(
        *(("segments", "measure", [text]) for text in given), *(("segments", "simplify", [text]) for text in given)
    )
    for text, mine, simple in zip(given, measured, measured[len(given) :], strict=False):
        hubs = encoding.measure(text)
        expected = {
            "encoding": hubs.encoding,
            "segments": hubs.segments,
            "units": hubs.units,
            "perSegment": hubs.per_segment,
            "remaining": hubs.remaining,
            "forcing": list(hubs.forcing),
        }
        assert mine == expected, repr(text)
        assert simple == encoding.simplify(text)


def message(id_: str, at: int = 0, **more: Any) -> dict[str, Any]:
    plain = {
        "direction": "mt",
        "kind": "sms",
        "state": "sent",
        "text": id_,
        "segments": 1,
        "line_id": "l",
        "retry_of": None,
        "media": [],
    }
    return {"id": id_, "created_at": f"2026-01-01T10:{at:02}:00.000Z", **plain, **more}


def pending(text: str, after: str = "", **more: Any) -> dict[str, Any]:
    return {
        "key": f"k-{text}",
        "peer": "+1",
        "text": text,
        "after": after,
        "at": 0,
        "lineId": None,
        "sendAt": None,
        **more,
    }


def test_pages_and_changes_become_each_text_once_in_order_and_old_news_changes_nothing() -> None:
    page = [message("m3"), message("m1")]
    (first,) = run(("merge", "absorb", [{"$map": []}, page, 1]))
    (second,) = run(("merge", "absorb", [first, [message("m2"), message("m3", state="delivered")], 3]))
    (third,) = run(("merge", "absorb", [second, [message("m3", state="queued")], 2]))
    (ordered,) = run(("merge", "inOrder", [third]))
    assert [(one["id"], one["state"]) for one in ordered] == [("m1", "sent"), ("m2", "sent"), ("m3", "delivered")]


def test_a_text_on_its_way_is_shown_until_it_is_stored_and_never_twice() -> None:
    stored = [message("m1", text="hi"), message("m5", text="hi"), message("m6", text="yo")]
    cases: list[tuple[list[Any], list[str]]] = [
        ([pending("hi", after="m1")], []),
        ([pending("hi", after="m6")], ["k-hi"]),
        ([pending("x", messageId="m6")], []),
        ([pending("x", messageId="m7")], ["k-x"]),
        ([pending("hi", after="m1", key="a"), pending("hi", after="m1", key="b")], ["b"]),
        ([pending("hi", after="m1", problem="refused")], ["k-hi"]),
        ([pending("hi", after="m1", messageId="m5", key="a"), pending("hi", after="m1", key="b")], ["b"]),
        ([pending("hi", after="m1", media=[{"id": "f1"}])], ["k-hi"]),  # the stored one has no attachment: another text
    ]
    found = run(*(("merge", "stillPending", [case, stored]) for case, _ in cases))
    assert [[one["key"] for one in left] for left in found] == [expected for _, expected in cases]


def test_a_thread_has_a_head_for_each_day_and_folds_what_is_the_same() -> None:
    texts = [
        message("m1", created_at="2026-01-01T10:00:00.000Z"),
        message("m2", created_at="2026-01-01T10:01:00.000Z"),
        message("m3", created_at="2026-01-01T10:01:30.000Z", direction="mo"),
        message("m4", created_at="2026-01-03T10:00:00.000Z"),
    ]
    note = {"key": "stop", "at": "2026-01-02T10:00:00.000Z", "icon": "optOut", "text": "Opted out"}
    (rows,) = run(("merge", "rowsOf", [texts, [], [note], "m3", False]))
    kinds = [row["kind"] for row in rows]
    assert kinds == ["day", "text", "text", "new", "text", "day", "system", "day", "text"]
    assert [row["isFolded"] for row in rows if row["kind"] == "text"] == [True, False, False, False]
    unread = run(("merge", "firstUnreadOf", [texts, 1]), ("merge", "firstUnreadOf", [texts, 9]))
    assert unread == ["m3", None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>x</b><script>alert(1)</script>", [("text", "<b>x</b><script>alert(1)</script>")]),
        ("see https://a.example/x?y=1.", [("text", "see "), ("link", "https://a.example/x?y=1"), ("text", ".")]),
        ("javascript:alert(1) data:text/html,x", [("text", "javascript:alert(1) data:text/html,x")]),
        ("pay\u200bpal", [("text", "pay"), ("hidden", "zero-width space"), ("text", "pal")]),
        ("abc\u202etxt", [("text", "abc"), ("hidden", "right-to-left override"), ("text", "txt")]),
        ("👩\u200d👧 family", [("text", "👩\u200d👧 family")]),
        ("کتاب\u200cها", [("text", "کتاب\u200cها")]),
    ],
)
def test_what_people_write_is_shown_as_text_and_what_is_hidden_is_named(text: str, expected: list[Any]) -> None:
    (pieces,) = run(("shown-text", "pieces", [text]))
    assert [(piece["kind"], piece["text"]) for piece in pieces] == expected


def test_numbers_are_read_in_groups() -> None:
    numbers = ["+447700900142", "+12125550112", "+4915112345678", "12345", "Bank", "anonymous"]
    shown = run(*(("numbers", "numberShown", [number]) for number in numbers))
    assert shown == ["+44 7700 900 142", "+1 212 555 0112", "+49 15 112 345 678", "12345", "Bank", "Hidden number"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\r\n1,2\n3,4", [["a", "b"], ["1", "2"], ["3", "4"]]),
        ("\ufeffname\rMaya\r", [["name"], ["Maya"]]),
        ('"Okafor, Maya","said ""hi""\nand left"\n', [["Okafor, Maya", 'said "hi"\nand left']]),
        ('a, "b,c",d"e', [["a", "b,c", 'd"e']]),
        ("a,,\n\n,b", [["a", "", ""], [""], ["", "b"]]),
        ("", []),
    ],
)
def test_csv_is_read_as_people_have_it(text: str, rows: list[list[str]]) -> None:
    assert run(("csv", "parse", [text, ","])) == [rows]


def test_the_delimiter_the_header_and_the_numbers_are_found() -> None:
    texts = ["a;b\n1;2", "name\tto\nx\t+447700900142", "a,b\n1,2", "one column\nx, y", 'n;"a;b,c,d"\n1;"x,y,z,w"']
    found = run(*(("csv", "delimiterOf", [text]) for text in texts))
    assert found == [";", "\t", ",", ",", ";"]
    sheets = [
        [["name", "to"], ["Maya", "+447700900142"]],
        [["Maya", "+44 7700 900142"], ["Tom", "07700 900117"]],
        [["name", "name"], ["a", "b"]],
        [["name", "to"]],
    ]
    assert run(*(("csv", "hasHeader", [rows]) for rows in sheets)) == [True, False, False, False]
    columns = run(
        ("csv", "numberColumn", [["order", "mobile"], [["4471", "07700 900142"], ["4472", "(0)7700-900117"]]]),
        ("csv", "numberColumn", [["a", "b"], [["+447700900142", "Maya"]]]),
        ("csv", "numberColumn", [["a", "b"], [["x", "y"]]]),
    )
    assert columns == [1, 0, 0]


def test_csv_that_is_written_runs_no_formula_and_is_read_back() -> None:
    rows = [["to", "why"], ["+447700900142", 'no, "really"'], ["=1+1", "-2"], ["@x", "a\nb"]]
    (written,) = run(("csv", "write", [rows]))
    (again,) = run(("csv", "parse", [written, ","]))
    assert again == [rows[0], rows[1], ["'=1+1", "'-2"], ["'@x", "a\nb"]]


def test_names_in_braces_become_the_cells_of_a_row_and_others_stay() -> None:
    names, cells = ["Name ", "order"], [" Maya ", "4471"]
    template = "Hello {name}, {ORDER} is ready. {shop} { } {{name}}"
    merged, unknown = run(("upload", "merge", [template, names, cells]), ("upload", "unknownFields", [template, names]))
    assert merged == "Hello Maya, 4471 is ready. {shop} { } {Maya}"
    assert unknown == ["shop", ""]


def test_rows_are_brought_in_chunks_that_a_request_can_hold_each_once_and_in_order() -> None:
    short = [{"row": n, "to": "+447700900142", "text": "x"} for n in range(1, 1202)]
    long = [{"row": n, "to": "+447700900142", "text": "W" * 50_000} for n in range(1, 8)]
    (small, big, none) = run(*(("upload", "chunks", [rows]) for rows in (short, long, [])))
    assert [len(chunk) for chunk in small] == [500, 500, 201]
    assert [row for chunk in small for row in chunk] == short
    assert [len(chunk) for chunk in big] == [3, 3, 1]
    assert none == []


def test_the_same_upload_has_the_same_key_and_another_has_another() -> None:
    one, again, other = run(*(("upload", "keyOf", [text]) for text in ("rows", "rows", "rowt")))
    assert one == again != other
