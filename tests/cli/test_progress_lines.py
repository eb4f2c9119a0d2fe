"""Progress where there is no terminal: few lines, none of them lost at the end of a stage."""

from __future__ import annotations

import io

from image_duplicate_finder.cli.progress import PlainLines
from image_duplicate_finder.progress import Stage, Step


def test_a_line_at_the_start_and_at_the_end_of_a_stage() -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines(Step(Stage.DISCOVER, 0))
    for done in range(1001):
        lines(Step(Stage.FINGERPRINT, done, 1000, current="a folder", failures=done // 500))
    lines(Step(Stage.GROUP, 3, 3))
    assert stream.getvalue().splitlines() == [
        "Finding pictures: 0",
        "Reading pictures: 0 of 1,000",
        "Reading pictures: 1,000 of 1,000, 2 failed",
        "Grouping: 3 of 3",
    ]
