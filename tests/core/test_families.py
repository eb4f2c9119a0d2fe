"""Which pairs are still worth verifying, by the matches so far."""

from __future__ import annotations

from image_duplicate_finder.model import Match, Relation
from image_duplicate_finder.scan.matching import Families


def same(a: int, b: int) -> Match:
    return Match(a, b, Relation.RESIZED)


def holds(part: int, collage: int) -> Match:
    return Match(part, collage, Relation.CONTAINS, share_b=0.25)


def test_a_family_is_tried_against_its_best_by_rank() -> None:
    families = Families({id: id for id in range(5)})
    families.learn([], [same(3, 4), same(2, 3), same(0, 2)])
    assert families.to_keepers() == [(0, 3), (0, 4)]


def test_a_collage_does_not_make_one_family_of_two() -> None:
    """4 holds 0 and 2; a crop of each, 1 and 3, passes for its copy."""
    parts = [
        Match(1, 4, Relation.EDITED, share_b=0.1, agreement=0.95),
        Match(3, 4, Relation.EDITED, share_b=0.1, agreement=0.95),
    ]
    families = Families({4: 0, 0: 1, 1: 2, 2: 3, 3: 4})
    families.learn([], [same(0, 1), same(2, 3), holds(0, 4), holds(2, 4), *parts])
    assert families.to_keepers() == []
    # Still two families, so what one has to do with the other is open after the likely keepers.
    _likely, candidates, *_rest = families.waves({(0, 2): 1.0})
    assert candidates == [(0, 2)]


def test_where_a_window_is_the_best_by_rank_the_photo_is_tried_too() -> None:
    """0 shows all the others amid something else, 2 matches most of them besides."""
    around = [Match(0, id, Relation.EDITED, share_a=0.4) for id in (1, 2, 3, 4)]
    families = Families({id: id for id in range(5)})
    families.learn([], [*around, same(1, 2), same(2, 3)])
    assert families.to_keepers() == [(2, 4)]


def test_a_picture_alone_meets_what_the_same_collage_shows() -> None:
    """4 shows 3 and also 1, a copy of 0: so 3 may be a copy of 0 that only resembles it there."""
    families = Families({id: id for id in range(5)})
    families.learn([], [same(0, 1), holds(1, 4), holds(3, 4)])
    assert families.to_keepers() == [(0, 3), (0, 4)]


def test_candidates_may_have_any_score() -> None:
    """A cosine of features may be negative: the best candidate is still the one to try first."""
    for score in (-0.9, -0.01, 0.0, 0.4):
        families = Families({0: 0, 1: 1, 2: 2})
        likely, *_ = families.waves({(0, 1): score, (1, 2): score - 0.05})
        assert (0, 1) in likely
