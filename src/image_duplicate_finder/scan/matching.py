"""Candidate pairs from every index, verified, and families followed to their keepers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.executors.engine import Executor, LocalExecutor, release_memory
from image_duplicate_finder.fingerprint import embedding, perceptual
from image_duplicate_finder.fingerprint.specs import PERCEPTUAL, Specs, calibration, keypoint_kind
from image_duplicate_finder.grouping.projection import SimilarPairs
from image_duplicate_finder.model import ContentPair, Match, ordered
from image_duplicate_finder.progress import CancelToken, Stage, silent
from image_duplicate_finder.relations import REACH, Composites, is_duplicate
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.scan.verification import Verifier
from image_duplicate_finder.search.vectors import neighbours, pairs_within, threshold_cosine
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store

# Near hashes are stronger evidence than most shared visual words: such pairs come first.
_NEAR_HASHES_SCORE = 50.0
_NEAREST_VECTORS = 10
_PREVIEW_PAIRS = 300
# Both sliders act after the scan, so pairs are stored down to their most lenient setting.
_LENIENT_EUCLIDEAN = 1.0
_LENIENT_COSINE = 0.5
# Of pairs of unlike photos one in ten thousand has such a calibrated cosine; of crops to a third of
# the area a third have it.
_ALIKE, _MOST_ALIKE = 0.5, 2
# A candidate this much weaker than the best one is no guess for the keeper.
_STRONG = 0.4
# How many of a picture's candidates each wave verifies, beyond the guess at its keeper.
_WAVES = (1, 4, 1_000_000)
_MOST_HUBS = 4


def find_matches(
    context: ScanContext, contents: frozenset[int], rank: Mapping[int, int], executor: Executor
) -> list[Match]:
    """Every match that groups need among ``contents``: proposed, verified, stored.

    Stores the scan's similar pairs on the way: the most similar ones are candidates too.
    ``rank`` orders contents by the keep rules (0 is best): members are verified against the
    likely keeper first, and not against every other copy of their family. Pairs that were
    verified before are not verified again. Raises Interrupted when a stop was asked for;
    verified pairs are stored by then.
    """
    store = context.store
    context.report(Stage.CANDIDATES)
    find_similar(context, contents)
    verifier = Verifier(context, executor)
    families = Families(rank)
    families.learn((), store.matches.among(context.verifier, set(contents)))
    ids = _in_stable_order(store, contents)
    proposals = _proposals(context, executor, ids)
    release_memory()
    for pairs in families.waves(proposals):
        families.learn(pairs, verifier.verify(pairs))
    while pairs := families.to_keepers():
        families.learn(pairs, verifier.verify(pairs))
    verifier.mark_pixel_identical(set(contents))
    release_memory()
    return store.matches.among(context.verifier, set(contents))


def quick_matches(context: ScanContext, contents: frozenset[int]) -> list[Match]:
    """Near copies by perceptual hash alone: for groups while a scan still reads.

    They are stored as results of quick mode, so neither the next preview nor a quick scan
    verifies them again. No file is read meanwhile, so only some hundred new pairs are verified.
    """
    quick = replace(
        context, settings=ScanSettings(mode=Mode.QUICK), progress=silent, cancel=CancelToken()
    )
    ids = _in_stable_order(context.store, contents)
    with LocalExecutor(jobs=1) as executor:
        verifier = Verifier(quick, executor)
        near = _near_by_hash(quick, executor, ids)
        verifier.verify(verifier.unverified(near)[:_PREVIEW_PAIRS])
    return context.store.matches.among(quick.verifier, set(contents))


def _in_stable_order(store: Store, contents: frozenset[int]) -> list[int]:
    """Content ids in the order of their hashes, so that results never depend on file order."""
    hashes = store.contents.hashes(sorted(contents))
    return sorted(contents, key=lambda id: hashes[id])


def _proposals(
    context: ScanContext, executor: Executor, ids: Sequence[int]
) -> dict[ContentPair, float]:
    """Pairs that some index proposes, with the better of their scores."""
    mode = context.settings.mode
    proposals = dict.fromkeys(_near_by_hash(context, executor, ids), _NEAR_HASHES_SCORE)
    if mode is not Mode.QUICK:
        for pair, score in _sharing_words(context, executor, ids):
            proposals[pair] = max(score, proposals.get(pair, 0.0))
        for pair, cosine in _most_alike(context, ids):
            proposals.setdefault(pair, cosine)
    if mode is Mode.THOROUGH:
        # Where keypoints fail: blurred, tiny and plain pictures. They come last, since most of
        # them are only similar; to verify them all costs half as much again.
        for pair, cosine in _nearest_vectors(context, ids):
            proposals.setdefault(pair, cosine)
    return proposals


def _near_by_hash(
    context: ScanContext, executor: Executor, ids: Sequence[int]
) -> list[ContentPair]:
    data = context.store.contents.fingerprints(*PERCEPTUAL, ids)
    usable: list[tuple[int, NDArray[np.uint8]]] = []
    for id in ids:
        if id not in data:
            continue
        hashes, rich = perceptual.decode(data[id])
        if rich >= perceptual.MIN_STRUCTURE:
            usable.append((id, hashes))
        inner = perceptual.decode_inner(data[id])
        if inner is not None and inner.structure >= perceptual.MIN_STRUCTURE:
            usable.append((id, inner.hashes))
    if len(usable) < 2:
        return []
    near = executor.near_pairs(np.stack([hashes for _, hashes in usable]))
    index = np.array([id for id, _ in usable], np.int64)
    pairs = _low_high(index[near.a], index[near.b])
    # A picture may be near to what lies within flat ground in itself.
    return [(a, b) for a, b in dict.fromkeys(pairs) if a != b]


def _sharing_words(
    context: ScanContext, executor: Executor, ids: Sequence[int]
) -> Iterator[tuple[ContentPair, float]]:
    def on_progress(done: int) -> None:
        context.cancel.check()
        context.report(Stage.CANDIDATES, done, len(ids))

    mode = context.settings.mode
    pictures = context.store.contents.each_fingerprint(*keypoint_kind(mode), ids)
    found = executor.visual_word_pairs(
        pictures, thorough=mode is Mode.THOROUGH, on_progress=on_progress
    )
    return zip(_low_high(found.a, found.b), found.score.tolist(), strict=True)


def _low_high(a: NDArray[np.int64], b: NDArray[np.int64]) -> Iterator[ContentPair]:
    return zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True)


def _most_alike(context: ScanContext, ids: Sequence[int]) -> Iterator[tuple[ContentPair, float]]:
    """Each content with the few most similar ones: crops of pictures too plain for words."""
    similar = context.store.similar.of(context.scan, _ALIKE)
    one, other = np.concatenate([similar.a, similar.b]), np.concatenate([similar.b, similar.a])
    cosine = np.concatenate([similar.score, similar.score])
    order = np.lexsort((other, -cosine, one))
    one, other, cosine = one[order], other[order], cosine[order]
    chosen = np.arange(len(one)) - np.searchsorted(one, one, side="left") < _MOST_ALIKE
    pairs = zip(_low_high(one[chosen], other[chosen]), cosine[chosen].tolist(), strict=True)
    known = set(ids)
    return ((pair, cosine) for pair, cosine in pairs if known.issuperset(pair))


def _nearest_vectors(
    context: ScanContext, ids: Sequence[int]
) -> Iterator[tuple[ContentPair, float]]:
    """Each content with its nearest others in feature space: pairs with their cosine."""
    known, vectors = stored_vectors(context, ids)
    if len(known) < 2:
        return
    rows, cosines = neighbours(vectors, _NEAREST_VECTORS)
    for place, (others, scores) in enumerate(zip(rows.tolist(), cosines.tolist(), strict=True)):
        for other, cosine in zip(others, scores, strict=True):
            if other >= 0:
                yield ordered(known[place], known[other]), cosine


def stored_vectors(
    context: ScanContext, ids: Sequence[int]
) -> tuple[list[int], NDArray[np.float32]]:
    """The contents that have a vector, in the order of ``ids``, and their vectors (n, d)."""
    name, version = Specs.of(context.settings).embedding()
    data = context.store.contents.fingerprints(name, version, ids)
    known = [id for id in ids if id in data]
    if not known:
        return [], np.zeros((0, 0), np.float32)
    return known, np.stack([embedding.from_bytes(data[id]) for id in known])


def find_similar(context: ScanContext, contents: frozenset[int]) -> None:
    """Store every pair that some setting of the thresholds could call similar.

    A quick scan has none.
    """
    if context.settings.mode is Mode.QUICK:
        return
    known, vectors = stored_vectors(context, sorted(contents))
    if len(known) < 2:
        return
    model = context.settings.model
    pairs = pairs_within(
        vectors,
        esimilarity_threshold=_LENIENT_EUCLIDEAN,
        csimilarity_threshold=_LENIENT_COSINE,
        calibration=calibration(Path(model) if model else None),
    )
    index = np.array(known, np.int64)
    context.store.similar.replace(context.scan, index[pairs.a], index[pairs.b], pairs.cosine)


def similar_pairs(context: ScanContext) -> SimilarPairs | None:
    """A scan's similar pairs at the thresholds of its settings; a quick scan has none."""
    settings = context.settings
    if settings.mode is Mode.QUICK:
        return None
    least = threshold_cosine(settings.esimilarity_threshold, settings.csimilarity_threshold)
    return context.store.similar.of(context.scan, least)


