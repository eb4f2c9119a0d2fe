"""JSON documents as text: what any reader of JSON reads back, and lines that people can read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from image_duplicate_finder.documents import as_text

texts = st.text(st.characters(codec=None), max_size=8)  # lone surrogates are names of files
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, min_size=1, max_size=5))
def test_a_document_is_read_back_as_it_was(document: dict[str, Any]) -> None:
    text = "".join(as_text(document))
    assert text.isascii()
    assert json.loads(text) == document


def test_each_entry_of_a_list_has_a_line() -> None:
    text = "".join(as_text({"version": 1, "groups": [{"id": 1}, {"id": 2}], "failures": []}))
    assert text.splitlines() == [
        "{",
        ' "version": 1,',
        ' "groups": [',
        '  {"id": 1},',
        '  {"id": 2}',
        " ],",
        ' "failures": []',
        "}",
    ]
