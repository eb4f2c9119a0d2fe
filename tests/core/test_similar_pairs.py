"""Similar pairs in arrays give the groups that the rules ask for, pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from image_duplicate_finder import Library
from image_duplicate_finder.grouping import (
    Content,
    group,
    similar_groups,
)
from image_duplicate_finder.grouping.projection import Links, SimilarPairs
from image_duplicate_finder.keeping import KeepFacts
from image_duplicate_finder.model import FileStat, GroupKind, ImageInfo, Match, Metadata, Relation
from image_duplicate_finder.relations import is_duplicate
from image_duplicate_finder.results import GroupQuery, ScanState
from image_duplicate_finder.scan.context import ScanContext, verifier_name
from image_duplicate_finder.scan.groups import publish_groups, publish_similar
from image_duplicate_finder.scan.judging import judged
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.wording import describe
from tests.core import plain_grouping
from tests.stored import put_content, put_file

IDS = range(1, 15)
GONE = 99

pairs = st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)).filter(lambda pair: pair[0] < pair[1])
shares = st.sampled_from([0.4, 0.7, 0.95, 1.0])
scores = st.sampled_from([0.5, 0.7, 0.8, 0.9, 1.0])
transforms = st.sampled_from(
    [None, ((0.5, 0.0, 3.0), (0.0, 0.5, 1.0)), ((-1.0, 0, 9), (0, 2.0, 0))]
)
kinds = st.sampled_from(
    [
        Relation.RESIZED,
        Relation.CROPPED,
        Relation.EDITED,
        Relation.EDITED,
        Relation.CONTAINS,
        Relation.SIMILAR,
    ]
)


@st.composite
def contents(draw: st.DrawFn) -> list[Content]:
    """Pictures of some sizes, a few of them RAW beside a JPEG, or there twice."""
    made = []
    for id in IDS:
        name = draw(st.sampled_from(["JPEG", "JPEG", "JPEG", "CR2"]))
        info = ImageInfo(name, draw(st.integers(1, 3)) * 100, 300, metadata=Metadata())
        stem = draw(st.sampled_from([str(id), "IMG_1"]))
        copies = draw(st.sampled_from([1, 1, 2]))
        files = tuple(
            KeepFacts(id * 10 + copy, f"/{copy}/{stem}.{id}" if copy else f"/{stem}", info, 1000, 5)
            for copy in range(copies)
        )
        made.append(Content(id, files))
    # Two files cannot have one path; those that would lie in folders of their own.
    return [
        Content(
            each.id,
            tuple(
                KeepFacts(f.file, f"/{f.info.format}{each.id % 2}{f.path}", f.info, 1000, f.file)
                for f in each.files
            ),
        )
        for each in made
    ]


@st.composite
def matches(draw: st.DrawFn) -> list[Match]:
    found: dict[tuple[int, int], Match] = {}
    for a, b in draw(st.lists(pairs, max_size=30, unique=True)):
        relation = draw(kinds)
        found[a, b] = Match(
            a,
            b,
            relation,
            draw(transforms),
            mirrored=draw(st.booleans()),
            share_a=draw(shares),
            share_b=draw(shares),
            score=draw(scores),
            agreement=draw(st.sampled_from([0.5, 0.95])),
            same_photograph=relation is not Relation.SIMILAR,
        )
    return list(found.values())


def arrays(found: list[tuple[tuple[int, int], float]]) -> SimilarPairs:
    ends = np.array([pair for pair, _ in found], np.int64).reshape(-1, 2)
    return SimilarPairs(ends[:, 0], ends[:, 1], np.array([score for _, score in found], np.float64))


@given(
    contents=contents(),
    matches=matches(),
    alike=st.lists(st.tuples(pairs, scores), max_size=60, unique_by=lambda each: each[0]),
    dismissed=st.frozensets(pairs, max_size=5),
)
def test_all_groups_are_those_of_the_plain_rules(
    contents: list[Content],
    matches: list[Match],
    alike: list[tuple[tuple[int, int], float]],
    dismissed: frozenset[tuple[int, int]],
) -> None:
    pairs = [
        Match(a, b, Relation.SIMILAR, score=score, same_photograph=False) for (a, b), score in alike
    ]
    expected = plain_grouping.group(
        contents, [*matches, *pairs], describe=describe, dismissed=dismissed
    )
    # What was removed since the scan has pairs, and is no content any more.
    stored = arrays([((1, GONE), 1.0), *alike, ((GONE, GONE + 1), 1.0)])
    assert group(contents, matches, stored, describe=describe, dismissed=dismissed) == expected

    of_pair = {(match.a, match.b): match for match in matches}

    def match_of(one: int, other: int) -> Match:
        return of_pair[one, other] if one < other else of_pair[other, one].reversed()

    moved = similar_groups(
        contents,
        Links.of([match for match in matches if is_duplicate(match)]),
        match_of,
        [match for match in matches if not is_duplicate(match)],
        stored,
        describe=describe,
        dismissed=dismissed,
    )
    assert moved == [each for each in expected if each.kind is GroupKind.SIMILAR]


@given(
    size=st.integers(1, 40),
    pairs=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=200),
)
def test_a_large_family_gets_the_keepers_of_the_plain_rules(
    size: int, pairs: list[tuple[int, int]]
) -> None:
    contents = [
        Content(id, (KeepFacts(id, f"/{id:02}", ImageInfo("JPEG", id % 3 + 1, 9), 1000, 5),))
        for id in range(1, 41)
    ]
    alike = {
        (min(pair), max(pair)): 0.9 for pair in pairs if abs(pair[0] - pair[1]) in range(1, size)
    }
    expected = plain_grouping.group(
        contents,
        [
            Match(*pair, Relation.SIMILAR, score=score, same_photograph=False)
            for pair, score in alike.items()
        ],
        describe=describe,
    )
    assert group(contents, [], arrays(list(alike.items())), describe=describe) == expected


def _library(folder: Path) -> tuple[Store, int, list[int], list[Match]]:
    """Six pictures: 1 to 3 are copies, 4 and 5 look like them, 6 like 5."""
    store = Store(folder)
    scan = store.scans.start(["/p"], ScanSettings())
    ids = []
    for number in range(6):
        info = ImageInfo("JPEG", 900 - number, 300)
        content = put_content(store, bytes([number]) * 32, 10, info)
        file = put_file(store, f"/p/{number}.jpg", FileStat(10, 7, 7, 1, number + 1), content)
        store.scans.add_files(scan, [(file, True, False)])
        ids.append(content)
    a, b, c, d, e, f = ids
    found = [
        Match(a, b, Relation.RESIZED, ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0)), mirrored=True),
        Match(a, c, Relation.CROPPED, ((1.0, 0.0, 5.0), (0.0, 1.0, 5.0)), share_a=0.5),
        Match(a, f, Relation.SIMILAR, None, score=0.8, share_a=0.7, same_photograph=False),
    ]
    store.matches.put(verifier_name(ScanSettings().mode), found)
    cosines = {(a, b): 0.99, (b, d): 0.97, (c, d): 0.93, (c, e): 0.8, (e, f): 0.75}
    ends = np.array(list(cosines), np.int64)
    store.similar.replace(scan, ends[:, 0], ends[:, 1], np.array([*cosines.values()], "f4"))
    store.scans.finish(scan, ScanState.DONE)
    return store, scan, ids, found


def _similar(store: Store, scan: int) -> list[object]:
    groups = store.groups.page(scan, GroupQuery(kinds=(GroupKind.SIMILAR,))).groups
    return [(group.keeper, group.keep_reasons, group.members) for group in groups]


def test_a_moved_threshold_gives_what_a_scan_with_it_would(library_dir: Path) -> None:
    store, scan, _, found = _library(library_dir)
    sizes = set()
    for euclidean, cosine in ((0.0, 0.99), (0.1, 0.95), (0.5, 0.9), (0.6, 0.78), (1.0, 0.7)):
        settings = ScanSettings(esimilarity_threshold=euclidean, csimilarity_threshold=cosine)
        context = ScanContext(store, scan, settings)
        publish_groups(context, judged(context, found))
        expected = _similar(store, scan)
        publish_similar(ScanContext(store, scan, ScanSettings()))
        publish_similar(context)
        assert _similar(store, scan) == expected
        sizes.add(sum(len(members) for _, _, members in expected))  # type: ignore[misc, attr-defined]
    assert len(sizes) > 2
    store.close()


def test_thresholds_move_after_pictures_were_removed(library_dir: Path) -> None:
    store, scan, _, found = _library(library_dir)
    context = ScanContext(store, scan, ScanSettings())
    publish_groups(context, judged(context, found))
    store.files.set_gone(["/p/3.jpg"], True)
    store.close()
    with Library.open(library_dir) as library:
        library.set_thresholds(scan, esimilarity_threshold=1.0, csimilarity_threshold=0.7)
        shown = {
            Path(file.path).stem
            for group in library.groups(scan, GroupQuery(kinds=(GroupKind.SIMILAR,))).groups
            for file in (group.keeper, *(member.file for member in group.members))
        }
    assert shown == {"0", "4", "5"}
