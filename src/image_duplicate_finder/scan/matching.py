"""Candidates proposed by every index, verified, and families followed to their keepers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.executors.engine import Executor, LocalExecutor
from image_duplicate_finder.fingerprint import keypoints, perceptual
from image_duplicate_finder.fingerprint.specs import keypoint_name
from image_duplicate_finder.model import Match
from image_duplicate_finder.progress import CancelToken, Progress, Step, Tell, silent
from image_duplicate_finder.scan.families import Families, Pair
from image_duplicate_finder.scan.similar import near_in_features
from image_duplicate_finder.scan.verification import Verifier, stop_if_asked
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings
from image_duplicate_finder.store import Store

# Near hashes are stronger evidence than most shared words: such pairs come first.
_NEAR_HASHES_SCORE = 50.0
_NEAREST_FEATURES = 10
_PREVIEW_PAIRS = 300


def quick_matches(store: Store, contents: frozenset[int]) -> list[Match]:
    """Near copies by perceptual hash alone: for groups while a scan still reads.

    They are stored as what quick mode found, so the next preview, and a quick scan itself, need
    not verify them again. A preview verifies some hundred new pairs at the most: no file is read
    meanwhile.
    """
    ids = _in_stable_order(store, contents)
    with LocalExecutor(DecodeLimits(), jobs=1) as executor:
        verifier = Verifier(store, ScanSettings(mode=Mode.QUICK), executor, silent, CancelToken())
        verifier.verify(verifier.unverified(_near_by_hash(store, executor, ids))[:_PREVIEW_PAIRS])
    return store.matches.among(verifier.name, set(contents))


def find_matches(
    store: Store,
    contents: frozenset[int],
    rank: Mapping[int, int],
    settings: ScanSettings,
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
) -> list[Match]:
    """Every match that groups need among ``contents``: proposed, verified, stored.

    ``rank`` orders contents by the keep rules (0 is best): members are verified against the
    likely keeper first, and not against every other copy of their family. Pairs that were
    verified before are not verified again. Raises Interrupted when ``cancel`` asked for a stop;
    verified pairs are stored by then.
    """
    progress(Step("candidates", 0, None))
    ids = _in_stable_order(store, contents)
    verifier = Verifier(store, settings, executor, progress, cancel)
    families = Families(rank)
    families.learn((), store.matches.among(verifier.name, set(contents)))

    def tell(done: int) -> None:
        stop_if_asked(cancel)
        progress(Step("candidates", done, len(ids)))

    for pairs in families.waves(_proposals(store, executor, ids, settings, tell)):
        families.learn(pairs, verifier.verify(pairs))
    while pairs := families.to_keepers():
        families.learn(pairs, verifier.verify(pairs))
    verifier.tell_pixels(set(contents))
    return store.matches.among(verifier.name, set(contents))


def _in_stable_order(store: Store, contents: frozenset[int]) -> list[int]:
    """Content ids in the order of their hashes, so that results never depend on file order."""
    hashes = store.contents.hashes(sorted(contents))
    return sorted(contents, key=lambda id: hashes[id])


def _proposals(
    store: Store, executor: Executor, ids: Sequence[int], settings: ScanSettings, tell: Tell
) -> dict[Pair, float]:
    """Pairs that some index proposes, with the better of their scores."""
    proposals = dict.fromkeys(_near_by_hash(store, executor, ids), _NEAR_HASHES_SCORE)
    if settings.mode is not Mode.QUICK:
        for pair, score in _sharing_words(store, executor, ids, settings.mode, tell):
            proposals[pair] = max(score, proposals.get(pair, 0.0))
    if settings.mode is Mode.THOROUGH:
        # Where keypoints fail: blurred, tiny and plain pictures. They come last, since most of
        # them only look alike; to verify them all costs half as much again.
        for pair, cosine in near_in_features(store, ids, settings, _NEAREST_FEATURES):
            proposals.setdefault(pair, cosine)
    return proposals


def _near_by_hash(store: Store, executor: Executor, ids: Sequence[int]) -> list[Pair]:
    data = store.contents.fingerprints(perceptual.NAME, perceptual.VERSION, ids)
    decoded = [(id, *perceptual.decode(data[id])) for id in ids if id in data]
    usable = [(id, hashes) for id, hashes, rich in decoded if rich >= perceptual.MIN_STRUCTURE]
    if len(usable) < 2:
        return []
    near = executor.near_pairs(np.stack([hashes for _, hashes in usable]))
    return _to_pairs([id for id, _ in usable], near.a, near.b)


def _sharing_words(
    store: Store, executor: Executor, ids: Sequence[int], mode: Mode, tell: Tell
) -> Iterator[tuple[Pair, float]]:
    pictures = store.contents.each_fingerprint(keypoint_name(mode), keypoints.VERSION, ids)
    found = executor.word_pairs(pictures, thorough=mode is Mode.THOROUGH, tell=tell)
    low, high = np.minimum(found.a, found.b), np.maximum(found.a, found.b)
    for a, b, score in zip(low.tolist(), high.tolist(), found.score.tolist(), strict=True):
        yield (a, b), score


def _to_pairs(ids: Sequence[int], a: NDArray[np.int32], b: NDArray[np.int32]) -> list[Pair]:
    index = np.array(ids, np.int64)
    first, second = index[a], index[b]
    low, high = np.minimum(first, second), np.maximum(first, second)
    return list(zip(low.tolist(), high.tolist(), strict=True))
