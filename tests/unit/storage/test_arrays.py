"""A list of texts on its way into SQLite is JSON, whatever stands in the texts."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hub.storage.arrays import json_list


@given(st.lists(st.text(st.characters())))
def test_a_list_is_read_back_as_it_was(values: list[str]) -> None:
    written = json_list(values)
    assert json.loads(written) == values
    assert written.isascii(), "SQLite is given no half surrogate pair as it is"


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    assert json_list(["\ud800", 'a"\\\n']) == r'["\ud800","a\"\\\n"]'
