"""The table of relations, and that SQL and Python read it alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_duplicate_finder.grouping.projection import Links
from image_duplicate_finder.model import GroupKind, ImageInfo, Match, Relation
from image_duplicate_finder.relations import (
    CROP_OF_OTHER_SQL,
    IS_DUPLICATE_SQL,
    PRESELECTABLE,
    RELATIONS,
    SAME_PIXELS,
    SHOWS_MORE_SQL,
    crop_of_other,
    is_duplicate,
    shows_more,
    strength,
    weakest,
)
from image_duplicate_finder.store import Store

# Rounded, so that equal shares and those at the limits come up.
SHARES = st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.5, 0.9, 0.97, 1.0)))
MATCHES = st.builds(
    Match,
    a=st.integers(1, 4),
    b=st.integers(5, 8),
    relation=st.sampled_from(Relation),
    share_a=SHARES,
    share_b=SHARES,
    same_photograph=st.booleans(),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(Path(tmp_path_factory.mktemp("library")))
    info = ImageInfo("JPEG", 4, 3)
    ids = store.contents.put_all([(bytes([n]) * 32, 1, info) for n in range(8)])
    assert sorted(ids.values()) == list(range(1, 9))
    yield store
    store.close()


@given(st.lists(MATCHES, max_size=8, unique_by=lambda match: (match.a, match.b)))
def test_sql_and_python_say_the_same_of_every_match(store: Store, matches: list[Match]) -> None:
    with store.atomic() as connection:
        connection.execute("DELETE FROM match")
        store.matches.put("v", matches)
        rows = connection.execute(
            f"SELECT a, b, {IS_DUPLICATE_SQL}, {SHOWS_MORE_SQL}, {CROP_OF_OTHER_SQL} FROM match"
            " ORDER BY a, b"
        ).fetchall()
    matches.sort(key=lambda match: (match.a, match.b))
    assert rows == [
        (each.a, each.b, is_duplicate(each), shows_more(each), crop_of_other(each))
        for each in matches
    ]
    copies = [match for match in matches if is_duplicate(match)]
    read, made = store.matches.links("v"), Links.of(copies)
    for column in ("a", "b", "partial", "whole", "edited"):
        assert getattr(read, column).tolist() == getattr(made, column).tolist()
    assert store.matches.no_links("v", set(range(1, 9))) == [
        match for match in matches if not is_duplicate(match)
    ]


def test_every_relation_has_a_rule() -> None:
    assert tuple(RELATIONS) == tuple(Relation)
    assert all(strength(one) < strength(other) for one, other in pairwise(RELATIONS))
    assert weakest([Relation.EDITED, Relation.RESIZED]) is Relation.EDITED


def test_only_duplicates_may_be_preselected() -> None:
    for relation, rule in RELATIONS.items():
        assert rule.kind is GroupKind.DUPLICATES or not rule.preselectable
        assert is_duplicate(Match(1, 2, relation)) is (rule.kind is GroupKind.DUPLICATES)
        assert not is_duplicate(Match(1, 2, relation, same_photograph=False))
    assert set(Relation) - {Relation.CONTAINS, Relation.SIMILAR} == PRESELECTABLE
    assert {Relation.BYTE_IDENTICAL, Relation.PIXEL_IDENTICAL} == SAME_PIXELS
