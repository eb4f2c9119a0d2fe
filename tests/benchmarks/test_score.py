"""The scorer on small truths where each figure can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.score import Star, score_groups, score_pairs
from benchmarks.tools import read_ours
from benchmarks.truth import TruePair, Truth


@pytest.fixture
def truth() -> Truth:
    """Photos p (p0 to p3) and q (q0, q1), a distractor; p3 and q1 share a background."""
    truth = Truth("b", 1, None)
    for name in ("p0", "p1", "p2", "p3"):
        truth.add(name, "p", "edit")
    for name in ("q0", "q1"):
        truth.add(name, "q", "edit")
    truth.add("lone", "lone", "distractor")
    truth.distractors = ["lone"]
    truth.backgrounds = {"p3": ["sea", "hill"], "q1": ["sea"]}
    truth.pairs = [TruePair("p0", f"p{i}", f"edit{i}") for i in (1, 2, 3)]
    truth.pairs.append(TruePair("q0", "q1", "edit1"))
    return truth


def test_whole_families_are_perfect(truth: Truth) -> None:
    score = score_groups(truth, [["p0", "p1", "p2", "p3"], ["q1", "q0"]])
    assert (score.right, score.wrong, score.neutral) == (7, 0, 0)
    assert score.precision == 1.0
    assert score.recall == 1.0
    assert score.edits == {"edit1": (2, 2), "edit2": (1, 1), "edit3": (1, 1)}


def test_wrong_pairs_lower_precision_and_are_named(truth: Truth) -> None:
    score = score_groups(truth, [["p0", "p1", "lone"]])
    assert (score.right, score.wrong) == (1, 2)
    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == 0.25
    assert {frozenset(example[:2]) for example in score.examples} == {
        frozenset(("p0", "lone")),
        frozenset(("p1", "lone")),
    }


def test_a_shared_background_is_neither_right_nor_wrong(truth: Truth) -> None:
    score = score_groups(truth, [["p3", "q1"]])
    assert (score.right, score.wrong, score.neutral) == (0, 0, 1)
    assert score.precision is None
    assert score.recall == 0


def test_a_contains_group_counts_for_recall_alone(truth: Truth) -> None:
    score = score_groups(truth, [["p0", "p1"]], contains=[Star("p0", ("p2",))])
    assert score.right == 1
    assert score.recall == 0.5
    assert score.found_in_duplicates == 1


def test_a_keeper_stands_for_its_duplicates_in_contains_groups(truth: Truth) -> None:
    """p1 keeps the group of p0, so p1 alone appears beside p2."""
    score = score_groups(truth, [["p1", "p0"]], contains=[Star("p2", ("p1",))])
    assert score.found == 2
    assert score.found_literally == 1


def test_members_of_a_contains_group_make_no_claim_about_each_other(truth: Truth) -> None:
    score = score_groups(truth, [], contains=[Star("q0", ("p0", "p1"))])
    assert score.found == 0
    assert score.wrong_contains == 2


def test_a_contains_pair_is_right_if_it_is_for_a_file_that_a_keeper_stands_for(
    truth: Truth,
) -> None:
    """p3 and q1 share a background and stand in one group; p0 is a part of p3, not of q1."""
    groups = [["q1", "p3"]]
    assert score_groups(truth, groups, contains=[Star("q1", ("p0",))]).wrong_contains == 0
    assert score_groups(truth, [], contains=[Star("q1", ("p0",))]).wrong_contains == 1


def test_overlapping_frames_may_be_similar_but_not_duplicates(truth: Truth) -> None:
    truth.overlapping = [("p0", "lone")]
    score = score_groups(truth, [], contains=[Star("p0", ("lone",))])
    assert score.wrong_contains == 0
    assert score_groups(truth, [["p0", "lone"]]).wrong == 1


def test_a_path_outside_the_set_is_an_error(truth: Truth) -> None:
    with pytest.raises(ValueError, match="not a file of set b"):
        score_groups(truth, [["p0", "elsewhere"]])


def test_pairs_are_scored_by_themselves(truth: Truth) -> None:
    files = ["p0", "p1", "p2", "q0", "lone"]
    pairs = np.array([[0, 1], [1, 0], [1, 2], [0, 4], [3, 3]])
    score = score_pairs(truth, files, pairs)
    assert (score.right, score.wrong) == (2, 1)
    assert score.recall == 0.25


def test_large_groups_count_as_pair_by_pair(truth: Truth) -> None:
    """The short count of groups equals the count of all their pairs."""
    group = sorted(truth.families)
    score = score_groups(truth, [group])
    pairs = np.array([[i, j] for i in range(7) for j in range(i)])
    alone = score_pairs(truth, group, pairs)
    assert (score.right, score.wrong, score.neutral) == (alone.right, alone.wrong, alone.neutral)


def test_our_json_is_read_by_its_contract(tmp_path: Path) -> None:
    def member(name: str) -> dict[str, object]:
        return {"path": str(tmp_path / name), "relation": "cropped"}

    groups = [
        {
            "id": 1,
            "kind": "duplicates",
            "keeper": member("a"),
            "members": [member("b"), member("c")],
        },
        {"id": 2, "kind": "contains", "keeper": member("a"), "members": [member("d")]},
        {"id": 3, "kind": "similar", "keeper": member("e"), "members": [member("f")]},
    ]
    out = tmp_path / "out.json"
    out.write_text(json.dumps({"version": 1, "groups": groups, "failures": [{"path": "x"}]}))
    reported = read_ours(out, tmp_path)
    assert reported.duplicates == (("a", "b", "c"),)
    assert reported.contains == (Star("a", ("d",)),)
    assert reported.similar == (Star("e", ("f",)),)
    assert reported.failures == 1