class Families:
    """Contents that are known to show one photograph (disjoint sets: Tarjan 1975).

    ``rank`` orders contents by the keep rules, the best first: smaller is better.
    """

    def __init__(self, rank: Mapping[int, int]) -> None:
        self._rank = rank
        self._parent: dict[int, int] = {}
        self._near: dict[int, set[int]] = {}
        self._loose: set[ContentPair] = set()
        self._held: set[ContentPair] = set()
        self._composites = Composites()
        self._tried: set[ContentPair] = set()

    def learn(self, tried: Iterable[ContentPair], matches: Iterable[Match]) -> None:
        """Learn which pairs were verified and which match: the latter join families."""
        self._tried.update(tried)
        matches = list(matches)
        self._composites.learn(matches)
        for match in matches:
            self._tried.add(match.pair)
            if not is_duplicate(match) or self._composites.splits(match):
                self._loose.add(match.pair)
                if match.same_photograph:
                    self._held.add(match.pair)
                continue
            self._near.setdefault(match.a, set()).add(match.b)
            self._near.setdefault(match.b, set()).add(match.a)
            a, b = self._root(match.a), self._root(match.b)
            if a != b:
                # The best by rank represents its family, so it needs no second search.
                self._parent[max(a, b, key=self._rank.__getitem__)] = min(
                    a, b, key=self._rank.__getitem__
                )

    def waves(self, proposals: Mapping[ContentPair, float]) -> Iterable[list[ContentPair]]:
        """Proposed pairs in waves; the results of each go to :meth:`learn` before the next.

        First comes, for every picture, the best by rank among its strong candidates, the likely
        keeper of its family. Then come its next candidates by score, except those that are in
        its family by then.
        """
        by_score = self._by_score(proposals)
        yield sorted({ordered(a, best) for a, best in self._likely_keepers(by_score)})
        done = 0
        for count in _WAVES:
            yield sorted(
                {
                    ordered(a, b)
                    for a, others in by_score.items()
                    for b, _ in others[done : done + count]
                    if self._root(a) != self._root(b)
                }
            )
            done += count

    def _by_score(
        self, proposals: Mapping[ContentPair, float]
    ) -> dict[int, list[tuple[int, float]]]:
        of: dict[int, list[tuple[int, float]]] = {}
        for (a, b), score in proposals.items():
            of.setdefault(a, []).append((b, score))
            of.setdefault(b, []).append((a, score))
        for others in of.values():
            others.sort(key=lambda other: (-other[1], self._rank[other[0]]))
        return of

    def _likely_keepers(
        self, ordered: Mapping[int, Sequence[tuple[int, float]]]
    ) -> Iterable[tuple[int, int]]:
        for a, others in ordered.items():
            # The best one is strong whatever its score: a cosine may be negative.
            least = min(_STRONG * others[0][1], others[0][1])
            best = min((b for b, score in others if score >= least), key=self._rank.__getitem__)
            if self._rank[best] < self._rank[a]:
                yield a, best

    def to_keepers(self) -> list[ContentPair]:
        """Pairs that a star around each family's keeper lacks, and what may contain the keeper.

        The keeper is the best by rank. Where few match it directly, because it is an odd edit,
        the best-connected members are tried too. A collage or a similar picture that was
        matched to some member meets the keeper as well.
        """
        members: dict[int, list[int]] = {}
        for id in self._near:
            members.setdefault(self._root(id), []).append(id)
        wanted: set[ContentPair] = set()
        for family in members.values():
            wanted.update(self._to_hubs(family))
        for a, b in self._loose:
            for member, other in ((a, b), (b, a)):
                keeper = self._root(member)
                if keeper not in (member, self._root(other)):
                    wanted.add(ordered(keeper, other))
        wanted.update(self._through_containers())
        return sorted(wanted - self._tried)

    def _through_containers(self) -> Iterable[ContentPair]:
        """A picture without a family, with the keepers of what the same collage or window shows."""
        beside: dict[int, list[int]] = {}
        for a, b in self._held:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
        for alone in beside.keys() - self._near.keys():
            for container in beside[alone]:
                for other in beside[container]:
                    if other in self._near:
                        yield ordered(alone, self._root(other))

    def _to_hubs(self, family: Sequence[int]) -> list[ContentPair]:
        """What is left to try between a family and its hubs; empty when one reaches most."""
        left = set(family)
        hub = min(family, key=self._rank.__getitem__)
        for _ in range(_MOST_HUBS):
            pairs = [ordered(hub, id) for id in family if id != hub]
            if untried := [pair for pair in pairs if pair not in self._tried]:
                return untried
            reached = len(self._near[hub]) >= REACH * len(pairs)
            if reached and not self._composites.is_window(hub):
                return []
            left.discard(hub)
            if not left:
                return []
            hub = min(left, key=lambda id: (-len(self._near[id]), self._rank[id]))
        return []

    def _root(self, id: int) -> int:
        root = id
        while (parent := self._parent.get(root)) is not None:
            root = parent
        while id != root:
            self._parent[id], id = root, self._parent[id]
        return root
