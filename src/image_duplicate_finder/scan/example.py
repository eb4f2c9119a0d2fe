"""Find by example: the files of a scan that match a picture from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.executors.engine import load_meanwhile
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.processes import ProcessExecutor
from image_duplicate_finder.fingerprint import embedding, perceptual
from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.fingerprint.specs import PERCEPTUAL, Specs, keypoint_kind
from image_duplicate_finder.messages import Message
from image_duplicate_finder.model import Failure, Fingerprinted, Match, Relation
from image_duplicate_finder.relations import strength
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.scan.matching import stored_vectors
from image_duplicate_finder.scan.verification import verify_input, verify_inputs
from image_duplicate_finder.search.visual_words import VisualWordIndex, tuning_for
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.pair import verify
from image_duplicate_finder.verify.wording import describe

_NEAR_BITS = 70
"""Looser than a scan, since one picture has few chance neighbours and each is verified."""

_NEIGHBOURS = 200
_SIMILAR_COSINE = 0.6

_EXAMPLE = -1
"""The id of the example among content ids."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored content that matches the example or is similar to it."""

    content: int
    relation: Relation
    description: tuple[Message, ...]
    score: float


def find_like(context: ScanContext, path: str) -> list[Hit]:
    """The contents of a scan that match the picture in the file ``path``, the surest first.

    A worker process reads the file, as in a scan; nothing is stored. Raises DecodeError when it is
    no picture that can be read.
    """
    store, settings = context.store, context.settings
    example = _read(path, settings)
    ids = [content.id for content in store.scans.contents(context.scan)]
    own = {fingerprint.name: fingerprint.data for fingerprint in example.fingerprints}
    similar = _nearest_vectors(context, ids, own)
    candidates = sorted(
        {
            *_near_by_hash(store, ids, own),
            *_sharing_words(store, ids, own, settings.mode),
            *similar,
        }
    )
    infos = store.contents.infos(candidates)
    hashes = store.contents.hashes(candidates)
    hits: dict[int, Hit] = {}
    inputs = verify_inputs(store, candidates, settings.mode)
    size = example.info.width, example.info.height
    mine = verify_input(_EXAMPLE, size, own, settings.mode)
    decoded = None if mine is None else mine.decoded()
    for id in candidates:
        match: Match | None
        if hashes[id] == example.content:
            match = Match(_EXAMPLE, id, Relation.BYTE_IDENTICAL)
        elif id in inputs and decoded is not None:
            match = verify(decoded, inputs[id].decoded(), thorough=settings.mode is Mode.THOROUGH)
        else:
            match = None
        if match is None and similar.get(id, 0.0) >= _SIMILAR_COSINE:
            match = Match(_EXAMPLE, id, Relation.SIMILAR, score=similar[id], same_photograph=False)
        if match is not None:
            description = describe(match, example.info, infos[id])
            hits[id] = Hit(id, match.relation, description, match.score)
    return sorted(hits.values(), key=lambda hit: (strength(hit.relation), -hit.score))


def _read(path: str, settings: ScanSettings) -> Fingerprinted:
    if settings.mode is not Mode.QUICK:
        load_meanwhile()
    with ProcessExecutor(Specs.of(settings), jobs=1) as executor:
        answers = [result for result, _ in executor.map([FileTask(path, 0)])]
    (result,) = answers
    if isinstance(result, Failure):
        raise DecodeError(result.reason, stage=result.stage)
    assert isinstance(result, Fingerprinted)  # no content is known beforehand
    return result


def _near_by_hash(store: Store, ids: Sequence[int], own: dict[str, bytes]) -> list[int]:
    """Contents near to the example in some orientation, or to what lies within flat ground in it;
    or in which such a part is near to it.
    """
    example = _hashes_of(own[PERCEPTUAL.name])
    stored = store.contents.fingerprints(*PERCEPTUAL, ids)
    nearest: dict[int, int] = {}
    for asked, structure in example:
        known = [(id, each, rich) for id in stored for each, rich in _hashes_of(stored[id])]
        if not known:
            return []
        upright = np.stack([each[0] for _, each, _ in known])
        differing: NDArray[np.uint8] = upright[:, None, :] ^ asked[None, :, :]
        distances = np.bitwise_count(differing).sum(axis=2, dtype=np.int32).min(axis=1)
        # A flat picture is near to many by chance; only its very equals are worth a look.
        limit = _NEAR_BITS if structure >= perceptual.MIN_STRUCTURE else 0
        for place in np.flatnonzero(distances <= limit).tolist():
            id = known[place][0]
            nearest[id] = min(int(distances[place]), nearest.get(id, perceptual.BITS))
    return sorted(nearest, key=lambda id: nearest[id])[:_NEIGHBOURS]


def _hashes_of(data: bytes) -> list[tuple[NDArray[np.uint8], int]]:
    """Hashes and structure of a picture and of what lies within flat ground in it."""
    found = [perceptual.decode(data)]
    inner = perceptual.decode_inner(data)
    return found if inner is None else [*found, (inner.hashes, inner.structure)]


def _sharing_words(
    store: Store, ids: Sequence[int], own: dict[str, bytes], mode: Mode
) -> list[int]:
    """Contents with rare words in common with the example, at places that fit together.

    The index is made for this one question: a fifth of a millisecond for each content.
    """
    if mode is Mode.QUICK:
        return []
    kind = keypoint_kind(mode)
    index = VisualWordIndex(tuning_for(thorough=mode is Mode.THOROUGH))
    for id, data in store.contents.each_fingerprint(*kind, ids):
        index.add(id, Keypoints.from_bytes(data), look_up=False)
    example = Keypoints.from_bytes(own[kind.name])
    return [id for id, _ in index.search(example)] if len(index) else []


def _nearest_vectors(
    context: ScanContext, ids: Sequence[int], own: dict[str, bytes]
) -> dict[int, float]:
    """The contents with the nearest feature vectors, each with its cosine similarity."""
    if context.settings.mode is Mode.QUICK:
        return {}
    name, _ = Specs.of(context.settings).embedding()
    known, vectors = stored_vectors(context, ids)
    if not known or name not in own:  # vectors of another installation of the same library
        return {}
    cosines = vectors @ embedding.from_bytes(own[name])
    order = np.argsort(-cosines, kind="stable")[:_NEIGHBOURS]
    return {known[place]: float(cosines[place]) for place in order.tolist()}
