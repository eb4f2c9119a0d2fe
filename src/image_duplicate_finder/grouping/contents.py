"""The contents that are grouped: their files, their order by the keep rules, excluded pairs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from image_duplicate_finder.companions import Shot, one_shot
from image_duplicate_finder.formats import RAW_FORMATS
from image_duplicate_finder.keeping import KeepFacts, RankKey, ranking
from image_duplicate_finder.model import ordered
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule

if TYPE_CHECKING:  # the web app starts without numpy
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Content:
    """A content with its files; ``fixed`` files are never offered for removal."""

    id: int
    files: tuple[KeepFacts, ...]
    fixed: frozenset[int] = frozenset()


def rank_of(
    contents: Iterable[Content], rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES
) -> dict[int, int]:
    """The place of each content id in the order of the keep rules: 0 is the best keeper."""
    key = ranking(rules)
    keys = {each.id: min(map(key, each.files)) for each in contents}
    return {id: place for place, id in enumerate(sorted(keys, key=keys.__getitem__))}


class ExcludedPairs:
    """Pairs of contents that are in no group together, though they match."""

    def __init__(self, contents: Iterable[Content], dismissed: Collection[tuple[int, int]]) -> None:
        self.dismissed = dismissed
        self.contents = {content.id: content for content in contents}
        self.raw = {
            id for id, each in self.contents.items() if each.files[0].info.format in RAW_FORMATS
        }
        """The ids of contents that are camera RAW."""

    def __call__(self, a: int, b: int) -> bool:
        """Whether a person said that the two are no duplicates, or they are one shot."""
        if self.dismissed and ordered(a, b) in self.dismissed:
            return True
        return self._one_shot(a, b)

    def _one_shot(self, a: int, b: int) -> bool:
        """Whether a camera wrote both at once: RAW and JPEG of one shot (rule 8)."""
        if (a in self.raw) == (b in self.raw):
            return False
        return any(
            one_shot(Shot(mine.path, mine.info), Shot(theirs.path, theirs.info))
            for mine in self.contents[a].files
            for theirs in self.contents[b].files
        )


class Ranked:
    """Contents in the order of the keep rules, and the files of each in that order.

    ``partial`` are crops of others; ``windows`` show others amid something else (a screenshot has
    more pixels than the photo in it, but the photo is what it is about) and rank behind the rest.
    ``ids[place]`` and ``place[id]`` turn places, where 0 is the best keeper, into ids and back.
    """

    def __init__(
        self,
        contents: Mapping[int, Content],
        partial: Collection[int],
        windows: Collection[int],
        rules: Sequence[KeepRule],
    ) -> None:
        self.nodes = dict(contents) | {id: _marked_partial(contents[id]) for id in partial}
        self.keys: dict[int, RankKey] = {}
        best: dict[int, RankKey] = {}
        key = ranking(rules)
        self._ranked: dict[int, tuple[KeepFacts, ...]] = {}
        for id, content in self.nodes.items():
            for facts in content.files:
                self.keys[facts.file] = key(facts)
            files = content.files
            if len(files) > 1:
                files = tuple(sorted(files, key=lambda facts: self.keys[facts.file]))
            self._ranked[id] = files
            best[id] = self.keys[files[0].file]
        last = {id for id in windows if not contents[id].fixed}
        self.ids = sorted(best, key=lambda id: (id in last, best[id]))
        self.place = {id: place for place, id in enumerate(self.ids)}

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places of contents by their ids."""
        import numpy as np

        known = np.array(self.ids, np.int64)
        by_id = np.argsort(known)
        found: NDArray[np.int64] = by_id[np.searchsorted(known[by_id], ids)]
        return found

    def files(self, id: int) -> tuple[KeepFacts, ...]:
        """The files of a content, the one to keep first."""
        return self._ranked[id]


def _marked_partial(content: Content) -> Content:
    """A picture that is a crop of another, marked for the keep rules."""
    return replace(content, files=tuple(replace(facts, partial=True) for facts in content.files))
