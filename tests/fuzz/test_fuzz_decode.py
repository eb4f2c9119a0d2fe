"""The short form of the fuzz campaign; ``campaign.py`` beside it runs the long one."""

from __future__ import annotations

from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.settings import DecodeLimits
from tests.fuzz import campaign
from tests.fuzz.mutations import mutate, sound_files


def test_sound_files_decode() -> None:
    for name, data in sound_files().items():
        assert decode_full(data, limits=DecodeLimits()).pixels.size > 0, name


def test_same_seed_same_bytes() -> None:
    assert mutate(42) == mutate(42)
    assert mutate(42) != mutate(43)


def test_damaged_files_cost_nothing_but_themselves() -> None:
    seeds = range(5000, 5400)
    outcomes = list(campaign.run(seeds, jobs=2))
    assert [outcome.seed for outcome in outcomes] == list(seeds)
    wrong = [one for one in outcomes if one.kind in ("crash", "timeout", "bug")]
    assert not wrong
    assert {one.kind for one in outcomes} == {"decoded", "failure"}
