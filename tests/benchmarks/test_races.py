"""Tools in turns, and what one verified pair costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import races
from benchmarks.photos import write
from benchmarks.races import LOOP, Turn, Turns
from benchmarks.report import spread
from benchmarks.truth import TruePair
from benchmarks.verifying import milliseconds
from image_duplicate_finder.settings import Mode

Painter = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def folder(tmp_path: Path, painted: Painter) -> Path:
    """A picture, the same mirrored, and another."""
    picture = painted(1, 400, 300)
    write(tmp_path / "a.jpg", picture)
    write(tmp_path / "b.jpg", cv2.flip(picture, 1))
    write(tmp_path / "c.jpg", painted(2, 400, 300))
    return tmp_path


def test_all_have_their_turn_in_every_round(folder: Path) -> None:
    rounds: list[dict[str, list[Turn]]] = []

    def note(turns: Turns) -> None:
        rounds.append({name: list(own) for name, own in turns.items()})

    assert races.race([LOOP, "ours-quick"], folder, 2, note) == []
    assert [[len(own) for own in turns.values()] for turns in rounds] == [[1, 1], [2, 2]]
    (loop, quick) = races.rows(rounds[-1], 3)
    assert loop[0] == LOOP
    assert float(quick[3].split()[0]) > 1, "a scan takes longer than only decoding"
    assert all(0 < turn.seen <= turn.wall for turn in rounds[-1]["ours-quick"])


def test_later_scans_are_stopped_when_their_groups_are_seen(
    tmp_path: Path, painted: Painter
) -> None:
    for number in range(120):  # so many pairs that groups are published before looks at them
        for quality in (90, 60):
            write(tmp_path / f"{number} {quality}.jpg", painted(number, 300, 200), quality)
    rounds: list[list[Turn]] = []
    races.race(["ours-quick"], tmp_path, 2, lambda all: rounds.append(list(*all.values())), whole=1)
    first, second = rounds[-1]
    assert first.ended
    assert first.grouped == 240
    assert first.seen < first.wall
    assert not second.ended
    assert second.seen <= second.wall
    assert races.rows({"ours-quick": [first, second]}, 240)[0][2] == spread([first.wall])


def test_who_fails_is_left_out_and_named(folder: Path) -> None:
    picture = folder / "c.jpg"
    picture.write_bytes(picture.read_bytes()[:700])
    rounds: list[list[str]] = []
    failed = races.race([LOOP, "ours-quick"], folder, 1, lambda turns: rounds.append(list(turns)))
    assert rounds == [["ours-quick"]]
    (reason,) = failed
    assert reason.startswith(f"{LOOP}: ")
    assert "cannot be decoded" in reason


def test_verification_of_pairs_is_timed_and_finds_them(folder: Path) -> None:
    pairs = [TruePair("a.jpg", "b.jpg", "mirror"), TruePair("a.jpg", "c.jpg", "none")]
    for mode in (Mode.QUICK, Mode.STANDARD):
        costs, matches = milliseconds(folder, pairs, mode, rounds=2)
        assert matches == 1
        assert len(costs) == 2
        assert min(costs) > 0
