"""Look-alikes: pairs whose feature vectors are near, found once and cut by two thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from image_duplicate_finder.fingerprint import embedding
from image_duplicate_finder.fingerprint.compute import Specs
from image_duplicate_finder.model import Match, Relation
from image_duplicate_finder.search.vectors import pairs_within, threshold_cosine
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store

# Both sliders act after the scan, so pairs are stored down to their most lenient setting.
_LENIENT_EUCLIDEAN = 1.0
_LENIENT_COSINE = 0.5


def find_look_alikes(
    store: Store, scan: int, contents: frozenset[int], settings: ScanSettings
) -> None:
    """Store every pair that some setting of the thresholds could call similar."""
    name, version = Specs.of(settings).embedding()
    ids = sorted(contents)
    data = store.contents.fingerprints(name, version, ids)
    known = [id for id in ids if id in data]
    if len(known) < 2:
        return
    vectors = np.stack([embedding.from_bytes(data[id]) for id in known])
    pairs = pairs_within(
        vectors,
        esimilarity_threshold=_LENIENT_EUCLIDEAN,
        csimilarity_threshold=_LENIENT_COSINE,
        calibration=embedding.calibration(Path(settings.model) if settings.model else None),
    )
    index = np.array(known, np.int64)
    with store.atomic():
        store.matches.put_similar(scan, index[pairs.a], index[pairs.b], pairs.cosine)


def similar_matches(store: Store, scan: int, settings: ScanSettings) -> list[Match]:
    """A scan's look-alikes at the thresholds of ``settings``."""
    if settings.mode is Mode.QUICK:
        return []
    least = threshold_cosine(settings.esimilarity_threshold, settings.csimilarity_threshold)
    return [
        Match(a, b, Relation.SIMILAR, score=cosine, same_photograph=False)
        for a, b, cosine in store.matches.similar(scan, least)
    ]
