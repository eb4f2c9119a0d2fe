"""Look-alikes: pairs whose feature vectors are near, found once and cut by two thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import embedding
from image_duplicate_finder.fingerprint.model_card import calibration
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.grouping.links import LookAlikes
from image_duplicate_finder.search.vectors import neighbours, pairs_within, threshold_cosine
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store

# Both sliders act after the scan, so pairs are stored down to their most lenient setting.
_LENIENT_EUCLIDEAN = 1.0
_LENIENT_COSINE = 0.5


def find_look_alikes(
    store: Store, scan: int, contents: frozenset[int], settings: ScanSettings
) -> None:
    """Store every pair that some setting of the thresholds could call similar."""
    known, vectors = stored_vectors(store, sorted(contents), settings)
    if len(known) < 2:
        return
    pairs = pairs_within(
        vectors,
        esimilarity_threshold=_LENIENT_EUCLIDEAN,
        csimilarity_threshold=_LENIENT_COSINE,
        calibration=calibration(Path(settings.model) if settings.model else None),
    )
    index = np.array(known, np.int64)
    store.look_alikes.replace(scan, index[pairs.a], index[pairs.b], pairs.cosine)


def near_in_features(
    store: Store, ids: Sequence[int], settings: ScanSettings, nearest: int
) -> Iterator[tuple[tuple[int, int], float]]:
    """Each content with its ``nearest`` others: pairs ``(low, high)`` with their cosine."""
    known, vectors = stored_vectors(store, ids, settings)
    if len(known) < 2:
        return
    rows, cosines = neighbours(vectors, nearest)
    for place, (others, scores) in enumerate(zip(rows.tolist(), cosines.tolist(), strict=True)):
        for other, cosine in zip(others, scores, strict=True):
            if other >= 0:
                a, b = known[place], known[other]
                yield (min(a, b), max(a, b)), cosine


def stored_vectors(
    store: Store, ids: Sequence[int], settings: ScanSettings
) -> tuple[list[int], NDArray[np.float32]]:
    """The contents that have a vector, in the order of ``ids``, and their vectors (n, d)."""
    name, version = Specs.of(settings).embedding()
    data = store.contents.fingerprints(name, version, ids)
    known = [id for id in ids if id in data]
    if not known:
        return [], np.zeros((0, 0), np.float32)
    return known, np.stack([embedding.from_bytes(data[id]) for id in known])


def look_alikes(store: Store, scan: int, settings: ScanSettings) -> LookAlikes | None:
    """A scan's look-alikes at the thresholds of ``settings``; a quick scan has none."""
    if settings.mode is Mode.QUICK:
        return None
    least = threshold_cosine(settings.esimilarity_threshold, settings.csimilarity_threshold)
    return store.look_alikes.of(scan, least)
