"""Cells of a table are never formulas, and what a person sends back is what was written."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from image_duplicate_finder.exports.tables import csv_line, inert, plain

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20\u2212\ufe63"
texts = st.text(st.sampled_from([*SIGNS, *"';,\"\t\r\n\x00 \u00a0\u200b\ufeffaz/.\\"]), max_size=12)


@given(texts)
@example("'=1")
@example("=1")
@example(";'=1")
@example("\t=1")
def test_what_is_made_inert_can_be_told_again(text: str) -> None:
    assert plain(inert(text)) == text


def begins_a_formula(cell: str) -> bool:
    return cell.lstrip(" \u00a0\u200b\ufeff").startswith(tuple(SIGNS))


@given(texts)
def test_no_cell_begins_a_formula_however_cells_are_parted(text: str) -> None:
    line = csv_line([text, "after"])
    ((cell, _),) = csv.reader(io.StringIO(line, newline=""))
    assert not begins_a_formula(cell) and not cell.startswith(tuple("\t\r\n\x00"))
    for part in re.split("[;\t\r\n]", cell):
        assert not begins_a_formula(part)


@pytest.mark.parametrize(
    "text", ["/photos/a-b.jpg", "Nikon D-50", "12-3", "a@b.example", "C:\\a, -5.jpg", "x = y", ""]
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


def test_numbers_stay_numbers() -> None:
    assert csv_line([-3, -0.25, True, None, "-3"]) == "-3,-0.25,True,,'-3\r\n"
