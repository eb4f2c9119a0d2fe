"""Score what a tool reports against the truth of a set.

A pair is right when both files show the same photo, neutral when they share a background (see
:class:`benchmarks.truth.Truth`), and wrong otherwise. Precision is that of all pairs inside the
``duplicates`` groups; recall counts the pairs that the truth lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.truth import Truth

Groups = Sequence[Sequence[str]]
Pair = tuple[str, str]

EXAMPLES = 40
"""How many wrong pairs a score names."""


@dataclass(frozen=True, slots=True)
class Star:
    """A group as a tool reports it: the keeper and its members, by relative path."""

    keeper: str
    members: tuple[str, ...]


@dataclass(slots=True)
class Score:
    """Counts of pairs, and what follows from them.

    ``right``, ``wrong`` and ``neutral`` count pairs inside ``duplicates`` groups;
    ``wrong_contains`` and ``wrong_similar`` wrong (keeper, member) pairs of the other kinds.
    ``found`` of ``wanted`` pairs of the truth were in a duplicates or, where ``contains`` groups
    were given, in a contains group; ``found_literally`` leaves out those that are found only
    because a group is represented by its keeper. ``edits`` maps an edit to (found, wanted).
    """

    right: int = 0
    wrong: int = 0
    neutral: int = 0
    wrong_contains: int = 0
    wrong_similar: int = 0
    wanted: int = 0
    found: int = 0
    found_literally: int = 0
    found_in_duplicates: int = 0
    edits: dict[str, tuple[int, int]] = field(default_factory=dict)
    wrong_kinds: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Right pairs of the right and wrong ones; None if nothing was reported."""
        reported = self.right + self.wrong
        return self.right / reported if reported else None

    @property
    def recall(self) -> float | None:
        """Found pairs of those wanted; None for a set without true pairs."""
        return self.found / self.wanted if self.wanted else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the two ratios."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            **{name: getattr(self, name) for name in self.__slots__},
        }


def score_groups(
    truth: Truth,
    duplicates: Groups,
    contains: Sequence[Star] = (),
    similar: Sequence[Star] = (),
) -> Score:
    """Score groups of relative paths.

    Raises ``ValueError`` for a path that is not in the set: scoring the wrong folder must not
    look like a bad result.
    """
    score = Score(wanted=len(truth.pairs))
    home: dict[str, list[int]] = {}
    for number, group in enumerate(duplicates):
        _check_known(truth, group)
        _count_group(score, truth, sorted(set(group)))
        for path in group:
            home.setdefault(path, []).append(number)
    for star in (*contains, *similar):
        _check_known(truth, (star.keeper, *star.members))
    stands_for = {path: duplicates[numbers[0]] for path, numbers in home.items()}
    score.wrong_contains = _count_wrong(score, truth, contains, "contains", stands_for)
    score.wrong_similar = _count_wrong(score, truth, similar, "similar", stands_for)

    literal = {frozenset((star.keeper, member)) for star in contains for member in star.members}
    represented = {
        frozenset((_representative(home, star.keeper), _representative(home, member)))
        for star in contains
        for member in star.members
    }
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for pair in truth.pairs:
        wanted[pair.edit] += 1
        together = not set(home.get(pair.a, ())).isdisjoint(home.get(pair.b, ()))
        in_contains = frozenset((pair.a, pair.b)) in literal
        through_keepers = (
            frozenset((_representative(home, pair.a), _representative(home, pair.b))) in represented
        )
        score.found_in_duplicates += together
        score.found_literally += together or in_contains
        hit = together or in_contains or through_keepers
        score.found += hit
        found[pair.edit] += hit
    score.edits = {edit: (found[edit], wanted[edit]) for edit in wanted}
    return score


def score_pairs(truth: Truth, files: Sequence[str], pairs: NDArray[np.integer]) -> Score:
    """Score pairs of indices into ``files``, shape (n, 2), each pair taken by itself.

    For stages inside the program (candidates, matches) and for tools that do not group. With
    candidates, ``recall`` is what verification can reach at most.
    """
    unique = {frozenset((files[a], files[b])) for a, b in np.asarray(pairs).tolist() if a != b}
    score = Score(wanted=len(truth.pairs))
    for pair in unique:
        a, b = sorted(pair)
        _count_pair(score, truth, a, b)
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for true in truth.pairs:
        wanted[true.edit] += 1
        found[true.edit] += frozenset((true.a, true.b)) in unique
    score.found = score.found_literally = score.found_in_duplicates = sum(found.values())
    score.edits = {edit: (found[edit], wanted[edit]) for edit in wanted}
    return score


def _representative(home: dict[str, list[int]], path: str) -> int | str:
    """The duplicates group that stands for ``path``, or the path itself."""
    numbers = home.get(path)
    return numbers[0] if numbers else path


def _check_known(truth: Truth, paths: Iterable[str]) -> None:
    for path in paths:
        if path not in truth.families:
            raise ValueError(f"{path!r} is not a file of set {truth.set}.")


def _count_group(score: Score, truth: Truth, group: list[str]) -> None:
    """Count all pairs of a group without walking through the right ones of large groups."""
    sizes = Counter(truth.families[path] for path in group)
    right = sum(size * (size - 1) // 2 for size in sizes.values())
    others = len(group) * (len(group) - 1) // 2 - right
    score.right += right
    if not others:
        return
    before = score.neutral
    for a, b in combinations((path for path in group if path in truth.backgrounds), 2):
        if truth.families[a] != truth.families[b] and truth.neutral(a, b):
            score.neutral += 1
    score.wrong += others - (score.neutral - before)
    _name_wrong(score, truth, group)


def _name_wrong(score: Score, truth: Truth, group: list[str]) -> None:
    named = 0
    for a, b in combinations(group, 2):
        if named == EXAMPLES:
            return
        if truth.families[a] != truth.families[b] and not truth.neutral(a, b):
            named += 1
            _note_wrong(score, truth, a, b, "duplicates")


def _count_pair(score: Score, truth: Truth, a: str, b: str) -> None:
    if truth.families[a] == truth.families[b]:
        score.right += 1
    elif truth.neutral(a, b):
        score.neutral += 1
    else:
        score.wrong += 1
        _note_wrong(score, truth, a, b, "duplicates")


def _count_wrong(
    score: Score,
    truth: Truth,
    stars: Sequence[Star],
    group_kind: str,
    stands_for: Mapping[str, Sequence[str]],
) -> int:
    """Count (keeper, member) pairs that no files of the groups they stand for justify."""
    allowed = {frozenset(pair) for pair in truth.overlapping}

    def right(a: str, b: str) -> bool:
        same = truth.families[a] == truth.families[b] or frozenset((a, b)) in allowed
        return same or truth.neutral(a, b)

    wrong = 0
    for star in stars:
        for member in star.members:
            represented = product(
                stands_for.get(star.keeper, (star.keeper,)), stands_for.get(member, (member,))
            )
            if not any(right(a, b) for a, b in represented):
                wrong += 1
                _note_wrong(score, truth, star.keeper, member, group_kind)
    return wrong


def _note_wrong(score: Score, truth: Truth, a: str, b: str, group_kind: str) -> None:
    kinds = "/".join(sorted((truth.kinds[a], truth.kinds[b])))
    key = f"{group_kind}: {kinds}"
    score.wrong_kinds[key] = score.wrong_kinds.get(key, 0) + 1
    if len(score.examples) < EXAMPLES:
        score.examples.append((a, b, key))
