"""Groups are stars around a keeper, the same for any order of files and matches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_duplicate_finder.dominance import Evidence, standings
from image_duplicate_finder.grouping import Content, group
from image_duplicate_finder.keeping import KeepFacts, ranking
from image_duplicate_finder.messages import KeepReason
from image_duplicate_finder.model import (
    Group,
    GroupKind,
    ImageInfo,
    Lack,
    Look,
    Match,
    Metadata,
    Relation,
)
from image_duplicate_finder.settings import KeepRule


def facts(file: int, *, width: int = 400, path: str = "", protected: bool = False) -> KeepFacts:
    info = ImageInfo("JPEG", width, 300, metadata=Metadata(jpeg_quality=90))
    return KeepFacts(file, path or f"/p/{file:03}.jpg", info, 1000, 5, protected)


def content(id: int, **values: object) -> Content:
    return Content(id, (facts(id, **values),))  # type: ignore[arg-type]


def look_at(match: Match, contents: Mapping[int, Content]) -> Look:
    """What a closer look would see of a match that is just what its relation says."""
    one, other = (contents[id].files[0].info.width for id in (match.a, match.b))
    scale = other / one
    transform = match.transform or ((scale, 0.0, 0.0), (0.0, scale, 0.0))
    finer = 0.0 if scale == 1 else 3.0 if scale < 1 else -3.0
    worst = 9.0 if match.relation is Relation.EDITED else 1.0
    return Look(transform, worst=worst, detail=finer)


def grouped(
    contents: Sequence[Content], matches: Sequence[Match], **options: object
) -> list[Group]:
    of_id = {each.id: each for each in contents}
    looks = {
        (match.a, match.b): look_at(match, of_id)
        for match in (match if match.a < match.b else match.reversed() for match in matches)
        if match.a in of_id and match.b in of_id
    }
    options = {"looks": looks, **options}
    return group(
        contents, matches, describe=lambda match, _k, _m, _l: match.relation.value, **options
    )  # type: ignore[arg-type]


def files_of(found: Group) -> list[int]:
    return [found.keeper, *(member.file for member in found.members)]


def test_members_hang_on_the_largest_picture() -> None:
    contents = [content(1), content(2, width=800), content(3)]
    matches = [Match(1, 2, Relation.RESIZED), Match(2, 3, Relation.RESIZED)]
    (found,) = grouped(contents, matches)
    assert found.keeper == 2
    assert [member.file for member in found.members] == [1, 3]
    assert all(member.selected for member in found.members)
    assert found.keep_reasons == (KeepReason.PIXELS(),)


def test_a_chain_is_not_one_group() -> None:
    """1-2-3-4 in a row: nobody matches all others, so nobody keeps all others."""
    contents = [content(id) for id in (1, 2, 3, 4)]
    chain = [
        Match(1, 2, Relation.EDITED),
        Match(2, 3, Relation.EDITED),
        Match(3, 4, Relation.EDITED),
    ]
    linked = {frozenset((match.a, match.b)) for match in chain}
    *duplicates, last = grouped(contents, chain)
    for found in duplicates:
        assert found.kind is GroupKind.DUPLICATES
        assert all(frozenset((found.keeper, m.file)) in linked for m in found.members)
    # What does match across groups shows that they belong together, and nothing is selected there.
    assert last.kind is GroupKind.CONTAINS
    assert set(files_of(last)) & set(files_of(duplicates[0]))
    assert not any(member.selected for member in last.members)


@pytest.mark.parametrize(("share", "linked"), [(0.5, False), (0.6, True), (1.0, True)])
def test_only_what_a_member_shows_of_its_keeper_links_others_to_it(
    share: float, linked: bool
) -> None:
    """2 shows 1 on six tenths of it, so 3 may be a copy of what is beside, or hardly."""
    contents = [content(1, width=900), *map(content, range(2, 7))]
    matches = [
        *(Match(1, id, Relation.RESIZED) for id in (4, 5)),
        Match(1, 2, Relation.EDITED, share_b=0.6),
        Match(2, 3, Relation.EDITED, share_a=share),
        Match(3, 6, Relation.RESIZED),
    ]
    one, other, *links = grouped(contents, matches)
    assert (files_of(one), files_of(other)) == ([1, 2, 4, 5], [3, 6])
    assert [(found.kind, files_of(found)) for found in links] == (
        [(GroupKind.CONTAINS, [1, 3])] if linked else []
    )


def test_a_dismissed_pair_is_not_linked_through_a_third() -> None:
    contents = list(map(content, (1, 2, 3, 4, 5)))
    matches = [Match(1, id, Relation.RESIZED) for id in (2, 3, 4, 5)]
    matches.append(Match(2, 3, Relation.RESIZED))
    (found,) = grouped(contents, matches, dismissed={(1, 3)})
    assert files_of(found) == [1, 2, 4, 5]


def test_a_collage_is_no_copy_of_what_only_a_part_of_it_shows() -> None:
    """4 holds 1 and 3, each within a seam, though one crop of 1 passed for its copy."""
    contents = [content(1, width=900), content(2), content(3), content(4, width=2000)]
    matches = [
        Match(1, 2, Relation.CROPPED, share_a=0.6),
        Match(1, 4, Relation.CONTAINS, share_b=0.25),
        Match(3, 4, Relation.CONTAINS, share_b=0.25),
        Match(2, 4, Relation.EDITED, share_b=0.15, agreement=0.95),
    ]
    duplicates, contains = grouped(contents, matches)
    assert files_of(duplicates) == [1, 2]
    assert contains.kind is GroupKind.CONTAINS
    assert files_of(contains) == [4, 1, 3]


def test_a_keeper_holds_what_its_framed_copy_holds() -> None:
    """2 is 1 in a wide frame. 3 lies within 2, on more than half of it: within 1 too, then."""
    contents = [content(1, width=900), content(2), content(3), content(4)]
    matches = [
        Match(1, 2, Relation.EDITED, share_b=0.63),
        Match(1, 4, Relation.RESIZED),
        Match(2, 3, Relation.CONTAINS, share_a=0.6, agreement=0.8),
    ]
    duplicates, contains = grouped(contents, matches)
    assert files_of(duplicates) == [1, 2, 4]
    assert files_of(contains) == [1, 3]


def test_a_photo_with_one_crop_that_seems_framed_keeps_its_other_crops() -> None:
    contents = [content(1, width=900), content(2), content(3), content(4)]
    matches = [
        Match(1, 2, Relation.CROPPED, share_a=0.6),
        Match(1, 3, Relation.CROPPED, share_a=0.5),
        Match(1, 4, Relation.CONTAINS, share_a=0.4),
    ]
    duplicates, contains = grouped(contents, matches)
    assert files_of(duplicates) == [1, 2, 3]
    assert files_of(contains) == [1, 4]


def test_a_window_around_a_photo_is_no_keeper_though_it_is_larger() -> None:
    contents = [content(1, width=900), content(2), content(3), content(4, width=2000)]
    matches = [
        *(Match(a, b, Relation.RESIZED) for a, b in ((1, 2), (1, 3), (2, 3))),
        *(Match(id, 4, Relation.EDITED, share_b=0.4, agreement=0.9) for id in (1, 2, 3)),
    ]
    (found,) = grouped(contents, matches)
    assert found.keeper == 1
    assert {member.file: member.selected for member in found.members} == {
        2: True,
        3: True,
        4: False,
    }


def test_identical_files_of_one_content_are_a_group() -> None:
    twice = Content(1, (facts(1, path="/p/a copy.jpg"), facts(2, path="/p/a.jpg")))
    (found,) = grouped([twice], [])
    assert found.keeper == 2
    assert found.members[0].relation is Relation.BYTE_IDENTICAL
    assert found.members[0].selected


def test_a_protected_file_is_kept_and_never_selected() -> None:
    small = Content(1, (facts(1, width=100, protected=True),), frozenset({1}))
    large = Content(2, (facts(2, width=800, protected=True),), frozenset({2}))
    other = content(3, width=900)
    matches = [
        Match(1, 2, Relation.RESIZED),
        Match(1, 3, Relation.RESIZED),
        Match(2, 3, Relation.RESIZED),
    ]
    (found,) = grouped([small, large, other], matches)
    assert found.keeper == 2
    assert KeepReason.PROTECTED() in found.keep_reasons
    assert not any(member.selected for member in found.members)


def test_a_larger_copy_of_the_keeper_is_not_preselected() -> None:
    protected = content(1, width=100, protected=True)
    (found,) = grouped([protected, content(2, width=800)], [Match(1, 2, Relation.RESIZED)])
    assert found.keeper == 1
    assert not found.members[0].selected


def test_the_whole_picture_is_kept_even_when_its_crop_has_more_pixels() -> None:
    contents = [content(1, width=400), content(2, width=900)]
    crop = Match(1, 2, Relation.CROPPED, share_a=0.6, share_b=1.0)
    (found,) = grouped(contents, [crop])
    assert found.keeper == 1
    assert KeepReason.WHOLE() in found.keep_reasons


def test_crops_below_half_and_edits_are_not_preselected() -> None:
    contents = [content(1, width=900), content(2), content(3), content(4)]
    matches = [
        Match(1, 2, Relation.CROPPED, share_a=0.49),
        Match(1, 3, Relation.CROPPED, share_a=0.51),
        Match(1, 4, Relation.EDITED),
    ]
    (found,) = grouped(contents, matches)
    assert {member.file: member.selected for member in found.members} == {
        2: False,
        3: True,
        4: False,
    }


def test_a_crop_that_shows_finer_detail_is_not_preselected() -> None:
    contents = [content(1, width=900), content(2, width=800)]
    twice = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0))
    crop = Match(1, 2, Relation.CROPPED, twice, share_a=0.6)
    (found,) = grouped(contents, [crop])
    assert found.keeper == 1
    assert not found.members[0].selected


@pytest.mark.parametrize(
    "more",
    [
        {"frames": 8},
        {"has_alpha": True},
        {"metadata": Metadata(few_colours=True)},
        {"metadata": Metadata(grey=True)},
    ],
)
def test_what_holds_more_than_its_keeper_is_not_preselected(more: dict[str, Any]) -> None:
    little = Metadata(grey=True, few_colours=True)
    keeper = ImageInfo("PNG", 900, 300, metadata=little)
    rich = replace(ImageInfo("PNG", 400, 300, metadata=little), **more)
    contents = [
        Content(1, (KeepFacts(1, "/p/1.png", keeper, 1000, 5),)),
        Content(2, (KeepFacts(2, "/p/2.png", rich, 1000, 5),)),
    ]
    (found,) = grouped(contents, [Match(1, 2, Relation.RESIZED)])
    assert found.keeper == 1
    assert not found.members[0].selected


def test_dismissed_pairs_are_apart_but_a_third_copy_still_shows() -> None:
    contents = [content(1, width=900), content(2), content(3)]
    matches = [Match(1, 2, Relation.RESIZED), Match(1, 3, Relation.RESIZED)]
    (found,) = grouped(contents, matches, dismissed={(1, 2)})
    assert files_of(found) == [1, 3]


def test_a_collage_holds_its_photos_without_joining_them() -> None:
    contents = [content(id) for id in (1, 2, 3)]
    matches = [Match(1, 3, Relation.CONTAINS), Match(2, 3, Relation.CONTAINS)]
    (found,) = grouped(contents, matches)
    assert found.kind is GroupKind.CONTAINS
    assert found.keeper == 3
    assert not any(member.selected for member in found.members)


def test_a_keeper_does_not_hold_what_only_its_member_holds() -> None:
    """2 shows 1 beside 3: that 2 contains 3 says nothing of 1."""
    contents = [content(1, width=900), content(2), content(3)]
    matches = [
        Match(1, 2, Relation.EDITED, share_a=1.0, share_b=0.5),
        Match(2, 3, Relation.CONTAINS, share_a=0.3, share_b=1.0, agreement=0.8),
    ]
    (found,) = grouped(contents, matches)
    assert files_of(found) == [1, 2]


def test_a_keeper_stands_for_its_group_in_similar_groups() -> None:
    contents = [content(1, width=900), content(2), content(3)]
    matches = [
        Match(1, 2, Relation.RESIZED, transform=((0.5, 0.0, 0.0), (0.0, 0.5, 0.0))),
        Match(2, 3, Relation.SIMILAR, same_photograph=False),
    ]
    duplicates, similar = grouped(contents, matches)
    assert files_of(duplicates) == [1, 2]
    assert similar.kind is GroupKind.SIMILAR
    assert files_of(similar) == [1, 3]


def test_keepers_that_match_need_no_member_to_stand_for_them() -> None:
    """Whether 1 and 3 were matched before or after 2 and 3 says nothing of either."""
    contents = [content(1, width=900), content(2), content(3)]
    matches = [
        Match(1, 2, Relation.RESIZED),
        Match(1, 3, Relation.SIMILAR, score=0.6, same_photograph=False),
        Match(2, 3, Relation.SIMILAR, score=0.9, same_photograph=False),
    ]
    for order in permutations(matches):
        _, similar = grouped(contents, order)
        assert similar.members[0].score == 0.6


def test_raw_and_jpeg_of_one_shot_are_not_duplicates() -> None:
    raw = Content(1, (KeepFacts(1, "/p/IMG_1.CR2", ImageInfo("CR2", 900, 600), 9000, 5),))
    camera = Content(2, (KeepFacts(2, "/p/IMG_1.jpg", ImageInfo("JPEG", 900, 600), 900, 5),))
    assert grouped([raw, camera], [Match(1, 2, Relation.REENCODED)]) == []


edges = st.lists(
    st.tuples(
        st.integers(0, 11),
        st.integers(0, 11),
        st.sampled_from([r for r in Relation if r is not Relation.BYTE_IDENTICAL]),
        st.sampled_from([0.5, 0.75, 1.0]),
        st.booleans(),
    ),
    max_size=40,
)
Edges = list[tuple[int, int, Relation, float, bool]]


def build(pairs: Edges) -> list[Match]:
    matches: dict[tuple[int, int], Match] = {}
    for a, b, relation, score, mirrored in pairs:
        low, high = min(a, b), max(a, b)
        if low != high and (low, high) not in matches:
            same = relation is not Relation.SIMILAR
            matches[low, high] = Match(
                low, high, relation, mirrored=mirrored, score=score, same_photograph=same
            )
    return list(matches.values())


@given(
    pairs=edges, widths=st.lists(st.integers(1, 3), min_size=12, max_size=12), seed=st.integers()
)
def test_groups_do_not_depend_on_any_order(pairs: Edges, widths: list[int], seed: int) -> None:
    matches = build(pairs)
    contents = [content(id, width=100 * width) for id, width in enumerate(widths)]
    expected = grouped(contents, matches)
    shuffle = random.Random(seed)
    shuffle.shuffle(matches)
    shuffle.shuffle(contents)
    assert grouped(contents, matches) == expected
    turned = [match.reversed() if shuffle.random() < 0.5 else match for match in matches]
    assert grouped(contents, turned) == expected


def test_of_equal_pictures_the_one_with_the_narrower_border_comes_first() -> None:
    """Also if only that one was compared with a crop that lacks a flat part of both."""
    facts_of = {1: facts(1), 2: facts(2, width=500), 3: facts(3)}
    matches = {
        (1, 2): Match(1, 2, Relation.RESIZED, share_b=0.7),
        (1, 3): Match(1, 3, Relation.ROTATED, share_a=0.9),
    }
    upright = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    looks = {(1, 2): Look(upright, border_b=0.3), (1, 3): Look(upright, border_a=0.1)}
    found = standings(facts_of, matches, Evidence(matches, looks))
    assert [found[id].border for id in facts_of] == [2, 8, 0]
    key = ranking([KeepRule.DETAIL, KeepRule.PIXELS])
    ranked = sorted(facts_of, key=lambda id: key(replace(facts_of[id], standing=found[id])))
    assert ranked == [3, 1, 2]


def test_a_member_that_is_better_than_its_keeper_stays() -> None:
    """A keeper must match most of its family; the best file may match few of it."""
    contents = [content(1, width=900), *(content(id) for id in range(2, 8))]
    matches = [Match(1, 2, Relation.RESIZED)]
    matches += [Match(2, other, Relation.REENCODED) for other in range(3, 8)]
    upright = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    looks = {match.pair: Look(upright) for match in matches}
    (found,) = grouped(contents, matches, looks=looks)
    assert found.keeper == 2
    (best,) = (member for member in found.members if member.file == 1)
    assert not best.selected
    assert best.lacks == (Lack.PREFERRED,)
    assert all(member.selected for member in found.members if member.file != 1)


@pytest.mark.parametrize(
    ("border", "relation", "stays"),
    [
        (0.3, Relation.RESIZED, True),
        (0.3, Relation.CROPPED, False),
        (0.01, Relation.RESIZED, False),
    ],
)
def test_the_source_of_a_framed_copy_stays(border: float, relation: Relation, stays: bool) -> None:
    """Even if the copy is kept: for its pixels here. A crop may cut off plain ground."""
    contents = [content(1), content(2, width=500)]
    match = Match(1, 2, relation, share_b=0.7)
    looks = {match.pair: Look(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), border_b=border)}
    (found,) = grouped(contents, [match], looks=looks, rules=[KeepRule.PIXELS])
    assert found.keeper == 2
    (member,) = found.members
    assert member.lacks == ((Lack.PREFERRED,) if stays else ())
    assert member.selected != stays


@given(
    pairs=edges,
    worst=st.lists(st.sampled_from([1.0, 9.0]), min_size=12, max_size=12),
    protected=st.sets(st.integers(0, 11)),
)
def test_what_is_selected_has_a_witness_that_stays_and_matches_it(
    pairs: Edges, worst: list[float], protected: set[int]
) -> None:
    matches = build(pairs)
    direct = {frozenset((match.a, match.b)) for match in matches}
    contents = [
        Content(id, (facts(id, protected=id in protected),), frozenset({id} & protected))
        for id in range(12)
    ]
    looks = {
        (match.a, match.b): Look(
            ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), worst=max(worst[match.a], worst[match.b])
        )
        for match in matches[::2]
    }
    groups = grouped(contents, matches, looks=looks)
    going = {member.file for found in groups for member in found.members if member.selected}
    assert not going & protected
    for member in (member for found in groups for member in found.members if member.selected):
        assert member.witness is not None
        assert member.witness not in going
        assert frozenset((member.witness, member.file)) in direct
        assert not member.lacks
        pixels_equal = any(
            {match.a, match.b} == {member.witness, member.file}
            and match.relation is Relation.PIXEL_IDENTICAL
            for match in matches
        )
        pair = min(member.witness, member.file), max(member.witness, member.file)
        assert pixels_equal or looks[pair].worst < 4


@given(pairs=edges)
def test_every_group_is_a_star_of_direct_matches(pairs: Edges) -> None:
    matches = build(pairs)
    direct = {frozenset((match.a, match.b)): match.relation for match in matches}
    in_duplicates: list[int] = []
    for found in grouped([content(id) for id in range(12)], matches):
        assert found.members
        assert found.keeper not in [member.file for member in found.members]
        if found.kind is GroupKind.DUPLICATES:
            in_duplicates += files_of(found)
            for member in found.members:
                assert direct[frozenset((found.keeper, member.file))] is member.relation
        else:
            assert not any(member.selected for member in found.members)
    assert len(in_duplicates) == len(set(in_duplicates))


@given(pairs=edges)
def test_no_matched_duplicate_is_left_without_its_partner(
    pairs: Edges,
) -> None:
    """A picture with duplicate matches is alone only when all its partners have a keeper."""
    matches = [m for m in build(pairs) if m.relation not in (Relation.CONTAINS, Relation.SIMILAR)]
    found = grouped([content(id) for id in range(12)], matches)
    grouped_files = {file for each in found for file in files_of(each)}
    for match in matches:
        assert match.a in grouped_files or match.b in grouped_files
